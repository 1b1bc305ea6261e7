// Node with mysql2's promises: a pool, and `execute`, which prepares each statement once on a connection.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { argv, env, stdin, stdout } from 'node:process'
import mysql from 'mysql2/promise'

const open = (connectionLimit) =>
  mysql.createPool({
    host: env.TIDB_HOST,
    port: Number(env.TIDB_PORT),
    user: env.TIDB_USER,
    password: env.TIDB_PASSWORD,
    database: env.TIDB_DB_NAME,
    connectionLimit
  })

const createTable = (pool) =>
  pool.query(`CREATE TABLE players (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(32) NOT NULL UNIQUE,
    coins INT NOT NULL,
    goods INT NOT NULL)`)

const dropTable = (pool) => pool.query('DROP TABLE players')

async function create(pool, name, coins, goods) {
  const [result] = await pool.execute('INSERT INTO players (name, coins, goods) VALUES (?, ?, ?)', [name, coins, goods])
  return result.insertId
}

function createMany(pool, rows) {
  const marks = rows.map(() => '(?, ?, ?)').join(', ')
  return pool.execute(`INSERT INTO players (name, coins, goods) VALUES ${marks}`, rows.flat())
}

async function first(connection, sql, values) {
  const [[row]] = await connection.execute(sql, values)
  if (row === undefined) throw new Error(`no row: ${sql}`)
  return row
}

const find = (pool, id) => first(pool, 'SELECT id, name, coins, goods FROM players WHERE id = ?', [id])

const findByName = (pool, name) => first(pool, 'SELECT id, name, coins, goods FROM players WHERE name = ?', [name])

// `execute` sends a number as DOUBLE, which TiDB does not take for a LIMIT; nor does it take a string.
async function list(pool, limit) {
  const [rows] = await pool.query('SELECT id, name, coins, goods FROM players ORDER BY id LIMIT ?', [limit])
  return rows
}

const count = async (pool) => Number((await first(pool, 'SELECT COUNT(*) AS count FROM players')).count)

async function trade(pool, buyer, seller, goods, price) {
  const connection = await pool.getConnection()
  try {
    await connection.beginTransaction()
    const { coins } = await first(connection, 'SELECT coins FROM players WHERE id = ? FOR UPDATE', [buyer])
    const { goods: stock } =
      coins < price ? { goods: 0 } : await first(connection, 'SELECT goods FROM players WHERE id = ? FOR UPDATE', [seller])
    if (stock < goods) {
      await connection.rollback()
      return false
    }
    const move = 'UPDATE players SET coins = coins + ?, goods = goods + ? WHERE id = ?'
    await connection.execute(move, [-price, goods, buyer])
    await connection.execute(move, [price, -goods, seller])
    await connection.commit()
    return true
  } catch (error) {
    await connection.rollback()
    throw error
  } finally {
    connection.release()
  }
}

const now = () => performance.now() / 1000

const check = (holds, what) => {
  if (!holds) throw new Error(`${what}: not what is expected`)
}

// The reference run of TiDB's tutorials, from logging in to logging out.
async function run() {
  const start = now()
  const pool = open(1)
  try {
    await steps(pool)
  } finally {
    await pool.end()
  }
  return { operations: 1, seconds: now() - start }
}

async function steps(pool) {
  await createTable(pool)
  await create(pool, 'test', 1, 1)
  await findByName(pool, 'test')
  for (let batch = 0; batch < 200; batch += 50) {
    await createMany(pool, Array.from({ length: 50 }, (_, n) => [`player_${batch + n}`, 10_000, 100]))
  }
  check((await count(pool)) === 201, 'the count')
  await list(pool, 3)
  const buyer = await create(pool, 'buyer', 100, 0)
  const seller = await create(pool, 'seller', 0, 100)
  check(!(await trade(pool, buyer, seller, 10, 500)), 'the refused trade')
  check(await trade(pool, buyer, seller, 10, 100), 'the trade')
  check((await findByName(pool, 'buyer')).coins === 0, 'the buyer')
  check((await findByName(pool, 'seller')).coins === 100, 'the seller')
  await dropTable(pool)
}

async function load(pool, { rows, batch, seconds, tasks, prefix }) {
  const start = now()
  let [begun, stored] = [0, 0]
  const task = async () => {
    while (begun < rows && now() - start < seconds) {
      const first = begun
      const length = Math.min(batch, rows - first)
      begun += length
      await createMany(pool, Array.from({ length }, (_, n) => [`${prefix}-${first + n}`, 100, 100]))
      stored += length
    }
  }
  await Promise.all(Array.from({ length: tasks }, task))
  return { operations: stored, seconds: now() - start }
}

// Each task makes one call after the other until the time is over. No two tasks trade with the same players.
async function repeat(pool, { do: work, tasks, seconds, players, prefix }) {
  const start = now()
  const own = Math.floor(players / tasks)
  const latencies = []
  const task = async (task) => {
    for (let n = 0; n === 0 || now() - start < seconds; n++) {
      const one = Math.floor(Math.random() * own)
      const other = (one + 1 + Math.floor(Math.random() * (own - 1))) % own
      const [buyer, seller] = [1 + task + one * tasks, 1 + task + other * tasks]
      const begun = now()
      if (work === 'read') await find(pool, buyer)
      else if (work === 'create') await create(pool, `${prefix}-${task}-${n}`, 100, 100)
      else check(await trade(pool, buyer, seller, 1, 1), 'the trade')
      latencies.push((now() - begun) * 1e6)
    }
  }
  await Promise.all(Array.from({ length: tasks }, (_, number) => task(number)))
  const elapsed = now() - start
  latencies.sort((a, b) => a - b)
  const quantile = (q) => Math.round(latencies[Math.floor(latencies.length * q)])
  return { operations: latencies.length, seconds: elapsed, p50_us: quantile(0.5), p99_us: quantile(0.99) }
}

const say = (reply) => stdout.write(JSON.stringify(reply) + '\n')

const pool = open(Number(argv[2]))
try {
  await pool.query('SELECT 1')
  say({ ready: `mysql2 ${createRequire(import.meta.url)('mysql2/package.json').version}, Node ${process.version}` })
  for await (const line of createInterface({ input: stdin })) {
    const request = JSON.parse(line)
    try {
      say(await (request.do === 'run' ? run() : request.do === 'load' ? load(pool, request) : repeat(pool, request)))
    } catch (error) {
      say({ error: error.message })
    }
  }
} catch (error) {
  say({ error: error.message })
  process.exitCode = 1
} finally {
  await pool.end()
}
