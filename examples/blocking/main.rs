//! A program without async, through mysql: threads share one pool, and each trades as TiDB's tutorials write it, with row
//! locks in an explicit transaction. No async runtime is started, and `Cargo.toml` names none.
//!
//! Run it with `just playground -- cargo run -p example-blocking`, or with TIDB_HOST and the others set.

use std::{error::Error, fmt, thread};

use anyhow::anyhow;
use tidb_connect_mysql::{
    ConnectionConfig, Pool, TransactionError, connect,
    mysql::{self, prelude::*},
};

/// Why a trade was refused.
#[derive(Debug)]
enum Refused {
    NotEnoughCoins,
    NotEnoughGoods,
    NoSuchTrader,
    Database(mysql::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnoughCoins => f.write_str("the buyer has not enough coins"),
            Self::NotEnoughGoods => f.write_str("the seller has not enough goods"),
            Self::NoSuchTrader => f.write_str("there is no such trader"),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl Error for Refused {}

impl From<mysql::Error> for Refused {
    fn from(error: mysql::Error) -> Self {
        Self::Database(error)
    }
}

fn main() -> anyhow::Result<()> {
    let pool = connect(&ConnectionConfig::from_env()?)?;
    let mut connection = pool.get()?;
    connection.query_drop("CREATE TABLE traders (id INT PRIMARY KEY, coins INT NOT NULL, goods INT NOT NULL)")?;
    connection.query_drop("INSERT INTO traders VALUES (1, 1000, 100), (2, 1000, 100)")?;
    drop(connection);

    match buy_goods(&pool, 1, 2, 10, 5000) {
        Err(TransactionError::Aborted(refused @ Refused::NotEnoughCoins)) => println!("rolled back: {refused}"),
        other => other?,
    }

    // Each thread takes a connection of its own, which waits for the rows that another has locked.
    thread::scope(|scope| {
        let threads = [(1, 2, 5), (2, 1, 3), (1, 2, 5), (2, 1, 3)].map(|(buyer, seller, price)| {
            let pool = &pool;
            scope.spawn(move || (0..10).try_for_each(|_| buy_goods(pool, buyer, seller, 1, price)))
        });
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a thread has panicked"))??;
        }
        anyhow::Ok(())
    })?;

    let mut connection = pool.get()?;
    let traders: Vec<(i32, i32, i32)> = connection.query("SELECT id, coins, goods FROM traders ORDER BY id")?;
    for (id, coins, goods) in traders {
        println!("trader {id}: {coins} coins, {goods} goods");
    }
    connection.query_drop("DROP TABLE traders")?;
    drop(connection);
    pool.close()?;
    Ok(())
}

fn buy_goods(pool: &Pool, buyer: i32, seller: i32, amount: i32, price: i32) -> Result<(), TransactionError<Refused>> {
    let traded = pool.transaction(|tx| {
        // Locked in the order of their ids, whoever buys, so that opposite trades wait and do not deadlock.
        let lock = "SELECT id, coins, goods FROM traders WHERE id IN (?, ?) ORDER BY id FOR UPDATE";
        let rows: Vec<(i32, i32, i32)> = tx.exec(lock, (buyer, seller))?;
        let find = |wanted| rows.iter().find(|(id, ..)| *id == wanted).ok_or(Refused::NoSuchTrader);
        let ((_, coins, _), (_, _, goods)) = (find(buyer)?, find(seller)?);
        if *coins < price {
            return Err(Refused::NotEnoughCoins);
        }
        if *goods < amount {
            return Err(Refused::NotEnoughGoods);
        }
        let change = "UPDATE traders SET coins = coins + ?, goods = goods + ? WHERE id = ?";
        tx.exec_drop(change, (-price, amount, buyer))?;
        tx.exec_drop(change, (price, -amount, seller))?;
        Ok(())
    });
    traded.map(drop)
}
