//! A store of your own, here one that counts the calls of another (`lib.rs`), and how it is checked that it keeps the
//! contract of `PlayerStore`: `conformance.rs` hands it to the testkit.
//!
//! Run it with `cargo run -p example-custom-store`, its checks with `cargo test -p example-custom-store`. Neither needs a
//! server, since the store below is the in-memory one; any driver's can take its place.

use counted::Counted;
use tidb_connect_core::players::{MemoryStore, NewPlayer, PlayerStore, PlayerStoreExt};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let store = Counted::new(MemoryStore::new());
    store.create_table().await?;
    let players = (0..200).map(|number| NewPlayer::new(format!("player_{number}"), 10_000, 100));
    // What is built on a store's methods comes with them.
    let stored = store.load(players, 50, |_| ()).await?;
    println!("{stored} players are stored");
    store.drop_table().await?;
    store.close().await?;
    for (method, calls) in store.calls() {
        println!("{method}: {calls}");
    }
    Ok(())
}
