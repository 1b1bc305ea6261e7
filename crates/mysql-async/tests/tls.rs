//! How the driver crate connects, checked on servers with and without TLS.

use std::{convert::Infallible, process::ExitCode};

use tidb_connect_mysql_async::{DRIVER, MysqlAsyncStore, connect, mysql_async::prelude::Queryable};
use tidb_connect_testkit::tls::{self, CIPHER, Seen, shown};

fn main() -> ExitCode {
    tls::run(
        DRIVER,
        |config| Box::pin(async move { Ok(Box::new(connect(&config).await?) as _) }),
        |config| {
            Box::pin(async move {
                let (pool, store) = (connect(&config).await?, MysqlAsyncStore::connect(&config).await?);
                let mut connection = pool.get().await?;
                let (_, cipher): (String, String) =
                    connection.query_first(CIPHER).await.expect("an answer").expect("a row");
                let transaction = pool.transaction(|tx| async move { Ok::<_, Infallible>(shown(&tx)) }).await;
                let transaction = transaction.expect("nothing in it fails").value;
                Ok(Seen { cipher, shown: vec![shown(&pool), shown(&connection), shown(&store), transaction] })
            })
        },
        |config, between| {
            Box::pin(async move {
                let pool = connect(&config).await?;
                let _first = pool.get().await?;
                between();
                pool.get().await?;
                Ok(())
            })
        },
    )
}
