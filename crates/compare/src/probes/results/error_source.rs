use std::{io, iter::successors, net::TcpListener};

use sqlx::ConnectOptions as _;

use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Nobody listens on the port: does the error lead by `source` to the operating system's error?",
    meaning: "Where the chain ends early, a report shows fewer causes, and the reason is in a variant or a text.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let port = nobodys_port()?;
    let error: Option<BoxError> = match driver {
        Driver::Sqlx => lab.sqlx_options().host("127.0.0.1").port(port).connect().await.err().map(Into::into),
        Driver::Mysql => {
            let options = lab.mysql_options().ip_or_hostname(Some("127.0.0.1")).tcp_port(port);
            blocking(move || Ok(mysql::Conn::new(options).err().map(Into::into))).await?
        }
        Driver::MysqlAsync => {
            let options = lab.mysql_async_options().ip_or_hostname("127.0.0.1").tcp_port(port);
            mysql_async::Conn::new(options).await.err().map(Into::into)
        }
    };
    answer(&*error.ok_or("the connection was opened")?)
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let config = lab.config().with_host("127.0.0.1").with_port(nobodys_port()?);
    let error = match driver {
        Driver::Sqlx => tidb_connect_sqlx::connect(&config).await.err(),
        Driver::Mysql => blocking(move || Ok(tidb_connect_mysql::connect(&config).err())).await?,
        Driver::MysqlAsync => tidb_connect_mysql_async::connect(&config).await.err(),
    };
    answer(&error.ok_or("the connection was opened")?)
}

fn nobodys_port() -> Result<u16, BoxError> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn answer(error: &(dyn std::error::Error + 'static)) -> Observed {
    let chain: Vec<_> = successors(Some(error), |error| error.source()).collect();
    let system = chain.iter().find_map(|error| error.downcast_ref::<io::Error>());
    let text = match system {
        Some(error) => format!("yes, {:?}", error.kind()),
        None => "no".to_owned(),
    };
    Ok(chain.into_iter().fold(Answer::new(text), Answer::with))
}
