use sqlx::{Executor as _, Row as _};

use crate::{lab::Rows, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "Which of the session's variables differ from the server's own after login?",
    meaning: "What a driver sets applies to every statement: the same SQL may mean something else in another client.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const SESSION: &str = "SHOW SESSION VARIABLES";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let session = match driver {
        Driver::Sqlx => {
            let rows = lab.sqlx().await?.fetch_all(SESSION).await?;
            rows.iter()
                .map(|row| Ok((row.try_get_unchecked(0)?, row.try_get_unchecked(1)?)))
                .collect::<sqlx::Result<_>>()?
        }
        Driver::Mysql => lab.mysql(|connection| Ok(connection.query(SESSION)?)).await?,
        Driver::MysqlAsync => lab.mysql_async().await?.query(SESSION).await?,
    };
    answer(session, lab.sql("SHOW GLOBAL VARIABLES").await?)
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let session = match driver {
        Driver::Sqlx => {
            let rows = (&mut lab.our_sqlx().await?).fetch_all(SESSION).await?;
            rows.iter()
                .map(|row| Ok((row.try_get_unchecked(0)?, row.try_get_unchecked(1)?)))
                .collect::<sqlx::Result<_>>()?
        }
        Driver::Mysql => lab.our_mysql(|connection| Ok(connection.query(SESSION)?)).await?,
        Driver::MysqlAsync => lab.our_mysql_async().await?.query(SESSION).await?,
    };
    answer(session, lab.sql("SHOW GLOBAL VARIABLES").await?)
}

fn answer(session: Vec<(String, String)>, global: Rows) -> Observed {
    let (mut names, mut evidence) = (Vec::new(), Vec::new());
    for (name, value) in session {
        let server = global.iter().find_map(|row| match row.as_slice() {
            [known, server] if *known == name => Some(server),
            _ => None,
        });
        if let Some(server) = server.filter(|server| **server != value) {
            evidence.push(format!("{name} is {value:?}, the server's {server:?}"));
            names.push(name);
        }
    }
    let text = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Ok(evidence.into_iter().fold(Answer::new(text), Answer::with))
}
