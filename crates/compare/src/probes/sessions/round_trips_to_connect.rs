use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "How many round trips does it take to open a connection, and what are they for?",
    meaning: "Each is the distance to the server, paid before the first statement; TCP's and TLS's own come on top.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::as_it_comes(driver, &lab.config(), 1).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::ours(driver, &lab.config(), at_most(1))?).await
}

/// An empty pool hands out a new connection.
async fn observe(lab: &Lab, pool: Pool) -> Observed {
    let (_connection, traffic) = lab.watched(pool.get()).await?;
    let mut sent = vec!["login"];
    // `SET` or `SELECT`, without what is set or asked for.
    let statements = traffic.commands.iter().filter_map(|command| command.strip_prefix("COM_QUERY "));
    sent.extend(statements.filter_map(|statement| statement.split(' ').next()));
    Ok(Answer::new(format!("{}: {}", traffic.round_trips, sent.join(", "))))
}
