use super::pools::{Pool, at_most};
use crate::{lab::plural, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "A loop takes a connection, uses it and gives it back, one after another: how many does the pool open?",
    meaning: "Where a return ends in the background, the next caller finds the pool empty, and it grows for nothing.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::as_it_comes(driver, &lab.config(), 10).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::ours(driver, &lab.config(), at_most(10))?).await
}

async fn observe(lab: &Lab, pool: Pool) -> Observed {
    let uses = async {
        for _ in 0..30 {
            let mut connection = pool.get().await?;
            connection.text("SELECT 1").await?;
            connection.give_back().await?;
        }
        Ok(())
    };
    let ((), traffic) = lab.watched(uses).await?;
    // How many more than one is a matter of chance.
    let answer = Answer::new(if traffic.opened == 1 { "1" } else { "several" });
    Ok(answer.with(format!("{} for 30 uses", plural(traffic.opened as u64, "connection"))))
}
