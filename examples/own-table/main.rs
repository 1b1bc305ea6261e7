//! A table of your own through sqlx: connect, insert, query, update, delete.
//!
//! Run it with `just playground -- cargo run -p example-own-table`, or with TIDB_HOST and the others set.

use tidb_connect_sqlx::{
    ConnectionConfig, connect,
    sqlx::{self, Executor},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = connect(&ConnectionConfig::from_env()?).await?;
    let mut connection = pool.get().await?;
    connection
        .execute("CREATE TABLE books (id BIGINT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(99), price INT)")
        .await?;

    let insert = sqlx::query("INSERT INTO books (title, price) VALUES (?, ?)").bind("TiDB in Action").bind(30);
    let id = insert.execute(&mut connection).await?.last_insert_id();

    let select = sqlx::query_as("SELECT title, price FROM books WHERE id = ?").bind(id);
    let (title, price): (String, i32) = select.fetch_one(&mut connection).await?;
    println!("{title} costs {price}");

    let update = sqlx::query("UPDATE books SET price = ? WHERE id = ?").bind(25).bind(id);
    println!("{} row found and updated", update.execute(&mut connection).await?.rows_affected());

    let delete = sqlx::query("DELETE FROM books WHERE id = ?").bind(id);
    println!("{} row deleted", delete.execute(&mut connection).await?.rows_affected());

    connection.execute("DROP TABLE books").await?;
    drop(connection);
    pool.close().await?;
    Ok(())
}
