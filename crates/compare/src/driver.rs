use std::fmt;

use serde::{Deserialize, Serialize};

/// A driver that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// [`sqlx`](https://docs.rs/sqlx)
    Sqlx,
    /// [`mysql`](https://docs.rs/mysql)
    Mysql,
    /// [`mysql_async`](https://docs.rs/mysql_async)
    MysqlAsync,
}

impl Driver {
    /// All, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Sqlx, Self::Mysql, Self::MysqlAsync];

    /// The name of the driver's crate.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlx => "sqlx",
            Self::Mysql => "mysql",
            Self::MysqlAsync => "mysql_async",
        }
    }

    /// The name of this workspace's crate for the driver.
    #[must_use]
    pub fn our_name(self) -> &'static str {
        match self {
            Self::Sqlx => "tidb-connect-sqlx",
            Self::Mysql => "tidb-connect-mysql",
            Self::MysqlAsync => "tidb-connect-mysql-async",
        }
    }

    /// The version that this program is built with.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Sqlx => env!("VERSION_OF_SQLX"),
            Self::Mysql => env!("VERSION_OF_MYSQL"),
            Self::MysqlAsync => env!("VERSION_OF_MYSQL_ASYNC"),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
