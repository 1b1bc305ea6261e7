use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A warm pool of one: take the connection, run a prepared statement, give it back. What is sent for that?",
    meaning: "All but one EXECUTE is the pool's own: a ping, a reset, and after a reset the statement prepared again.",
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

async fn observe(lab: &Lab, pool: Pool) -> Observed {
    let mut connection = pool.get().await?;
    connection.prepared("SELECT 1").await?;
    // From use to use, since what is sent after the return may be sent in the background: the next one waits for it.
    let (_connection, traffic) = lab
        .watched(async {
            connection.give_back().await?;
            let mut connection = pool.get().await?;
            connection.prepared("SELECT 1").await?;
            Ok(connection)
        })
        .await?;
    let names = traffic.commands.iter().filter_map(|command| command.split(' ').next());
    let names: Vec<_> = names.map(|name| name.trim_start_matches("COM_").trim_start_matches("STMT_")).collect();
    Ok(Answer::new(format!("{}: {}", traffic.round_trips, names.join(", "))))
}
