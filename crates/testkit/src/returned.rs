//! Checks for what comes back to a pool: nothing of one caller reaches the next. The same ones for every driver.

use std::{future::Future, marker::PhantomData, pin::Pin, process::ExitCode, sync::Arc, time::Duration};

use libtest_mimic::{Arguments, Failed, Trial};
use mysql::prelude::Queryable;
use tidb_connect_core::{BoxError, ConnectionConfig, Result as CoreResult, pool::PoolPolicy};
use tidb_connect_wire::{Answer, Break, CommandKind, Place, Refusal, Script};
use tokio::{runtime, time::timeout};

use crate::{
    Failure, Server,
    failure::{equal, holds},
    stand_in::{impatient, start},
};

/// A check that takes longer hangs.
const HANGS: Duration = Duration::from_secs(120);

/// A limit that no check waits for.
const NEVER: Duration = Duration::from_secs(60);

/// A driver's pool, as the checks use it. Its futures stay on one thread.
pub trait Returning: Clone + 'static {
    /// A connection on loan.
    type Connection;

    /// A form that sends a statement as text, and one that prepares it; both read the whole answer.
    const WHOLE: [&'static str; 2];

    /// Forms that let go of an answer before its end.
    const PART: &'static [&'static str];

    /// The driver's `Pool::new`.
    ///
    /// # Errors
    /// As there.
    fn new(config: &ConnectionConfig) -> CoreResult<Self>;

    /// The driver's `Pool::get`.
    fn get(&self) -> impl Future<Output = CoreResult<Self::Connection>>;

    /// Runs a statement in a form of this name.
    fn run(connection: &mut Self::Connection, form: &str, sql: &str) -> impl Future<Output = Result<(), BoxError>>;

    /// Runs `SELECT ?` with two values.
    fn misuse(connection: &mut Self::Connection) -> impl Future<Output = Result<(), BoxError>>;

    /// `SELECT CONNECTION_ID()`.
    fn id(connection: &mut Self::Connection) -> impl Future<Output = u64>;
}

