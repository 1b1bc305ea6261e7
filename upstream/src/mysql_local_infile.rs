//! mysql: without a handler, `LOAD DATA LOCAL INFILE` uploads an empty file, and succeeds.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{env, error::Error, fs, process, process::ExitCode};

use mysql::{Conn, Opts, OptsBuilder, prelude::Queryable};

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut connection = Conn::new(OptsBuilder::from_opts(Opts::from_url(&url)?).prefer_socket(false))?;
    connection.query_drop("CREATE TABLE IF NOT EXISTS local_infile (id INT)")?;
    connection.query_drop("DELETE FROM local_infile")?;
    let file = env::temp_dir().join(format!("local_infile_{}", process::id()));
    fs::write(&file, "1\n2\n")?;

    let load = format!("LOAD DATA LOCAL INFILE '{}' INTO TABLE local_infile", file.display());
    let loaded = connection.query_drop(load);
    let rows: Option<u64> = connection.query_first("SELECT COUNT(*) FROM local_infile")?;
    connection.query_drop("DROP TABLE local_infile")?;
    fs::remove_file(&file)?;

    println!("expected: an error, for there is no handler, or the file's 2 rows, as the documentation has it");
    println!("happens:  {loaded:?}, and {} rows", rows.unwrap_or_default());
    Ok(if loaded.is_ok() && rows == Some(0) { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
