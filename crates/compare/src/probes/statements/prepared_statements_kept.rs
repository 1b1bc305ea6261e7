use mysql::prelude::Queryable as Blocking;
use sqlx::{Executor, MySql};

use super::{TEXTS, text};
use crate::{lab::Traffic, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "A connection runs 200 statements, all different: how many stay prepared on the server?",
    meaning: "A program with more statements than that prepares again and again; statements built with values, or IN lists of every length, make more.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let watching = lab.clone();
    match driver {
        Driver::Sqlx => through_sqlx(&lab, &mut lab.sqlx().await?).await,
        Driver::Mysql => lab.mysql(move |connection| through_mysql(&watching, connection)).await,
        Driver::MysqlAsync => through_mysql_async(&lab, &mut lab.mysql_async().await?).await,
    }
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let watching = lab.clone();
    match driver {
        Driver::Sqlx => through_sqlx(&lab, &mut lab.our_sqlx().await?).await,
        Driver::Mysql => lab.our_mysql(move |connection| through_mysql(&watching, connection)).await,
        Driver::MysqlAsync => through_mysql_async(&lab, &mut lab.our_mysql_async().await?).await,
    }
}

async fn through_sqlx<C>(lab: &Lab, connection: &mut C) -> Observed
where
    for<'c> &'c mut C: Executor<'c, Database = MySql>,
{
    let before = lab.proxy()?.report();
    for number in 0..TEXTS {
        sqlx::query(text(number)).bind(1).execute(&mut *connection).await?;
    }
    let between = lab.proxy()?.report();
    sqlx::query(text(0)).bind(1).execute(&mut *connection).await?;
    answer(&lab.traffic_since(&before)?, &lab.traffic_since(&between)?)
}

fn through_mysql(lab: &Lab, connection: &mut impl Blocking) -> Observed {
    let before = lab.proxy()?.report();
    for number in 0..TEXTS {
        connection.exec_drop(text(number), (1,))?;
    }
    let between = lab.proxy()?.report();
    connection.exec_drop(text(0), (1,))?;
    answer(&lab.traffic_since(&before)?, &lab.traffic_since(&between)?)
}

async fn through_mysql_async(lab: &Lab, connection: &mut impl mysql_async::prelude::Queryable) -> Observed {
    let before = lab.proxy()?.report();
    for number in 0..TEXTS {
        connection.exec_drop(text(number), (1,)).await?;
    }
    let between = lab.proxy()?.report();
    connection.exec_drop(text(0), (1,)).await?;
    answer(&lab.traffic_since(&before)?, &lab.traffic_since(&between)?)
}

fn answer(all: &Traffic, again: &Traffic) -> Observed {
    let (prepared, closed) = (all.count("COM_STMT_PREPARE"), all.count("COM_STMT_CLOSE"));
    let first = if again.count("COM_STMT_PREPARE") == 0 { "is still prepared" } else { "is prepared again" };
    Ok(Answer::new(format!("{}; the oldest {first}", prepared - closed))
        .with(format!("{prepared} prepared and {closed} closed, the first text's second run included")))
}