type Check<P> = for<'a> fn(&'a Server, PhantomData<P>) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// Runs the checks for `driver` as a test program; the server must be named by the environment.
#[must_use = "return it from `main`, or failures go unseen"]
pub fn run<P: Returning>(driver: &'static str) -> ExitCode {
    let checks: Vec<(&str, Check<P>)> = vec![
        ("a_transaction_left_open_ends_with_its_connection", |server, pool| Box::pin(left_open(server, pool))),
        ("a_pool_that_resets_keeps_no_session_state", |server, pool| Box::pin(reset(server, pool))),
        ("a_connection_whose_transaction_was_ended_comes_back", |server, pool| Box::pin(ended(server, pool))),
        ("one_failing_call_costs_one_connection", |server, pool| Box::pin(one_costs_one(server, pool))),
        ("rows_left_unread_reach_nobody", |_, pool| Box::pin(unread(pool))),
        ("a_connection_that_the_server_closes_does_not_come_back", |_, pool| Box::pin(closing(pool))),
    ];
    let trials = checks.into_iter().map(|(name, check)| {
        Trial::test(format!("{driver}::{name}"), move || conduct(driver, check).map_err(Failed::from))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn conduct<P: Returning>(driver: &str, check: Check<P>) -> Result<(), Failure> {
    let broken = |error| Failure::caused("the kit cannot start a tokio runtime:", &error);
    let server = Arc::new(Server::create_for(&format!("{driver}_returned"))?);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let checked = runtime.block_on(async { timeout(HANGS, check(&server, PhantomData)).await });
    runtime.shutdown_timeout(Duration::from_secs(1));
    let checked = checked.unwrap_or_else(|_| Err(Failure::new(format!("the check hangs: no end after {HANGS:?}"))));
    checked.and(server.remove())
}

fn pool<P: Returning>(config: &ConnectionConfig, max: usize) -> Result<P, Failure> {
    let policy = config.pool().clone().with_max_connections(max).with_probe_after(NEVER);
    Ok(P::new(&config.clone().with_pool(policy))?)
}

fn failed(what: &str) -> impl Fn(BoxError) -> Failure {
    move |error| Failure::caused(&format!("{what} failed:"), &*error)
}

/// Ways to leave a transaction open, or `autocommit` off.
const LEFT_OPEN: &[&[&str]] = &[
    &["BEGIN"],
    &["begin work"],
    &["START TRANSACTION"],
    &["  /* left */ begin"],
    &["-- left\nBEGIN"],
    &["/*! BEGIN */"],
    &["START TRANSACTION WITH CONSISTENT SNAPSHOT"],
    &["SET autocommit = 0"],
    &["SET @@autocommit = OFF"],
    &["set session autocommit=0"],
    &["SET time_zone = '+00:00', autocommit = 0"],
    &["SET autocommit = 0", "INSERT INTO t VALUES (-1)", "COMMIT"],
    &["BEGIN", "COMMIT AND CHAIN"],
    &["BEGIN", "INSERT INTO t VALUES (-2)"],
    &["BEGIN", "INSERT INTO t VALUES (0)"],
];

/// The next caller's write is there for everybody at once, however the one before left the session.
async fn left_open<P: Returning>(server: &Server, _: PhantomData<P>) -> Result<(), Failure> {
    server.sql("CREATE TABLE t (id INT PRIMARY KEY)")?;
    server.sql("INSERT INTO t VALUES (0)")?;
    let mut other = server.connect()?;
    let mut number = 0;
    for form in P::WHOLE {
        for statements in LEFT_OPEN {
            let pool: P = pool(server.config(), 1)?;
            let mut alice = pool.get().await?;
            for statement in *statements {
                // One is refused on purpose, and a server may not know how to chain or to prepare it.
                P::run(&mut alice, form, statement).await.ok();
            }
            drop(alice);
            number += 1;
            let mut bob = pool.get().await?;
            let insert = format!("INSERT INTO t VALUES ({number})");
            P::run(&mut bob, form, &insert).await.map_err(failed("the next caller's INSERT"))?;
            let seen: Option<u32> = other
                .query_first(format!("SELECT id FROM t WHERE id = {number}"))
                .map_err(|error| Failure::caused("the kit's own SELECT failed:", &error))?;
            equal(&format!("what others see of the row after {statements:?} by {form}"), seen, Some(number))?;
        }
    }
    Ok(())
}

/// Variables of the user, of the session, and the connection's own `SET`, which comes back with a reset.
async fn reset<P: Returning>(server: &Server, _: PhantomData<P>) -> Result<(), Failure> {
    server.sql("CREATE TABLE seen (number INT, user_variable BIGINT, division INT, time_zone VARCHAR(16))")?;
    for (number, resets, left) in [(1, false, "1 7 9 +02:00"), (2, true, "2 0 4 +00:00")] {
        let policy = PoolPolicy::default().with_max_connections(1).with_reset(resets);
        let pool = P::new(&server.config().clone().with_pool(policy))?;
        let mut alice = pool.get().await?;
        for statement in ["SET @kept = 7", "SET div_precision_increment = 9", "SET time_zone = '+02:00'"] {
            P::run(&mut alice, P::WHOLE[0], statement).await.map_err(failed(statement))?;
        }
        drop(alice);
        let mut bob = pool.get().await?;
        let see = format!(
            "INSERT INTO seen SELECT {number}, COALESCE(@kept, 0), @@div_precision_increment, @@session.time_zone"
        );
        P::run(&mut bob, P::WHOLE[0], &see).await.map_err(failed("the next caller's look"))?;
        let look = "SELECT CONCAT_WS(' ', number, user_variable, division, time_zone) FROM seen";
        let seen = server.sql(&format!("{look} WHERE number = {number}"))?;
        equal(&format!("what the next caller sees where the pool resets: {resets}"), seen, vec![left])?;
    }
    Ok(())
}

/// Statements after which the connection is as it was.
const ENDED: &[&[&str]] = &[
    &["BEGIN", "COMMIT"],
    &["START TRANSACTION", "ROLLBACK"],
    &["BEGIN", "INSERT INTO t VALUES (-3)", "ROLLBACK"],
    &["SELECT 'BEGIN'"],
    &["INSERT INTO texts VALUES ('begin; set autocommit = 0')"],
    &["SET time_zone = '+00:00'"],
    &["CREATE TEMPORARY TABLE other (id INT)", "DROP TEMPORARY TABLE other"],
];

async fn ended<P: Returning>(server: &Server, _: PhantomData<P>) -> Result<(), Failure> {
    server.sql("CREATE TABLE t (id INT PRIMARY KEY)")?;
    server.sql("CREATE TABLE texts (text VARCHAR(100))")?;
    let pool: P = pool(server.config(), 1)?;
    for form in P::WHOLE {
        for statements in ENDED {
            let mut connection = pool.get().await?;
            let id = P::id(&mut connection).await;
            for statement in *statements {
                P::run(&mut connection, form, statement).await.map_err(failed(statement))?;
            }
            drop(connection);
            let after = P::id(&mut pool.get().await?).await;
            equal(&format!("the connection after {statements:?} by {form}"), after, id)?;
        }
    }
    Ok(())
}

/// Whatever goes wrong on one connection, the others stay.
async fn one_costs_one<P: Returning>(server: &Server, _: PhantomData<P>) -> Result<(), Failure> {
    const CONNECTIONS: usize = 8;

    async fn all<P: Returning>(pool: &P) -> Result<(Vec<P::Connection>, Vec<u64>), Failure> {
        let (mut connections, mut ids) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            let mut connection = pool.get().await?;
            ids.push(P::id(&mut connection).await);
            connections.push(connection);
        }
        ids.sort_unstable();
        Ok((connections, ids))
    }

    let config = server.config().clone().with_operation_timeout(Duration::from_secs(2));
    for what in ["a parameter too many", "a slow query", "a KILL", "a text above 64 MiB"] {
        let pool: P = pool(&config, CONNECTIONS)?;
        let (mut connections, before) = all(&pool).await?;
        let mut one = connections.pop().ok_or_else(|| Failure::new("no connection"))?;
        drop(connections);
        let form = P::WHOLE[0];
        let ended = match what {
            "a parameter too many" => P::misuse(&mut one).await,
            "a slow query" => P::run(&mut one, form, "DO SLEEP(30)").await,
            "a KILL" => {
                server.sql(&format!("KILL {}", P::id(&mut one).await))?;
                P::run(&mut one, form, "SELECT 1").await
            }
            _ => P::run(&mut one, form, &format!("SELECT LENGTH('{}')", "x".repeat(65 << 20))).await,
        };
        // Some drivers have the server count the parameters, and MariaDB may take what is above TiDB's limit.
        ended.err();
        drop(one);
        let (_connections, after) = all(&pool).await?;
        let kept = before.iter().filter(|id| after.contains(id)).count();
        holds(&format!("after {what}, {kept} of {CONNECTIONS} connections are left"), kept >= CONNECTIONS - 1)?;
    }
    Ok(())
}

const STATEMENT: &str = "SELECT text FROM t";
const NEXT: &str = "INSERT INTO t VALUES (1)";

const OF_ALICE: Refusal =
    Refusal { code: 1317, sqlstate: Some("70100"), text: "Query execution was interrupted (of ALICE)" };

/// Rows that one caller leaves cost the next one neither time nor an error, and are never its answer.
async fn unread<P: Returning>(_: PhantomData<P>) -> Result<(), Failure> {
    for form in P::PART.iter().chain(&P::WHOLE) {
        for place in [Place::LaterRow, Place::End] {
            for end in [Break::Silence, Break::Error(OF_ALICE), Break::Close] {
                let what = format!("{end:?} at {place:?}, by {form}");
                let answer = Answer::Broken(place, end);
                let script = Script::new().on_statement(STATEMENT, answer.clone());
                let (server, config) = start(script.on_command(CommandKind::Execute, answer))?;
                let pool: P = pool(&impatient(config), 1)?;
                let mut alice = pool.get().await?;
                P::run(&mut alice, form, STATEMENT).await.err();
                drop(alice);
                let mut bob = pool.get().await?;
                let next = P::run(&mut bob, P::WHOLE[0], NEXT).await;
                next.map_err(failed(&format!("the next caller's statement after {what}")))?;
                let visits = server.visits();
                let sent = visits.iter().flat_map(|visit| &visit.commands);
                let sent = sent.filter(|command| command.text.as_deref() == Some(NEXT)).count();
                equal(&format!("how often it was sent after {what}"), sent, 1)?;
            }
        }
    }
    Ok(())
}

/// After an error with which the server closes the connection, the next caller gets another one.
async fn closing<P: Returning>(_: PhantomData<P>) -> Result<(), Failure> {
    for (code, sqlstate) in [
        (1053, "08S01"),
        (1153, "08S01"),
        (1153, "HY000"),
        (1158, "08S01"),
        (1927, "70100"),
        (3169, "HY000"),
        (4031, "HY000"),
        (9999, "08S01"),
    ] {
        let refusal = Refusal { code, sqlstate: Some(sqlstate), text: "the server closes the connection" };
        for form in P::WHOLE {
            let script = Script::new().on_statement(STATEMENT, Answer::Error(refusal));
            let (server, config) = start(script)?;
            let pool: P = pool(&impatient(config), 1)?;
            let ended = P::run(&mut pool.get().await?, form, STATEMENT).await;
            holds(&format!("error {code} is none"), ended.is_err())?;
            P::run(&mut pool.get().await?, form, NEXT).await.map_err(failed("the next caller's statement"))?;
            equal(&format!("the connections after error {code} ({sqlstate})"), server.visits().len(), 2)?;
        }
    }
    Ok(())
}
