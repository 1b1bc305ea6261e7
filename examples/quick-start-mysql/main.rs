//! Quick start with mysql: connect, create a table, insert in bulk, query, update in a transaction, delete.
//!
//! Run it with `just playground -- cargo run -p example-quick-start-mysql`, or with TIDB_HOST and the others set.

use tidb_connect_mysql::{
    ConnectionConfig, connect,
    mysql::{Value, prelude::*},
};

fn main() -> anyhow::Result<()> {
    // Connect: TIDB_HOST, TIDB_PORT, TIDB_USER, TIDB_PASSWORD, TIDB_DB_NAME and CA_PATH say where and as whom.
    let pool = connect(&ConnectionConfig::from_env()?)?;
    let mut connection = pool.get()?;

    // Create a table. Where there is one of that name, this is an error and leaves it alone.
    let create = "CREATE TABLE quick_start (
        id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(32) NOT NULL UNIQUE, coins INT NOT NULL)";
    connection.query_drop(create)?;

    // Insert in bulk: all rows in one statement, where `exec_batch` would make a round trip for each.
    let players = [("ann", 100), ("bob", 50), ("cid", 0)];
    let rows = vec!["(?, ?)"; players.len()].join(", ");
    let values: Vec<Value> = players.iter().flat_map(|(name, coins)| [name.into(), coins.into()]).collect();
    connection.exec_drop(format!("INSERT INTO quick_start (name, coins) VALUES {rows}"), values)?;
    let inserted = connection.affected_rows();
    println!("{inserted} players inserted");

    // Query one row, which may not be there.
    let one = "SELECT coins FROM quick_start WHERE name = ?";
    let coins: Option<i32> = connection.exec_first(one, ("ann",))?;
    match coins {
        Some(coins) => println!("ann has {coins} coins"),
        None => println!("there is no ann"),
    }
    drop(connection);

    // Update in a transaction. All of the closure runs again on a conflict, so nothing but statements belongs in it.
    let update = "UPDATE quick_start SET coins = coins + ? WHERE name = ?";
    pool.transaction(|tx| {
        tx.exec_drop(update, (-30, "ann"))?;
        tx.exec_drop(update, (30, "bob"))
    })?;

    // Query many rows, and say in what order: TiDB's ids are unique, but neither consecutive nor in order of insertion.
    let mut connection = pool.get()?;
    let all = "SELECT name, coins FROM quick_start ORDER BY name";
    let players: Vec<(String, i32)> = connection.query(all)?;
    for (name, coins) in players {
        println!("{name}: {coins} coins");
    }

    // Delete.
    connection.query_drop("DELETE FROM quick_start WHERE coins = 0")?;
    let deleted = connection.affected_rows();
    println!("{deleted} player deleted");

    connection.query_drop("DROP TABLE quick_start")?;
    drop(connection);
    pool.close()?;
    Ok(())
}
