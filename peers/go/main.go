// Go's database/sql with go-sql-driver, as TiDB's Go sample writes it. With the argument "interpolate", the driver puts
// parameters into the text (interpolateParams=true) instead of preparing each statement.
package main

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

type player struct {
	id           int64
	name         string
	coins, goods int
}

type players struct{ db *sql.DB }

func open(pool int) (players, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", os.Getenv("TIDB_HOST")+":"+os.Getenv("TIDB_PORT")
	config.User, config.Passwd, config.DBName = os.Getenv("TIDB_USER"), os.Getenv("TIDB_PASSWORD"), os.Getenv("TIDB_DB_NAME")
	config.InterpolateParams = os.Args[1] == "interpolate"
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return players{}, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(pool)
	db.SetMaxIdleConns(pool)
	return players{db}, db.Ping()
}

func (p players) createTable() error {
	_, err := p.db.Exec(`CREATE TABLE players (
		id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
		name VARCHAR(32) NOT NULL UNIQUE,
		coins INT NOT NULL,
		goods INT NOT NULL)`)
	return err
}

func (p players) dropTable() error {
	_, err := p.db.Exec("DROP TABLE players")
	return err
}

func (p players) create(name string, coins, goods int) (int64, error) {
	result, err := p.db.Exec("INSERT INTO players (name, coins, goods) VALUES (?, ?, ?)", name, coins, goods)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

func (p players) createMany(rows []player) error {
	values := make([]any, 0, 3*len(rows))
	for _, row := range rows {
		values = append(values, row.name, row.coins, row.goods)
	}
	marks := strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(rows)), ", ")
	_, err := p.db.Exec("INSERT INTO players (name, coins, goods) VALUES "+marks, values...)
	return err
}

func (p players) find(id int64) (found player, err error) {
	row := p.db.QueryRow("SELECT id, name, coins, goods FROM players WHERE id = ?", id)
	return found, row.Scan(&found.id, &found.name, &found.coins, &found.goods)
}

func (p players) findByName(name string) (found player, err error) {
	row := p.db.QueryRow("SELECT id, name, coins, goods FROM players WHERE name = ?", name)
	return found, row.Scan(&found.id, &found.name, &found.coins, &found.goods)
}

