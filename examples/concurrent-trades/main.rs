//! Many tasks, one store: trades of the same two players at once, through mysql_async, with nothing lost or minted.
//!
//! Run it with `just playground -- cargo run -p example-concurrent-trades`, or with TIDB_HOST and the others set.

use std::sync::Arc;

use tidb_connect_mysql_async::{
    ConnectionConfig, ErrorKind, MysqlAsyncStore,
    tidb_connect_core::players::{NewPlayer, PlayerStore, Trade},
};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // `dyn`, so that nothing below knows the driver.
    let store: Arc<dyn PlayerStore> = Arc::new(MysqlAsyncStore::connect(&ConnectionConfig::from_env()?).await?);
    store.create_table().await?;
    let one = store.create(&NewPlayer::new("one", 1_000, 1_000)).await?.id;
    let two = store.create(&NewPlayer::new("two", 1_000, 1_000)).await?.id;

    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let store = Arc::clone(&store);
        let (buyer, seller) = if number % 2 == 0 { (one, two) } else { (two, one) };
        tasks.spawn(async move {
            for price in 1..=25 {
                // Conflicts are tried again within; what is left is a refusal or a real failure.
                match store.trade(&Trade { buyer, seller, goods: 1, price }).await {
                    Err(error) if error.kind() == ErrorKind::InsufficientCoins => {}
                    made => made?,
                }
            }
            Ok::<_, tidb_connect_mysql_async::Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }

    let players = store.list(None, 2).await?;
    let (coins, goods) = players.iter().fold((0, 0), |sums, player| (sums.0 + player.coins, sums.1 + player.goods));
    println!("200 trades, made or refused: together {coins} coins and {goods} goods, as at the start");
    store.drop_table().await?;
    store.close().await?;
    Ok(())
}
