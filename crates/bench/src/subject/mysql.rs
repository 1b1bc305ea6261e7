//! mysql, bare. It blocks: each task has a thread.

use mysql::{Conn, Pool, Value, prelude::Queryable};
use tidb_connect_core::{
    BoxError, ConnectionConfig, Result,
    players::{Attempt, NewPlayer, PlayerId, sql},
};
use tokio::task::spawn_blocking;

use super::{
    bare::{Bare, HasPool, traded, unreachable},
    found,
};
use crate::Operation;

type Row = (i64, String, i32, i32);

impl Bare for Conn {
    const DRIVER: &'static str = tidb_connect_mysql::DRIVER;
    const BLOCKS: bool = true;

    async fn connect(config: &ConnectionConfig) -> Result<Self, BoxError> {
        let options = tidb_connect_mysql::options(config)?;
        Ok(spawn_blocking(|| Self::new(options)).await??)
    }

    async fn operate(&mut self, operation: &Operation) -> Result<(), BoxError> {
        match operation {
            Operation::Find(id) => found(self.exec_first::<Row, _, _>(sql::FIND, (id.0,))?),
            Operation::FindByName(name) => found(self.exec_first::<Row, _, _>(sql::FIND_BY_NAME, (name,))?),
            Operation::Scan(page) => {
                let mut after = None;
                loop {
                    let rows: Vec<Row> = self.exec(sql::LIST, (sql::after(after), *page))?;
                    after = rows.last().map(|row| PlayerId(row.0)).or(after);
                    if rows.len() < *page as usize {
                        return found(after);
                    }
                }
            }
            Operation::Trade(trade) => {
                let parameters = Attempt::new(*trade)?.parameters().map(Value::from).to_vec();
                self.exec_drop(sql::TRADE, parameters)?;
                traded(self.affected_rows())
            }
            Operation::Create(player) => Ok(self.exec_drop(sql::CREATE, row(player).to_vec())?),
            Operation::CreateMany(players) => self.create_many(players).await,
            Operation::Load(load) => {
                for players in load.batches() {
                    self.create_many(&players).await?;
                }
                Ok(())
            }
        }
    }

    async fn create_many(&mut self, players: &[NewPlayer]) -> Result<(), BoxError> {
        let parameters = players.iter().flat_map(row).collect::<Vec<_>>();
        Ok(self.exec_drop(sql::create_many(players.len()), parameters)?)
    }
}

impl HasPool for Conn {
    type Pool = Pool;

    fn pool(config: &ConnectionConfig) -> Result<Pool> {
        let pool = Pool::new(tidb_connect_mysql::options(config)?);
        pool.map_err(|cause| unreachable(Self::DRIVER, cause.into()))
    }

    async fn operate_pooled(pool: &Pool, operation: &Operation) -> Result<(), BoxError> {
        pool.get_conn()?.as_mut().operate(operation).await
    }
}

fn row(player: &NewPlayer) -> [Value; 3] {
    [player.name.as_str().into(), player.coins.into(), player.goods.into()]
}
