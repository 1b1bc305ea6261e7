//! sqlx, bare.

use sqlx::{
    Connection as _, MySqlConnection, MySqlPool, Row as _,
    mysql::{MySqlPoolOptions, MySqlRow},
};
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

/// The name unchecked, because some servers call it binary.
fn row(row: MySqlRow) -> sqlx::Result<Row> {
    Ok((row.try_get(0)?, row.try_get_unchecked(1)?, row.try_get(2)?, row.try_get(3)?))
}

impl Bare for MySqlConnection {
    const DRIVER: &'static str = tidb_connect_sqlx::DRIVER;

    async fn connect(config: &ConnectionConfig) -> Result<Self, BoxError> {
        Ok(Self::connect_with(&tidb_connect_sqlx::options(config)?).await?)
    }

    async fn operate(&mut self, operation: &Operation) -> Result<(), BoxError> {
        match operation {
            Operation::Find(id) => found(sqlx::query(sql::FIND).bind(id.0).try_map(row).fetch_optional(self).await?),
            Operation::FindByName(name) => {
                found(sqlx::query(sql::FIND_BY_NAME).bind(name).try_map(row).fetch_optional(self).await?)
            }
            Operation::Scan(page) => {
                let mut after = None;
                loop {
                    let list = sqlx::query(sql::LIST).bind(sql::after(after)).bind(page).try_map(row);
                    let rows = list.fetch_all(&mut *self).await?;
                    after = rows.last().map(|row| PlayerId(row.0)).or(after);
                    if rows.len() < *page as usize {
                        return found(after);
                    }
                }
            }
            Operation::Trade(trade) => {
                let parameters = Attempt::new(*trade)?.parameters();
                let trade = parameters.into_iter().fold(sqlx::query(sql::TRADE), |trade, value| trade.bind(value));
                traded(trade.execute(self).await?.rows_affected())
            }
            Operation::Create(player) => {
                let create = sqlx::query(sql::CREATE).bind(&player.name).bind(player.coins).bind(player.goods);
                Ok(create.execute(self).await.map(drop)?)
            }
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
        let text = sql::create_many(players.len());
        let create = players
            .iter()
            .fold(sqlx::query(&text), |create, player| create.bind(&player.name).bind(player.coins).bind(player.goods));
        Ok(create.execute(self).await.map(drop)?)
    }
}

impl HasPool for MySqlConnection {
    type Pool = MySqlPool;

    fn pool(config: &ConnectionConfig) -> Result<MySqlPool> {
        let size = u32::try_from(config.pool().max_connections()).unwrap_or(u32::MAX);
        Ok(MySqlPoolOptions::new().max_connections(size).connect_lazy_with(tidb_connect_sqlx::options(config)?))
    }

    async fn operate_pooled(pool: &MySqlPool, operation: &Operation) -> Result<(), BoxError> {
        pool.acquire().await?.operate(operation).await
    }
}
