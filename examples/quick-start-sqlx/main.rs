//! Quick start with sqlx: connect, create a table, insert in bulk, query, update in a transaction, delete.
//!
//! Run it with `just playground -- cargo run -p example-quick-start-sqlx`, or with TIDB_HOST and the others set.

use tidb_connect_sqlx::{
    ConnectionConfig, connect,
    sqlx::{self, Executor, QueryBuilder},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Connect: TIDB_HOST, TIDB_PORT, TIDB_USER, TIDB_PASSWORD, TIDB_DB_NAME and CA_PATH say where and as whom.
    let pool = connect(&ConnectionConfig::from_env()?).await?;
    let mut connection = pool.get().await?;

    // Create a table. Where there is one of that name, this is an error and leaves it alone.
    let create = "CREATE TABLE quick_start (
        id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(32) NOT NULL UNIQUE, coins INT NOT NULL)";
    connection.execute(create).await?;

    // Insert in bulk: all rows in one statement.
    let players = [("ann", 100), ("bob", 50), ("cid", 0)];
    let mut insert = QueryBuilder::new("INSERT INTO quick_start (name, coins) ");
    insert.push_values(players, |mut row, (name, coins)| {
        row.push_bind(name).push_bind(coins);
    });
    let inserted = insert.build().execute(&mut connection).await?.rows_affected();
    println!("{inserted} players inserted");

    // Query one row, which may not be there.
    let one = sqlx::query_scalar("SELECT coins FROM quick_start WHERE name = ?").bind("ann");
    let coins: Option<i32> = one.fetch_optional(&mut connection).await?;
    match coins {
        Some(coins) => println!("ann has {coins} coins"),
        None => println!("there is no ann"),
    }
    drop(connection);

    // Update in a transaction. All of the closure runs again on a conflict, so nothing but statements belongs in it.
    let update = "UPDATE quick_start SET coins = coins + ? WHERE name = ?";
    pool.transaction(|mut tx| async move {
        sqlx::query(update).bind(-30).bind("ann").execute(&mut tx).await?;
        sqlx::query(update).bind(30).bind("bob").execute(&mut tx).await
    })
    .await?;

    // Query many rows, and say in what order: TiDB's ids are unique, but neither consecutive nor in order of insertion.
    let mut connection = pool.get().await?;
    let all = sqlx::query_as("SELECT name, coins FROM quick_start ORDER BY name");
    let players: Vec<(String, i32)> = all.fetch_all(&mut connection).await?;
    for (name, coins) in players {
        println!("{name}: {coins} coins");
    }

    // Delete.
    let deleted = connection.execute("DELETE FROM quick_start WHERE coins = 0").await?.rows_affected();
    println!("{deleted} player deleted");

    connection.execute("DROP TABLE quick_start").await?;
    drop(connection);
    pool.close().await?;
    Ok(())
}
