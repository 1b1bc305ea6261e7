//! The same calls through each layer.

use std::future::Future;

use mysql::prelude::Queryable as _;
use mysql_async::prelude::Queryable as _;
use sqlx::{Connection as _, Row as _, mysql::MySqlRow};
use tidb_connect_core::{
    ConnectionConfig,
    players::{LoadError, NewPlayer, Player, PlayerId, PlayerStore, PlayerStoreExt, sql},
};
use tidb_connect_mysql::{BlockingStore, MysqlStore};
use tidb_connect_mysql_async::MysqlAsyncStore;
use tidb_connect_sqlx::SqlxStore;
use tokio::{runtime, time::timeout};

use crate::Result;

pub(crate) const CALLS: [&str; 4] = ["find", "update", "list 100", "list 1000"];

/// How a call is made.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    drivers: &'static [&'static str],
}

const ALL: &[&str] = &["sqlx", "mysql", "mysql_async"];
/// Those that have no time-out for the server's answer.
const ASYNC: &[&str] = &["sqlx", "mysql_async"];

/// The first is what the others are compared with.
pub(crate) const LAYERS: [Layer; 5] = [
    Layer { name: "bare driver", drivers: ALL },
    Layer { name: "bare driver in tokio's timeout", drivers: ASYNC },
    Layer { name: "pool and connection", drivers: ALL },
    Layer { name: "store", drivers: ALL },
    Layer { name: "blocking store", drivers: &["mysql"] },
];

impl Layer {
    pub(crate) fn is_of(&self, driver: &str) -> bool {
        self.drivers.contains(&driver)
    }
}

/// Creates the players that are read.
pub(crate) fn prepare() -> Result<()> {
    block_on(async {
        let store = MysqlAsyncStore::connect(&config()?).await?;
        store.drop_table().await.or_else(|error| match error.kind() {
            tidb_connect_core::ErrorKind::TableMissing => Ok(()),
            _ => Err(error),
        })?;
        store.create_table().await?;
        let players = (1..=1000).map(|number| NewPlayer::new(format!("player_{number:04}"), number, number));
        store.load(players, 500, |_| {}).await.map_err(LoadError::into_cause)?;
        store.close().await?;
        Ok(())
    })
}

fn config() -> Result<ConnectionConfig> {
    Ok(ConnectionConfig::from_env()?)
}

/// On the calling thread, so that no other thread's idling is counted.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

const ID: i64 = 500;

fn limit(call: &str) -> Option<u32> {
    call.strip_prefix("list ").and_then(|limit| limit.parse().ok())
}

/// Makes a call so many times.
pub(crate) fn make(driver: &str, layer: &str, call: &str, times: u32) -> Result<()> {
    match (driver, layer) {
        ("sqlx", "bare driver") => block_on(bare_sqlx(call, times)),
        ("sqlx", "bare driver in tokio's timeout") => block_on(limited_sqlx(call, times)),
        ("sqlx", "pool and connection") => block_on(pooled_sqlx(call, times)),
        ("sqlx", _) => block_on(async { through(&SqlxStore::connect(&config()?).await?, call, times).await }),
        ("mysql", "bare driver") => bare_mysql(call, times),
        ("mysql", "pool and connection") => pooled_mysql(call, times),
        ("mysql", "store") => block_on(async { through(&MysqlStore::connect(&config()?).await?, call, times).await }),
        ("mysql", _) => blocking(call, times),
        (_, "bare driver") => block_on(bare_mysql_async(call, times)),
        (_, "bare driver in tokio's timeout") => block_on(limited_mysql_async(call, times)),
        (_, "pool and connection") => block_on(pooled_mysql_async(call, times)),
        (..) => block_on(async { through(&MysqlAsyncStore::connect(&config()?).await?, call, times).await }),
    }
}

fn changed(number: u32) -> Player {
    NewPlayer::new("player_0500", number as i32, 7).with_id(PlayerId(ID))
}

fn check(found: bool) -> Result<()> {
    if found { Ok(()) } else { Err("the call has found nothing".into()) }
}

async fn through(store: &dyn PlayerStore, call: &str, times: u32) -> Result<()> {
    for number in 0..times {
        match (call, limit(call)) {
            ("find", _) => check(store.find(PlayerId(ID)).await?.is_some())?,
            (_, Some(limit)) => check(store.list(None, limit).await?.len() == limit as usize)?,
            _ => store.update(&changed(number)).await?,
        }
    }
    Ok(store.close().await?)
}

fn blocking(call: &str, times: u32) -> Result<()> {
    let store = BlockingStore::connect(&config()?)?;
    for number in 0..times {
        match (call, limit(call)) {
            ("find", _) => check(store.find(PlayerId(ID))?.is_some())?,
            (_, Some(limit)) => check(store.list(None, limit)?.len() == limit as usize)?,
            _ => store.update(&changed(number))?,
        }
    }
    Ok(store.close()?)
}

