mod autocommit_left_off;
mod broken_connection_and_waiter;
mod cause_of_a_refused_connection;
mod connection_closed_just_now;
mod connections_of_a_loop;
mod database_left_behind;
mod empty_pool_and_many_callers;
mod given_up_statement_and_connection;
mod given_up_statement_and_server;
mod hanging_login_and_others;
mod host_with_several_addresses;
mod idle_connection_closed;
mod maximum_age;
mod maximum_age_and_checkout;
mod named_lock_left_behind;
mod newcomer_and_waiter;
mod nobody_listens;
mod pool_closed;
mod pool_closed_while_in_use;
mod pool_created;
mod pool_dropped;
mod pool_exhausted;
mod pool_exhausted_error;
pub(super) mod pools;
mod round_trips_per_use;
mod round_trips_to_connect;
mod server_restarted;
mod settings_left_behind;
mod silent_server_at_connect;
mod silent_server_in_statement;
mod sockets;
mod tcp_keepalive;
mod tcp_nodelay;
mod temporary_table_left_behind;
mod time_zone_left_behind;
mod transaction_left_open;
mod unix_socket;
mod variable_left_behind;
mod waiter_given_up;
mod waiters_in_order;

use std::{net::TcpListener, time::Duration};

use tidb_connect_core::{BoxError, ConnectionConfig};
use tidb_connect_wire::CommandKind;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    lab::{Lab, PATIENCE},
    probe::{Answer, Chapter, Declined, Observed, probes},
};

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
        idle_connection_closed
        connection_closed_just_now
        server_restarted
        maximum_age
        maximum_age_and_checkout
        pool_exhausted
        pool_exhausted_error
        waiters_in_order
        newcomer_and_waiter
        waiter_given_up
        broken_connection_and_waiter
        empty_pool_and_many_callers
        hanging_login_and_others
        nobody_listens
        cause_of_a_refused_connection
        pool_closed
        pool_closed_while_in_use
        pool_dropped
        silent_server_at_connect
        silent_server_in_statement
        given_up_statement_and_connection
        given_up_statement_and_server
        host_with_several_addresses
        tcp_nodelay
        tcp_keepalive
        unix_socket
    ],
    declined: &[Declined {
        id: "gateway_that_drops_what_idles",
        question: "A gateway drops a connection that has idled for 340 s, as TiDB Cloud's on AWS does: what does the caller see?",
        reason: "It takes six minutes and such a gateway; what a closed or a silent connection does is asked above.",
    }],
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

/// What the caller sees of an idle connection that the server has closed, some time `later`.
async fn closed_while_idle(lab: &Lab, pool: &pools::Pool, later: Duration) -> Observed {
    pool.warm(1).await?;
    cut(lab).await?;
    sleep(later).await;
    let mut connection = match pool.get().await {
        Ok(connection) => connection,
        Err(error) => return Ok(Answer::new("an error when it is taken").with(error)),
    };
    match connection.text("SELECT 1").await {
        Ok(_) => Ok(Answer::new("nothing: it gets another")),
        Err(error) => Ok(Answer::new("an error of its first statement").with(error)),
    }
}

/// Closes every connection of the driver's, as a server does that restarts.
async fn cut(lab: &Lab) -> Result<(), BoxError> {
    quiet(lab).await?;
    let proxy = lab.proxy()?;
    proxy.cut();
    while proxy.report().open() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    // The driver's runtime hears of it a little later.
    sleep(Duration::from_millis(20)).await;
    Ok(())
}

/// Waits until the driver is done with what it does in the background.
async fn quiet(lab: &Lab) -> Result<(), BoxError> {
    let proxy = lab.proxy()?;
    loop {
        let before = proxy.report();
        sleep(Duration::from_millis(50)).await;
        if proxy.report() == before {
            return Ok(());
        }
    }
}

/// Somebody who stands in line for a connection, and gives it back once it is `served`.
async fn waiting(pool: &pools::Pool, served: impl FnOnce() + Send + 'static) -> JoinHandle<Result<(), BoxError>> {
    let pool = pool.clone();
    let waiter = tokio::spawn(async move {
        let connection = pool.get().await?;
        served();
        connection.give_back().await
    });
    // No pool tells who waits.
    sleep(Duration::from_millis(30)).await;
    waiter
}

/// The configuration of a server at whose port nobody listens.
fn nowhere(lab: &Lab) -> Result<ConnectionConfig, BoxError> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    Ok(lab.config().with_host("127.0.0.1").with_port(port))
}

/// How many of the driver's connections have told the server goodbye, once all are closed.
async fn goodbyes(lab: &Lab) -> Observed {
    let proxy = lab.proxy()?;
    let all_closed = async {
        while proxy.report().open() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let closed = timeout(PATIENCE, all_closed).await.is_ok();
    let report = proxy.report();
    let goodbyes = format!("{} of {}", report.count(CommandKind::Quit), report.connections.len());
    Ok(Answer::new(if closed { goodbyes } else { format!("{goodbyes}; {} stay open", report.open()) }))
}
