//! The trade as TiDB's tutorials write it, with row locks in an explicit transaction, in a program without an async
//! runtime. `PlayerStore::trade` does the same in one statement; this is how to do what one statement cannot.
//!
//! Run it with `just playground -- cargo run -p example-explicit-trade`, or with TIDB_HOST and the others set.

use tidb_connect_mysql::{
    ConnectionConfig, Pool, TransactionError, connect,
    mysql::{self, prelude::*},
};

/// Why a trade was refused.
#[derive(Debug)]
enum Refused {
    CoinsNotEnough,
    GoodsNotEnough,
    NoSuchPlayer,
    Database(mysql::Error),
}

impl From<mysql::Error> for Refused {
    fn from(error: mysql::Error) -> Self {
        Self::Database(error)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = connect(&ConnectionConfig::from_env()?)?;
    let mut connection = pool.get()?;
    connection.query_drop("CREATE TABLE traders (id INT PRIMARY KEY, coins INT NOT NULL, goods INT NOT NULL)")?;
    connection.query_drop("INSERT INTO traders VALUES (1, 100, 0), (2, 0, 100)")?;
    for price in [500, 100] {
        match buy_goods(&pool, 1, 2, 10, price) {
            Ok(attempts) => println!("trade success, after {attempts} attempt(s)"),
            Err(TransactionError::Aborted(Refused::Database(error))) => return Err(error.into()),
            Err(TransactionError::Aborted(refused)) => println!("refused, and rolled back: {refused:?}"),
            Err(error) => println!("{error} ({:?})", error.outcome()),
        }
    }
    let rows: Vec<(i32, i32, i32)> = connection.query("SELECT id, coins, goods FROM traders ORDER BY id")?;
    for (id, coins, goods) in rows {
        println!("trader {id}: {coins} coins, {goods} goods");
    }
    connection.query_drop("DROP TABLE traders")?;
    drop(connection);
    pool.close()?;
    Ok(())
}

/// Returns how many attempts it took.
fn buy_goods(pool: &Pool, buyer: i32, seller: i32, amount: i32, price: i32) -> Result<u32, TransactionError<Refused>> {
    let done = pool.transaction(|tx| {
        // Locked in the order of their ids, whoever buys, so that opposite trades wait and do not deadlock.
        let lock = "SELECT id, coins, goods FROM traders WHERE id IN (?, ?) ORDER BY id FOR UPDATE";
        let rows: Vec<(i32, i32, i32)> = tx.exec(lock, (buyer, seller))?;
        let find = |wanted| rows.iter().find(|(id, ..)| *id == wanted).ok_or(Refused::NoSuchPlayer);
        let ((_, coins, _), (_, _, goods)) = (find(buyer)?, find(seller)?);
        if *coins < price {
            return Err(Refused::CoinsNotEnough);
        }
        if *goods < amount {
            return Err(Refused::GoodsNotEnough);
        }
        let change = "UPDATE traders SET coins = coins + ?, goods = goods + ? WHERE id = ?";
        tx.exec_drop(change, (-price, amount, buyer))?;
        tx.exec_drop(change, (price, -amount, seller))?;
        Ok(())
    })?;
    Ok(done.attempts)
}