/// The four columns as an expert reads them: by index, into what a player is made of.
fn sqlx_player(row: &MySqlRow) -> sqlx::Result<Player> {
    let name: String = row.try_get_unchecked(1)?;
    Ok(NewPlayer::new(name, row.try_get(2)?, row.try_get(3)?).with_id(PlayerId(row.try_get(0)?)))
}

fn player((id, name, coins, goods): (i64, String, i32, i32)) -> Player {
    NewPlayer::new(name, coins, goods).with_id(PlayerId(id))
}

macro_rules! sqlx_call {
    ($connection:expr, $call:expr, $number:expr) => {
        match ($call, limit($call)) {
            ("find", _) => {
                let row = sqlx::query(sql::FIND).bind(ID).fetch_optional($connection).await?;
                check(row.as_ref().map(sqlx_player).transpose()?.is_some())
            }
            (_, Some(limit)) => {
                let rows = sqlx::query(sql::LIST).bind(i64::MIN).bind(limit).fetch_all($connection).await?;
                let players = rows.iter().map(sqlx_player).collect::<sqlx::Result<Vec<_>>>()?;
                check(players.len() == limit as usize)
            }
            _ => {
                let new = changed($number);
                let update = sqlx::query(sql::UPDATE).bind(&new.name).bind(new.coins).bind(new.goods).bind(ID);
                check(update.execute($connection).await?.rows_affected() == 1)
            }
        }
    };
}

async fn bare_sqlx(call: &str, times: u32) -> Result<()> {
    let mut connection = sqlx::MySqlConnection::connect_with(&tidb_connect_sqlx::options(&config()?)?).await?;
    for number in 0..times {
        sqlx_call!(&mut connection, call, number)?;
    }
    Ok(connection.close().await?)
}

async fn limited_sqlx(call: &str, times: u32) -> Result<()> {
    let config = config()?;
    let mut connection = sqlx::MySqlConnection::connect_with(&tidb_connect_sqlx::options(&config)?).await?;
    for number in 0..times {
        let call = async { sqlx_call!(&mut connection, call, number) };
        timeout(config.operation_timeout(), call).await??;
    }
    Ok(connection.close().await?)
}

async fn pooled_sqlx(call: &str, times: u32) -> Result<()> {
    let pool = tidb_connect_sqlx::connect(&config()?).await?;
    for number in 0..times {
        let mut connection = pool.get().await?;
        sqlx_call!(&mut connection, call, number)?;
    }
    Ok(pool.close().await?)
}

/// The statement on a connection of `mysql`; of `mysql_async` with `.await` behind each call.
macro_rules! call {
    ($connection:expr, $call:expr, $number:expr $(, $await:tt)?) => {
        match ($call, limit($call)) {
            ("find", _) => {
                let row: Option<(i64, String, i32, i32)> = $connection.exec_first(sql::FIND, (ID,))$(.$await)??;
                check(row.map(player).is_some())
            }
            (_, Some(limit)) => {
                let rows: Vec<(i64, String, i32, i32)> = $connection.exec(sql::LIST, (i64::MIN, limit))$(.$await)??;
                check(rows.into_iter().map(player).collect::<Vec<_>>().len() == limit as usize)
            }
            _ => {
                let new = changed($number);
                let values = (&new.name, new.coins, new.goods, ID);
                $connection.exec_drop(sql::UPDATE, values)$(.$await)??;
                check($connection.affected_rows() == 1)
            }
        }
    };
}

fn bare_mysql(call: &str, times: u32) -> Result<()> {
    let mut connection = mysql::Conn::new(tidb_connect_mysql::options(&config()?)?)?;
    for number in 0..times {
        call!(connection, call, number)?;
    }
    Ok(())
}

fn pooled_mysql(call: &str, times: u32) -> Result<()> {
    let pool = tidb_connect_mysql::connect(&config()?)?;
    for number in 0..times {
        let mut connection = pool.get()?;
        call!(connection, call, number)?;
    }
    Ok(pool.close()?)
}

async fn bare_mysql_async(call: &str, times: u32) -> Result<()> {
    let mut connection = mysql_async::Conn::new(tidb_connect_mysql_async::options(&config()?)?).await?;
    for number in 0..times {
        call!(connection, call, number, await)?;
    }
    Ok(connection.disconnect().await?)
}

async fn limited_mysql_async(call: &str, times: u32) -> Result<()> {
    let config = config()?;
    let mut connection = mysql_async::Conn::new(tidb_connect_mysql_async::options(&config)?).await?;
    for number in 0..times {
        let call = async { call!(connection, call, number, await) };
        timeout(config.operation_timeout(), call).await??;
    }
    Ok(connection.disconnect().await?)
}

async fn pooled_mysql_async(call: &str, times: u32) -> Result<()> {
    let pool = tidb_connect_mysql_async::connect(&config()?).await?;
    for number in 0..times {
        let mut connection = pool.get().await?;
        call!(connection, call, number, await)?;
    }
    Ok(pool.close().await?)
}