func (p players) list(limit int) (all []player, err error) {
	rows, err := p.db.Query("SELECT id, name, coins, goods FROM players ORDER BY id LIMIT ?", limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var row player
		if err := rows.Scan(&row.id, &row.name, &row.coins, &row.goods); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

func (p players) count() (count int, err error) {
	return count, p.db.QueryRow("SELECT COUNT(*) FROM players").Scan(&count)
}

var errRefused = errors.New("coins or goods do not suffice")

func (p players) trade(buyer, seller int64, goods, price int) error {
	tx, err := p.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var coins, stock int
	if err := tx.QueryRow("SELECT coins FROM players WHERE id = ? FOR UPDATE", buyer).Scan(&coins); err != nil {
		return err
	}
	if coins < price {
		return errRefused
	}
	if err := tx.QueryRow("SELECT goods FROM players WHERE id = ? FOR UPDATE", seller).Scan(&stock); err != nil {
		return err
	}
	if stock < goods {
		return errRefused
	}
	move := "UPDATE players SET coins = coins + ?, goods = goods + ? WHERE id = ?"
	if _, err := tx.Exec(move, -price, goods, buyer); err != nil {
		return err
	}
	if _, err := tx.Exec(move, price, -goods, seller); err != nil {
		return err
	}
	return tx.Commit()
}

type request struct {
	Do                          string
	Tasks, Players, Rows, Batch int
	Seconds                     float64
	Prefix                      string
}

type reply struct {
	Ready      string  `json:"ready,omitempty"`
	Operations int     `json:"operations,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"`
	P50        int64   `json:"p50_us,omitempty"`
	P99        int64   `json:"p99_us,omitempty"`
	Error      string  `json:"error,omitempty"`
}

// The reference run of TiDB's tutorials, from logging in to logging out.
func run() (reply, error) {
	start := time.Now()
	p, err := open(1)
	if err != nil {
		return reply{}, err
	}
	if err := steps(p); err != nil {
		return reply{}, err
	}
	if err := p.db.Close(); err != nil {
		return reply{}, err
	}
	return reply{Operations: 1, Seconds: time.Since(start).Seconds()}, nil
}

func steps(p players) error {
	if err := p.createTable(); err != nil {
		return err
	}
	if _, err := p.create("test", 1, 1); err != nil {
		return err
	}
	if _, err := p.findByName("test"); err != nil {
		return err
	}
	rows := make([]player, 200)
	for n := range rows {
		rows[n] = player{name: fmt.Sprint("player_", n), coins: 10_000, goods: 100}
	}
	for batch := range slices.Chunk(rows, 50) {
		if err := p.createMany(batch); err != nil {
			return err
		}
	}
	if count, err := p.count(); err != nil || count != 201 {
		return fmt.Errorf("count %d: %w", count, err)
	}
	if _, err := p.list(3); err != nil {
		return err
	}
	buyer, err := p.create("buyer", 100, 0)
	if err != nil {
		return err
	}
	seller, err := p.create("seller", 0, 100)
	if err != nil {
		return err
	}
	if err := p.trade(buyer, seller, 10, 500); !errors.Is(err, errRefused) {
		return fmt.Errorf("the refused trade: %w", err)
	}
	if err := p.trade(buyer, seller, 10, 100); err != nil {
		return err
	}
	for name, coins := range map[string]int{"buyer": 0, "seller": 100} {
		if found, err := p.findByName(name); err != nil || found.coins != coins {
			return fmt.Errorf("%s has %d coins: %w", name, found.coins, err)
		}
	}
	return p.dropTable()
}

func (p players) load(r request) (reply, error) {
	var (
		start  = time.Now()
		begun  atomic.Int64
		stored atomic.Int64
	)
	err := atOnce(r.Tasks, func(int) error {
		for time.Since(start).Seconds() < r.Seconds {
			first := int(begun.Add(int64(r.Batch))) - r.Batch
			if first >= r.Rows {
				break
			}
			rows := make([]player, min(r.Batch, r.Rows-first))
			for n := range rows {
				rows[n] = player{name: fmt.Sprint(r.Prefix, "-", first+n), coins: 100, goods: 100}
			}
			if err := p.createMany(rows); err != nil {
				return err
			}
			stored.Add(int64(len(rows)))
		}
		return nil
	})
	return reply{Operations: int(stored.Load()), Seconds: time.Since(start).Seconds()}, err
}

// atOnce calls task with each of the numbers from 0 at once, and waits for all.
func atOnce(tasks int, task func(int) error) error {
	var (
		failures = make([]error, tasks)
		underWay sync.WaitGroup
	)
	for number := range tasks {
		underWay.Add(1)
		go func() {
			defer underWay.Done()
			failures[number] = task(number)
		}()
	}
	underWay.Wait()
	return errors.Join(failures...)
}

// Each task makes one call after the other until the time is over. No two tasks trade with the same players.
func (p players) repeat(r request) (reply, error) {
	var (
		start     = time.Now()
		own       = r.Players / r.Tasks
		latencies = make([][]int64, r.Tasks)
	)
	err := atOnce(r.Tasks, func(task int) error {
		for n := 0; n == 0 || time.Since(start).Seconds() < r.Seconds; n++ {
			first := rand.IntN(own)
			second := (first + 1 + rand.IntN(own-1)) % own
			buyer, seller := int64(1+task+first*r.Tasks), int64(1+task+second*r.Tasks)
			var err error
			begun := time.Now()
			switch r.Do {
			case "read":
				_, err = p.find(buyer)
			case "create":
				_, err = p.create(fmt.Sprint(r.Prefix, "-", task, "-", n), 100, 100)
			case "trade":
				err = p.trade(buyer, seller, 1, 1)
			}
			latencies[task] = append(latencies[task], time.Since(begun).Microseconds())
			if err != nil {
				return err
			}
		}
		return nil
	})
	seconds, all := time.Since(start).Seconds(), slices.Concat(latencies...)
	slices.Sort(all)
	return reply{Operations: len(all), Seconds: seconds, P50: all[len(all)/2], P99: all[len(all)*99/100]}, err
}

func serve() error {
	out := json.NewEncoder(os.Stdout)
	pool, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	p, err := open(pool)
	if err != nil {
		return err
	}
	defer p.db.Close()
	if err := out.Encode(reply{Ready: "go-sql-driver 1.10.1"}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return err
		}
		var measured reply
		switch r.Do {
		case "run":
			measured, err = run()
		case "load":
			measured, err = p.load(r)
		default:
			measured, err = p.repeat(r)
		}
		if err != nil {
			measured = reply{Error: err.Error()}
		}
		if err := out.Encode(measured); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if err := serve(); err != nil {
		json.NewEncoder(os.Stdout).Encode(reply{Error: err.Error()})
		os.Exit(1)
	}
}
