//! `LOAD DATA LOCAL`, through `mysql_async`: what a server offers for many rows at once, and no store uses, since a client that
//! allows it can be asked for its files. Here the server gets what it is to have from memory, whatever it asks for.

use futures_util::{StreamExt, stream};
use mysql_async::{Conn, prelude::Queryable};
use tidb_connect_core::{BoxError, ConnectionConfig, Result, players::NewPlayer};

use super::bare::Bare;
use crate::Operation;

const LOAD_DATA: &str =
    "LOAD DATA LOCAL INFILE 'players' INTO TABLE players CHARACTER SET utf8mb4 (name, coins, goods)";

/// A connection on which all players of an operation are one statement.
pub(super) struct LoadData(Conn);

impl Bare for LoadData {
    const DRIVER: &'static str = Conn::DRIVER;
    const NAME: &'static str = "mysql_async-load-data";

    async fn connect(config: &ConnectionConfig) -> Result<Self, BoxError> {
        <Conn as Bare>::connect(config).await.map(Self)
    }

    async fn operate(&mut self, operation: &Operation) -> Result<(), BoxError> {
        match operation {
            Operation::CreateMany(players) => self.create_many(players).await,
            Operation::Load(load) => {
                let packets = load.batches().map(|players| lines(&players));
                self.load(packets, load.players().count()).await
            }
            _ => Err("LOAD DATA only creates many players".into()),
        }
    }

    async fn create_many(&mut self, players: &[NewPlayer]) -> Result<(), BoxError> {
        self.load([lines(players)], players.len()).await
    }
}

impl LoadData {
    /// Sends `packets`, each made when the one before is on its way.
    async fn load<P>(&mut self, packets: P, rows: usize) -> Result<(), BoxError>
    where
        P: IntoIterator<Item = Vec<u8>, IntoIter: Send + Sync + 'static>,
    {
        let packets = packets.into_iter();
        self.0.set_infile_handler(async move { Ok(stream::iter(packets.map(|lines| Ok(lines.into()))).boxed()) });
        self.0.query_drop(LOAD_DATA).await?;
        // With LOCAL a row that cannot be stored is a warning.
        let stored = self.0.affected_rows();
        if stored == rows as u64 { Ok(()) } else { Err(format!("of {rows} players {stored} are stored").into()) }
    }
}

/// Names of the bench have nothing that would have to be escaped.
fn lines(players: &[NewPlayer]) -> Vec<u8> {
    players.iter().flat_map(|of| format!("{}\t{}\t{}\n", of.name, of.coins, of.goods).into_bytes()).collect()
}
