//! The pools of the drivers, and those of this workspace's crates, used alike.

use mysql::prelude::Queryable as _;
use mysql_async::prelude::Queryable as _;
use sqlx::{
    Executor as _, MySql, MySqlPool, Row as _,
    mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlRow},
    pool::PoolConnection,
};
use tidb_connect_core::{BoxError, ConnectionConfig, pool::PoolPolicy};

use crate::{
    Driver,
    lab::{blocking, mysql_async_options, mysql_options, sqlx_options},
};

/// A pool, of a driver or of this workspace's crate for it.
#[derive(Clone, Debug)]
pub(in crate::probes) enum Pool {
    Sqlx(MySqlPool),
    Mysql(mysql::Pool),
    MysqlAsync(mysql_async::Pool),
    OurSqlx(tidb_connect_sqlx::Pool),
    OurMysql(tidb_connect_mysql::Pool),
    OurMysqlAsync(tidb_connect_mysql_async::Pool),
}

/// A connection on loan from a [`Pool`].
#[derive(Debug)]
pub(in crate::probes) enum Connection {
    Sqlx(PoolConnection<MySql>),
    /// `None` while a statement runs on it.
    Mysql(Option<mysql::PooledConn>),
    MysqlAsync(mysql_async::Conn),
    OurSqlx(tidb_connect_sqlx::Connection),
    /// `None` while a statement runs on it.
    OurMysql(Option<tidb_connect_mysql::Connection>),
    OurMysqlAsync(tidb_connect_mysql_async::Connection),
}

/// A driver's options.
#[derive(Clone, Debug)]
pub(in crate::probes) enum Options {
    Sqlx(Box<MySqlConnectOptions>),
    Mysql(mysql::OptsBuilder),
    MysqlAsync(Box<mysql_async::OptsBuilder>),
}

impl Options {
    /// With nothing set but where the server is.
    pub(in crate::probes) fn as_it_comes(driver: Driver, config: &ConnectionConfig) -> Self {
        match driver {
            Driver::Sqlx => Self::Sqlx(sqlx_options(config).into()),
            Driver::Mysql => Self::Mysql(mysql_options(config)),
            Driver::MysqlAsync => Self::MysqlAsync(mysql_async_options(config).into()),
        }
    }
}

impl Pool {
    /// The driver's pool as it comes, but of at most `max` connections.
    pub(in crate::probes) async fn as_it_comes(
        driver: Driver,
        config: &ConnectionConfig,
        max: u32,
    ) -> Result<Self, BoxError> {
        Self::of(Options::as_it_comes(driver, config), max).await
    }

    /// The driver's pool with these options, of at most `max` connections. Opens none before it has to.
    pub(in crate::probes) async fn of(options: Options, max: u32) -> Result<Self, BoxError> {
        Ok(match options {
            Options::Sqlx(options) => {
                Self::Sqlx(MySqlPoolOptions::new().max_connections(max).connect_lazy_with(*options))
            }
            Options::Mysql(options) => {
                let few = mysql::PoolConstraints::new(0, max as usize).unwrap_or_default();
                let options = options.pool_opts(mysql::PoolOpts::default().with_constraints(few));
                Self::Mysql(blocking(move || Ok(mysql::Pool::new(options)?)).await?)
            }
            Options::MysqlAsync(options) => {
                // The lower number, 10 as it comes, is how many it keeps.
                let few = mysql_async::PoolConstraints::new(max.min(10) as usize, max as usize).unwrap_or_default();
                let few = mysql_async::PoolOpts::default().with_constraints(few);
                Self::MysqlAsync(mysql_async::Pool::new(options.pool_opts(few)))
            }
        })
    }

    /// The pool of this workspace's crate for the driver.
    pub(in crate::probes) fn ours(
        driver: Driver,
        config: &ConnectionConfig,
        policy: PoolPolicy,
    ) -> Result<Self, BoxError> {
        let config = config.clone().with_pool(policy);
        Ok(match driver {
            Driver::Sqlx => Self::OurSqlx(tidb_connect_sqlx::Pool::new(&config)?),
            Driver::Mysql => Self::OurMysql(tidb_connect_mysql::Pool::new(&config)?),
            Driver::MysqlAsync => Self::OurMysqlAsync(tidb_connect_mysql_async::Pool::new(&config)?),
        })
    }

    /// Takes a connection.
    pub(in crate::probes) async fn get(&self) -> Result<Connection, BoxError> {
        Ok(match self {
            Self::Sqlx(pool) => Connection::Sqlx(pool.acquire().await?),
            Self::Mysql(pool) => {
                let pool = pool.clone();
                Connection::Mysql(Some(blocking(move || Ok(pool.get_conn()?)).await?))
            }
            Self::MysqlAsync(pool) => Connection::MysqlAsync(pool.get_conn().await?),
            Self::OurSqlx(pool) => Connection::OurSqlx(pool.get().await?),
            Self::OurMysql(pool) => {
                let pool = pool.clone();
                Connection::OurMysql(Some(blocking(move || Ok(pool.get()?)).await?))
            }
            Self::OurMysqlAsync(pool) => Connection::OurMysqlAsync(pool.get().await?),
        })
    }

