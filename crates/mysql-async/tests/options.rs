//! The tuned options, in a pool of the driver's own.

use mysql_async::{Pool, prelude::Queryable};
use tidb_connect_core::ConnectionConfig;
use tidb_connect_mysql_async::options;

#[tokio::test]
async fn a_pool_of_the_drivers_own_keeps_its_connections() {
    let config = ConnectionConfig::from_env().unwrap();
    let one = config.pool().clone().with_max_connections(1);
    let pool = Pool::new(options(&config.with_pool(one)).unwrap());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut connection = pool.get_conn().await.unwrap();
        let id: Option<u64> = connection.query_first("SELECT CONNECTION_ID()").await.unwrap();
        ids.push(id.unwrap());
    }
    pool.disconnect().await.unwrap();
    assert_eq!(ids, [ids[0]; 3], "each use opened a connection of its own");
}
