//! sqlx: from a prepared statement, a zero date is NULL in a column that is NOT NULL, and a `String` of a zero byte.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, process::ExitCode};

use sqlx::{Connection, Executor, MySqlConnection, Row};

const SELECT: &str = "SELECT day FROM zero_date";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut connection = MySqlConnection::connect(&url).await?;
    connection.execute("DROP TABLE IF EXISTS zero_date").await?;
    connection.execute("CREATE TABLE zero_date (day DATE NOT NULL)").await?;
    connection.execute("INSERT IGNORE INTO zero_date VALUES ('0000-00-00')").await?;
    let prepared = sqlx::query(SELECT).fetch_one(&mut connection).await?;
    connection.execute("DROP TABLE zero_date").await?;

    let string = prepared.try_get::<String, _>(0);
    let option = prepared.try_get::<Option<String>, _>(0);
    println!(
        "expected: a String is an error, as of any other DATE, or 0000-00-00; an Option of a column NOT NULL is not None"
    );
    println!("happens:  String: {string:?}, Option: {option:?}");
    let wrong = string.is_ok_and(|day| day != "0000-00-00") || matches!(option, Ok(None));
    Ok(if wrong { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
