//! How the driver crate connects, checked on servers with and without TLS.

use std::{convert::Infallible, process::ExitCode};

use tidb_connect_mysql::{DRIVER, MysqlStore, connect, mysql::prelude::Queryable};
use tidb_connect_testkit::tls::{self, CIPHER, Seen, shown};

fn main() -> ExitCode {
    tls::run(
        DRIVER,
        |config| Box::pin(async move { Ok(Box::new(connect(&config)?) as _) }),
        |config| {
            Box::pin(async move {
                let (pool, store) = (connect(&config)?, MysqlStore::connect(&config).await?);
                let mut connection = pool.get()?;
                let (_, cipher): (String, String) = connection.query_first(CIPHER).expect("an answer").expect("a row");
                let transaction = pool.transaction(|tx| Ok::<_, Infallible>(shown(tx)));
                let transaction = transaction.expect("nothing in it fails").value;
                Ok(Seen { cipher, shown: vec![shown(&pool), shown(&connection), shown(&store), transaction] })
            })
        },
        |config, between| {
            Box::pin(async move {
                let pool = connect(&config)?;
                let _first = pool.get()?;
                between();
                pool.get()?;
                Ok(())
            })
        },
    )
}
