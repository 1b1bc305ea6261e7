//! mysql: the name of a parameter ends before a capital letter, and a name right behind a minus or a slash is not seen.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{env, error::Error, process::ExitCode};

use mysql::{Conn, Opts, OptsBuilder, params, prelude::Queryable};

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut connection = Conn::new(OptsBuilder::from_opts(Opts::from_url(&url)?).prefer_socket(false))?;
    let plain: Option<i64> = connection.exec_first("SELECT 10 - :price", params! { "price" => 3 })?;
    let capital: mysql::Result<Option<i64>> =
        connection.exec_first("SELECT 10 - :itemPrice", params! { "itemPrice" => 3 });
    let minus: mysql::Result<Option<i64>> = connection.exec_first("SELECT 10-:price", params! { "price" => 3 });

    println!("expected: {plain:?}, as for 10 - :price");
    println!("happens:  10 - :itemPrice: {capital:?}");
    println!("happens:  10-:price: {minus:?}");
    let right = [capital, minus].iter().all(|result| matches!(result, Ok(value) if *value == plain));
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
