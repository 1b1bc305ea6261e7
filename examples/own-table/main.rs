//! Tables of your own, changed together in a transaction, through sqlx: the closure refuses with an error of its own, and
//! a `COMMIT` that gets no answer is met with a number that keeps the same transfer from being made twice.
//!
//! Run it with `just playground -- cargo run -p example-own-table`, or with TIDB_HOST and the others set.

use std::{error::Error, fmt};

use anyhow::Context;
use tidb_connect_sqlx::{
    ConnectionConfig, Pool, TransactionError, connect,
    sqlx::{self, Executor},
};

/// Coins from one account to another. Whoever orders it gives the number, and keeps it until the end is known.
#[derive(Clone, Copy)]
struct Transfer {
    number: i32,
    from: i32,
    to: i32,
    amount: i32,
}

/// Why a transfer was not made. Nothing of it was applied.
#[derive(Debug)]
enum Refused {
    MadeBefore,
    NoSuchAccount(i32),
    NotEnough { balance: i32 },
    Database(sqlx::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MadeBefore => f.write_str("it is made already"),
            Self::NoSuchAccount(id) => write!(f, "there is no account {id}"),
            Self::NotEnough { balance } => write!(f, "the payer has only {balance}"),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl Error for Refused {}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let pool = connect(&ConnectionConfig::from_env()?).await?;
    let mut connection = pool.get().await?;
    connection.execute("CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL)").await?;
    connection.execute("CREATE TABLE transfers (number INT PRIMARY KEY, amount INT NOT NULL)").await?;
    connection.execute("INSERT INTO accounts VALUES (1, 100), (2, 0)").await?;
    drop(connection);

    let first = Transfer { number: 1, from: 1, to: 2, amount: 30 };
    let too_much = Transfer { number: 2, amount: 500, ..first };
    let astray = Transfer { number: 3, to: 9, ..first };
    for transfer in [first, first, too_much, astray] {
        let number = transfer.number;
        match make_surely(&pool, transfer).await {
            Ok(()) => println!("transfer {number} is made"),
            Err(TransactionError::Aborted(Refused::Database(error))) => return Err(error.into()),
            Err(TransactionError::Aborted(refused)) => println!("transfer {number} is refused: {refused}"),
            // Not made, or still not known. Either way the same number can be tried again later.
            Err(error) => return Err(error).with_context(|| format!("transfer {number}")),
        }
    }

    let mut connection = pool.get().await?;
    let accounts = sqlx::query_as("SELECT id, balance FROM accounts ORDER BY id");
    let accounts: Vec<(i32, i32)> = accounts.fetch_all(&mut connection).await?;
    for (id, balance) in accounts {
        println!("account {id}: {balance}");
    }
    connection.execute("DROP TABLE transfers, accounts").await?;
    drop(connection);
    pool.close().await?;
    Ok(())
}

/// Makes the transfer. When the `COMMIT` gets no answer, nobody can know from here whether it is made, and looking for it
/// is not enough, since the server may still be at it: it is made again, and waits for the first one's number.
async fn make_surely(pool: &Pool, transfer: Transfer) -> Result<(), TransactionError<Refused>> {
    let unknown = match make(pool, transfer).await {
        Err(unknown @ TransactionError::Unknown(_)) => unknown,
        known => return known,
    };
    match make(pool, transfer).await {
        Ok(()) | Err(TransactionError::Aborted(Refused::MadeBefore)) => Ok(()),
        // The number was free, so the first one is not made.
        Err(TransactionError::Aborted(refused @ (Refused::NoSuchAccount(_) | Refused::NotEnough { .. }))) => {
            Err(TransactionError::Aborted(refused))
        }
        // Even where this one is not made, the first one may be.
        Err(_) => Err(unknown),
    }
}

async fn make(pool: &Pool, transfer: Transfer) -> Result<(), TransactionError<Refused>> {
    let Transfer { number, from, to, amount } = transfer;
    let made = pool.transaction(|mut tx| async move {
        let insert = sqlx::query("INSERT INTO transfers (number, amount) VALUES (?, ?)").bind(number).bind(amount);
        match insert.execute(&mut tx).await {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => return Err(Refused::MadeBefore),
            inserted => inserted?,
        };
        // Locked in the order of their ids, whoever pays, so that opposite transfers wait and do not deadlock.
        let lock = sqlx::query_as("SELECT id, balance FROM accounts WHERE id IN (?, ?) ORDER BY id FOR UPDATE");
        let accounts: Vec<(i32, i32)> = lock.bind(from).bind(to).fetch_all(&mut tx).await?;
        let find = |id| accounts.iter().find(|account| account.0 == id).ok_or(Refused::NoSuchAccount(id));
        let ((_, balance), _) = (*find(from)?, find(to)?);
        if balance < amount {
            return Err(Refused::NotEnough { balance });
        }
        let update = "UPDATE accounts SET balance = balance + ? WHERE id = ?";
        sqlx::query(update).bind(-amount).bind(from).execute(&mut tx).await?;
        sqlx::query(update).bind(amount).bind(to).execute(&mut tx).await?;
        Ok(())
    });
    made.await.map(drop)
}
