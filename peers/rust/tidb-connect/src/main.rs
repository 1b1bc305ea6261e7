//! The three stores of tidb-connect.

use std::{env, process::ExitCode, sync::Arc, time::Instant};

use peer_worker::{NewPlayer, Peer, Player, Result, Server, Trade, serve};
use tidb_connect_core::{
    ConnectionConfig, ErrorKind, TlsMode,
    players::{self, Batches, PlayerId, PlayerStore, PlayerStoreExt as _},
};
use tidb_connect_mysql::MysqlStore;
use tidb_connect_mysql_async::MysqlAsyncStore;
use tidb_connect_sqlx::SqlxStore;

fn main() -> ExitCode {
    let version = concat!("tidb-connect ", env!("CARGO_PKG_VERSION"));
    match env::args().nth(1).as_deref() {
        Some("sqlx") => serve(version, async |server| Players::over(SqlxStore::connect(&config(server)).await?)),
        Some("mysql") => serve(version, async |server| Players::over(MysqlStore::connect(&config(server)).await?)),
        Some("mysql_async") => {
            serve(version, async |server| Players::over(MysqlAsyncStore::connect(&config(server)).await?))
        }
        _ => ExitCode::FAILURE,
    }
}

fn config(server: Server) -> ConnectionConfig {
    let config = ConnectionConfig::new();
    let pool = config.pool().clone().with_max_connections(server.pool);
    config
        .with_host(server.host)
        .with_port(server.port)
        .with_user(server.user)
        .with_password(server.password)
        .with_database(server.database)
        .with_tls(TlsMode::Disabled)
        .with_pool(pool)
}

#[derive(Clone)]
struct Players(Arc<dyn PlayerStore>);

impl Players {
    fn over(store: impl PlayerStore) -> Result<Self> {
        Ok(Self(Arc::new(store)))
    }
}

fn new(player: NewPlayer) -> players::NewPlayer {
    players::NewPlayer { name: player.name, coins: player.coins, goods: player.goods }
}

fn found(player: players::Player) -> Player {
    Player { id: player.id.0, name: player.name, coins: player.coins, goods: player.goods }
}

impl Peer for Players {
    async fn create_table(&self) -> Result<()> {
        Ok(self.0.create_table().await?)
    }

    async fn drop_table(&self) -> Result<()> {
        Ok(self.0.drop_table().await?)
    }

    async fn create(&self, player: NewPlayer) -> Result<i64> {
        Ok(self.0.create(&new(player)).await?.id.0)
    }

    async fn create_many(&self, players: Vec<NewPlayer>) -> Result<()> {
        self.0.create_many(&Vec::from_iter(players.into_iter().map(new))).await?;
        Ok(())
    }

    async fn load(
        &self,
        rows: Box<dyn Iterator<Item = NewPlayer> + Send>,
        batch: usize,
        at_once: usize,
        deadline: Instant,
    ) -> Result<u64> {
        let rows = rows.map(new).take_while(|_| Instant::now() < deadline);
        Ok(self.0.load(rows, Batches::of(batch).in_flight(at_once), |_| {}).await?)
    }

    async fn find(&self, id: i64) -> Result<Option<Player>> {
        Ok(self.0.find(PlayerId(id)).await?.map(found))
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        Ok(self.0.find_by_name(name).await?.map(found))
    }

    async fn list(&self, limit: u32) -> Result<Vec<Player>> {
        Ok(self.0.list(None, limit).await?.into_iter().map(found).collect())
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.0.count().await?)
    }

    async fn trade(&self, Trade { buyer, seller, goods, price }: Trade) -> Result<bool> {
        let trade = players::Trade { buyer: PlayerId(buyer), seller: PlayerId(seller), goods, price };
        match self.0.trade(&trade).await {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::InsufficientCoins | ErrorKind::InsufficientGoods) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn close(self) -> Result<()> {
        Ok(self.0.close().await?)
    }
}
