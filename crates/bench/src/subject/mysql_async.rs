//! mysql_async, bare.

use mysql_async::{Conn, Pool, Value, prelude::Queryable};
use tidb_connect_core::{
    BoxError, ConnectionConfig, Result,
    players::{Attempt, NewPlayer, PlayerId, sql},
};

use super::{
    bare::{Bare, HasPool, traded},
    found,
};
use crate::Operation;

type Row = (i64, String, i32, i32);

impl Bare for Conn {
    const DRIVER: &'static str = tidb_connect_mysql_async::DRIVER;

    async fn connect(config: &ConnectionConfig) -> Result<Self, BoxError> {
        Ok(Self::new(tidb_connect_mysql_async::options(config)?).await?)
    }

    async fn operate(&mut self, operation: &Operation) -> Result<(), BoxError> {
        match operation {
            Operation::Find(id) => found(self.exec_first::<Row, _, _>(sql::FIND, (id.0,)).await?),
            Operation::FindByName(name) => found(self.exec_first::<Row, _, _>(sql::FIND_BY_NAME, (name,)).await?),
            Operation::Scan(page) => {
                let mut after = None;
                loop {
                    let rows: Vec<Row> = self.exec(sql::LIST, (sql::after(after), *page)).await?;
                    after = rows.last().map(|row| PlayerId(row.0)).or(after);
                    if rows.len() < *page as usize {
                        return found(after);
                    }
                }
            }
            Operation::Trade(trade) => {
                let parameters = Attempt::new(*trade)?.parameters().map(Value::from).to_vec();
                self.exec_drop(sql::TRADE, parameters).await?;
                traded(self.affected_rows())
            }
            Operation::Create(player) => Ok(self.exec_drop(sql::CREATE, row(player).to_vec()).await?),
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
        Ok(self.exec_drop(sql::create_many(players.len()), parameters).await?)
    }
}

impl HasPool for Conn {
    type Pool = Pool;

    fn pool(config: &ConnectionConfig) -> Result<Pool> {
        Ok(Pool::new(tidb_connect_mysql_async::options(config)?))
    }

    async fn operate_pooled(pool: &Pool, operation: &Operation) -> Result<(), BoxError> {
        pool.get_conn().await?.operate(operation).await
    }
}

fn row(player: &NewPlayer) -> [Value; 3] {
    [player.name.as_str().into(), player.coins.into(), player.goods.into()]
}