    /// Takes that many connections, and gives them back.
    pub(in crate::probes) async fn warm(&self, connections: usize) -> Result<(), BoxError> {
        let mut taken = Vec::new();
        for _ in 0..connections {
            taken.push(self.get().await?);
        }
        for connection in taken {
            connection.give_back().await?;
        }
        Ok(())
    }

    /// Closes the pool, as far as it can be closed.
    pub(in crate::probes) async fn close(self) -> Result<(), BoxError> {
        match self {
            Self::Sqlx(pool) => pool.close().await,
            // All that can be done is to drop it.
            Self::Mysql(pool) => {
                blocking(move || {
                    drop(pool);
                    Ok(())
                })
                .await?;
            }
            Self::MysqlAsync(pool) => pool.disconnect().await?,
            Self::OurSqlx(pool) => pool.close().await?,
            Self::OurMysql(pool) => blocking(move || Ok(pool.close()?)).await?,
            Self::OurMysqlAsync(pool) => pool.close().await?,
        }
        Ok(())
    }
}

impl Connection {
    /// Runs a statement as text: the first value of its first row, empty where there is none.
    pub(in crate::probes) async fn text(&mut self, statement: &'static str) -> Result<String, BoxError> {
        Ok(match self {
            Self::Sqlx(connection) => shown(connection.fetch_optional(statement).await?)?,
            Self::OurSqlx(connection) => shown(connection.fetch_optional(statement).await?)?,
            Self::Mysql(connection) => on_thread(connection, move |it| Ok(first(it.query_first(statement)?))).await?,
            Self::OurMysql(connection) => {
                on_thread(connection, move |it| Ok(first(it.query_first(statement)?))).await?
            }
            Self::MysqlAsync(connection) => first(connection.query_first(statement).await?),
            Self::OurMysqlAsync(connection) => first(connection.query_first(statement).await?),
        })
    }

    /// Runs a prepared statement whose rows do not matter.
    pub(in crate::probes) async fn prepared(&mut self, statement: &'static str) -> Result<(), BoxError> {
        match self {
            Self::Sqlx(connection) => {
                sqlx::query(statement).execute(&mut **connection).await?;
            }
            Self::OurSqlx(connection) => {
                sqlx::query(statement).execute(connection).await?;
            }
            Self::Mysql(connection) => on_thread(connection, move |it| Ok(it.exec_drop(statement, ())?)).await?,
            Self::OurMysql(connection) => on_thread(connection, move |it| Ok(it.exec_drop(statement, ())?)).await?,
            Self::MysqlAsync(connection) => connection.exec_drop(statement, ()).await?,
            Self::OurMysqlAsync(connection) => connection.exec_drop(statement, ()).await?,
        }
        Ok(())
    }

    /// Gives it back to its pool, and asks that for another, with nothing in between.
    pub(in crate::probes) async fn give_back_for_another(self, pool: &Pool) -> Result<Self, BoxError> {
        match pool.clone() {
            Pool::Mysql(pool) => {
                let another = move || {
                    drop(self);
                    Ok(Self::Mysql(Some(pool.get_conn()?)))
                };
                blocking(another).await
            }
            Pool::OurMysql(pool) => {
                let another = move || {
                    drop(self);
                    Ok(Self::OurMysql(Some(pool.get()?)))
                };
                blocking(another).await
            }
            pool => {
                drop(self);
                pool.get().await
            }
        }
    }

    /// Gives it back to the pool, for which blocking drivers wait for the server.
    pub(in crate::probes) async fn give_back(self) -> Result<(), BoxError> {
        match self {
            Self::Mysql(_) | Self::OurMysql(_) => {
                blocking(move || {
                    drop(self);
                    Ok(())
                })
                .await
            }
            _ => Ok(()),
        }
    }
}

/// Takes the connection along to a thread that may wait; it is lost where nobody waits for that.
async fn on_thread<C: Send + 'static, T: Send + 'static>(
    connection: &mut Option<C>,
    work: impl FnOnce(&mut C) -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    let mut taken = connection.take().ok_or("a statement was given up on the connection")?;
    let (taken, result) = blocking(move || {
        let result = work(&mut taken);
        Ok((taken, result))
    })
    .await?;
    *connection = Some(taken);
    result
}

fn shown(row: Option<MySqlRow>) -> Result<String, BoxError> {
    let value =
        row.filter(|row| !row.is_empty()).map(|row| row.try_get_unchecked::<Option<String>, _>(0)).transpose()?;
    Ok(value.flatten().unwrap_or_default())
}

fn first(row: Option<mysql::Row>) -> String {
    match row.and_then(|mut row| row.take(0)) {
        None | Some(mysql::Value::NULL) => String::new(),
        Some(mysql::Value::Bytes(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Some(other) => other.as_sql(true),
    }
}

/// The default rules of this workspace's pools, with at most `max` connections.
pub(in crate::probes) fn at_most(max: u32) -> PoolPolicy {
    PoolPolicy::default().with_max_connections(max as usize)
}
