mod autocommit_left_off;
mod connections_of_a_loop;
mod database_left_behind;
mod named_lock_left_behind;
mod pool_created;
mod pools;
mod round_trips_per_use;
mod round_trips_to_connect;
mod settings_left_behind;
mod temporary_table_left_behind;
mod time_zone_left_behind;
mod transaction_left_open;
mod variable_left_behind;

use crate::probe::{Answer, Chapter, Observed, probes};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "sessions",
    title: "Pool and session",
    probes: probes![
        round_trips_to_connect
        round_trips_per_use
        pool_created
        connections_of_a_loop
        variable_left_behind
        settings_left_behind
        time_zone_left_behind
        autocommit_left_off
        transaction_left_open
        temporary_table_left_behind
        database_left_behind
        named_lock_left_behind
    ],
    declined: &[],
};

/// What the next borrower of a connection sees of what the last one has `done`, by a `look` that shows it.
async fn left_behind(pool: &pools::Pool, done: &[&'static str], look: &'static str) -> Observed {
    let mut connection = pool.get().await?;
    let id = connection.text("SELECT CONNECTION_ID()").await?;
    let before = seen(&mut connection, look).await;
    for statement in done {
        connection.text(statement).await?;
    }
    let after = seen(&mut connection, look).await;
    if before == after {
        return Err(format!("nothing was done to a session in which {look} is {before}").into());
    }
    connection.give_back().await?;
    let mut connection = pool.get().await?;
    let same = connection.text("SELECT CONNECTION_ID()").await? == id;
    let next = seen(&mut connection, look).await;
    let answer = Answer::new(match (same, next == after, next == before) {
        (false, ..) => "a new connection",
        (true, true, _) => "kept",
        (true, _, true) => "reset",
        (true, false, false) => "changed",
    });
    Ok(answer.with(format!("{look}: at first '{before}', when given back '{after}', for the next '{next}'")))
}

/// The answer to a look, which is an error where there is nothing to look at.
async fn seen(connection: &mut pools::Connection, look: &'static str) -> String {
    connection.text(look).await.unwrap_or_else(|error| error.to_string())
}
