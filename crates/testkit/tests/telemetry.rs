//! What the core tells `tracing`: what its documentation lists, and no value, user or password.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tidb_connect_core::{
    ConnectionConfig, Error, ErrorKind, Fault, Outcome, Phase, Result, RetryPolicy, ServerError, TransactionOptions,
    players::{MemoryStore, NewPlayer, PlayerId, PlayerStore, Traced, Trade},
    pool::{Connector, Place, Pool, PoolPolicy},
    transaction::{Handle, Session, Verdict, run_on},
};
use tidb_connect_testkit::telemetry::{Told, listen, only};
use tracing::Level;

/// What must be in no field: a name, an amount, a user, a password.
const NAME: &str = "a name that stays here";
const COINS: i32 = 424_242;
const USER: &str = "a user that stays here";
const PASSWORD: &str = "a password that stays here";

fn config() -> ConnectionConfig {
    let config = ConnectionConfig::new().with_host("db.example.com").with_port(4001).with_database("game");
    config.with_user(USER).with_password(PASSWORD)
}

fn store() -> Traced<MemoryStore> {
    Traced::new(MemoryStore::new(), &config())
}

fn reveals_nothing(told: &[Told]) {
    let text = format!("{told:?}");
    for secret in [NAME, &COINS.to_string(), USER, PASSWORD] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

/// The attributes of every operation on the table.
const ALWAYS: [&str; 7] = [
    "db.collection.name",
    "db.namespace",
    "db.operation.name",
    "db.system.name",
    "otel.kind",
    "server.address",
    "server.port",
];

/// Those and `more`, in the order of the alphabet.
fn always_and(more: &[&'static str]) -> Vec<&'static str> {
    let mut names = [&ALWAYS, more].concat();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn an_operation_is_a_span_with_the_conventions_attributes() {
    let (created, told) = listen(async {
        let store = store();
        store.create_table().await?;
        store.create(&NewPlayer::new(NAME, COINS, 1)).await
    })
    .await;
    created.expect("created");
    let span = only(&told, "create players").expect("one span");
    assert_eq!((span.level, span.names()), (Level::INFO, ALWAYS.to_vec()));
    let expected = [
        ("db.collection.name", "players"),
        ("db.namespace", "game"),
        ("db.operation.name", "create"),
        ("db.system.name", "mysql"),
        ("otel.kind", "client"),
        ("server.address", "db.example.com"),
        ("server.port", "4001"),
    ];
    assert_eq!(expected.map(|(name, _)| span.field(name)), expected.map(|(_, value)| value));
    reveals_nothing(&told);
}

#[tokio::test]
async fn every_operation_is_told_once_by_its_name() {
    let (done, told) = listen(async {
        let store = store();
        store.create_table().await?;
        let player = store.create(&NewPlayer::new(NAME, COINS, 1)).await?;
        store.create_many(&[NewPlayer::new("a", 1, 1), NewPlayer::new("b", 1, 1)]).await?;
        store.find(player.id).await?;
        store.find_by_name(NAME).await?;
        store.list(None, 10).await?;
        store.count().await?;
        store.update(&player).await?;
        store.trade(&Trade { buyer: player.id, seller: PlayerId(2), goods: 1, price: COINS }).await?;
        store.delete(player.id).await?;
        store.drop_table().await?;
        store.server_version().await?;
        store.status().await.server?;
        store.close().await
    })
    .await;
    done.expect("every call succeeds");
    let table = [
        "create_table",
        "create",
        "create_many",
        "find",
        "find_by_name",
        "list",
        "count",
        "update",
        "trade",
        "delete",
        "drop_table",
    ];
    let mut names: Vec<String> = table.iter().map(|operation| format!("{operation} players")).collect();
    names.extend(["server_version", "status", "close"].map(str::to_owned));
    assert_eq!(told.iter().map(|told| told.name.clone()).collect::<Vec<_>>(), names);
    assert!(told.iter().all(|told| told.field("otel.status_code").is_empty()));
    let counted = |name: &str, field| only(&told, name).expect("one span").field(field).to_owned();
    assert_eq!(counted("create_many players", "db.operation.batch.size"), "2");
    assert_eq!(counted("find players", "db.response.returned_rows"), "1");
    assert_eq!(counted("find_by_name players", "db.response.returned_rows"), "1");
    assert_eq!(counted("list players", "db.response.returned_rows"), "3");
    for plain in ["server_version", "status", "close"] {
        assert_eq!(counted(plain, "db.collection.name"), "");
    }
    reveals_nothing(&told);
}

#[tokio::test]
async fn a_batch_of_one_is_no_batch() {
    let (_, told) = listen(async {
        let store = store();
        store.create_table().await?;
        store.create_many(&[NewPlayer::new(NAME, COINS, 1)]).await
    })
    .await;
    assert_eq!(only(&told, "create_many players").expect("one span").names(), ALWAYS);
}

#[tokio::test]
async fn a_failure_is_told_by_its_kind_alone() {
    let (refused, told) = listen(async {
        let store = store();
        store.create_table().await?;
        store.create(&NewPlayer::new(NAME, COINS, 1)).await?;
        store.create(&NewPlayer::new(NAME, COINS, 1)).await
    })
    .await;
    assert_eq!(refused.expect_err("taken").kind(), ErrorKind::AlreadyExists);
    let span = told.last().expect("told");
    assert_eq!(span.names(), always_and(&["error.type", "otel.status_code"]));
    assert_eq!((span.field("error.type"), span.field("otel.status_code")), ("AlreadyExists", "ERROR"));
    reveals_nothing(&told);

    let (status, told) = listen(async {
        let store = store();
        store.close().await.expect("closed");
        store.status().await
    })
    .await;
    assert!(status.server.is_err());
    assert_eq!(only(&told, "status").expect("one span").field("error.type"), "Closed");
}

/// Opens at once; its connections are as alive as it says.
struct Fake {
    config: ConnectionConfig,
    alive: Arc<AtomicBool>,
}

impl Connector for Fake {
    type Connection = ();

    const DRIVER: &'static str = "fake";

    fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    async fn connect(&self, _: Place<Self>) -> Result<()> {
        Ok(())
    }

    async fn probe(&self, (): (), _: Place<Self>) -> Option<()> {
        self.alive.load(Ordering::SeqCst).then_some(())
    }

    async fn disconnect(&self, (): ()) {}
}

/// One connection at most.
fn pool(policy: PoolPolicy) -> (Pool<Fake>, Arc<AtomicBool>) {
    let alive = Arc::new(AtomicBool::new(true));
    let config = config().with_pool(policy.with_max_connections(1));
    (Pool::new(Fake { config, alive: Arc::clone(&alive) }).expect("a valid policy"), alive)
}

fn names(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.name.as_str()).collect()
}

#[tokio::test]
async fn a_caller_that_waits_is_told_and_one_that_does_not_is_not() {
    let (pool, _) = pool(PoolPolicy::default());
    let ((), told) = listen(async { drop(pool.acquire().await.expect("opened")) }).await;
    assert_eq!(names(&told), ["connection opened", "waited for a connection"]);
    assert_eq!((told[0].level, told[0].names()), (Level::DEBUG, vec!["took_ms"]));
    reveals_nothing(&told);

    let (lease, told) = listen(async { pool.try_acquire() }).await;
    assert_eq!(told, []);

    let ((), told) = listen(async {
        let mut lease = lease;
        let mut waiting = pin!(pool.acquire());
        poll_fn(|cx| {
            assert!(waiting.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(lease.take());
        drop(waiting.await.expect("came back"));
    })
    .await;
    assert_eq!(names(&told), ["waited for a connection"]);
    assert_eq!((told[0].level, told[0].names()), (Level::DEBUG, vec!["served", "waited_ms"]));
    assert_eq!(told[0].field("served"), "true");
}

#[tokio::test]
async fn a_caller_that_gives_up_is_told() {
    let (pool, _) = pool(PoolPolicy::default());
    let _held = pool.acquire().await.expect("opened");
    let (given_up, told) = listen(tokio::time::timeout(Duration::from_millis(20), pool.acquire())).await;
    assert!(given_up.is_err());
    assert_eq!(names(&told), ["waited for a connection"]);
    assert_eq!(told[0].field("served"), "false");
    assert!(told[0].field("waited_ms").parse::<f64>().expect("a number") >= 19.0, "{told:?}");
}

#[tokio::test]
async fn a_connection_that_is_replaced_is_told() {
    let (pool, alive) = self::pool(PoolPolicy::default().with_probe_after(Duration::ZERO));
    drop(pool.acquire().await.expect("opened"));
    alive.store(false, Ordering::SeqCst);
    let (lease, told) = listen(pool.acquire()).await;
    drop(lease.expect("opened"));
    assert_eq!(names(&told), ["connection found dead", "connection opened", "waited for a connection"]);
    assert_eq!((told[0].level, told[0].names(), told[0].field("probed")), (Level::DEBUG, vec!["probed"], "true"));

    let (pool, _) = self::pool(PoolPolicy::default().with_recycle(Duration::from_nanos(1)));
    drop(pool.acquire().await.expect("opened"));
    let (lease, told) = listen(pool.acquire()).await;
    drop(lease.expect("opened"));
    assert_eq!(names(&told), ["connection recycled", "connection opened", "waited for a connection"]);
    assert_eq!((told[0].level, told[0].names()), (Level::DEBUG, vec!["age_ms"]));
}

/// Answers everything; `COMMIT` as it is told to.
#[derive(Debug, Default)]
struct Script {
    verdict: Verdict,
    commit: Option<Error>,
}

impl Session for Script {
    async fn control(&mut self, statement: &'static str, _: Phase) -> Result<()> {
        self.commit.take_if(|_| statement == "COMMIT").map_or(Ok(()), Err)
    }

    fn verdict(&mut self) -> &mut Verdict {
        &mut self.verdict
    }

    fn condemn(&mut self) {}

    async fn pause(_: Duration) {}
}

/// The error that TiDB gives for a deadlock.
fn deadlock() -> Fault {
    Fault::Server(ServerError::new(1213, "40001", format!("Deadlock found at {NAME}")))
}

/// Runs a transaction whose first `conflicts` attempts meet a deadlock, and returns what it told.
async fn transaction(conflicts: u32, session: Script, result: Result<(), &'static str>) -> Vec<Told> {
    let options = TransactionOptions::new().with_retry(RetryPolicy::transaction().with_max_attempts(3));
    let mut attempt = 0;
    let work = move |mut handle: Handle<Script>| {
        attempt += 1;
        if attempt <= conflicts {
            handle.session_mut().verdict().note(&deadlock());
        }
        async move {
            drop(handle);
            result
        }
    };
    listen(run_on(session, &options, work)).await.1
}

#[tokio::test]
async fn a_transaction_is_a_span_with_its_attempts() {
    let told = transaction(0, Script::default(), Ok(())).await;
    let [span] = told.as_slice() else { panic!("expected a span alone, came {told:?}") };
    assert_eq!((span.name.as_str(), span.level), ("transaction", Level::INFO));
    assert_eq!(span.names(), ["attempts", "db.system.name", "outcome"]);
    assert_eq!((span.field("attempts"), span.field("outcome")), ("1", "committed"));

    let told = transaction(2, Script::default(), Ok(())).await;
    assert_eq!(names(&told), ["transaction", "trying again", "trying again"]);
    assert_eq!((told[0].field("attempts"), told[0].field("outcome")), ("3", "committed"));
    for (number, again) in ["2", "3"].into_iter().zip(&told[1..]) {
        assert_eq!((again.level, again.names()), (Level::DEBUG, vec!["attempt", "error.type", "pause_ms"]));
        assert_eq!((again.field("attempt"), again.field("error.type")), (number, "Conflict"));
        assert_eq!(again.within, ["transaction"]);
    }
}

#[tokio::test]
async fn a_transaction_that_is_not_committed_says_why() {
    let commit = |outcome| {
        let error = Error::operation("fake", "transaction", Phase::Commit, deadlock(), "a cause").with_outcome(outcome);
        Script { commit: Some(error), ..Script::default() }
    };
    let failed = ["attempts", "db.system.name", "error.type", "otel.status_code", "outcome"];
    let of_server =
        ["attempts", "db.response.status_code", "db.system.name", "error.type", "otel.status_code", "outcome"];
    let plain = Script::default;
    for (conflicts, session, result, names, kind, outcome) in [
        (1, plain(), Err(PASSWORD), &failed[..], "_OTHER", "aborted"),
        (3, plain(), Err(PASSWORD), &failed[..], "Conflict", "exhausted"),
        (3, plain(), Ok(()), &failed[..], "Conflict", "exhausted"),
        (0, commit(Outcome::Final), Ok(()), &of_server[..], "Conflict", "failed"),
        (0, commit(Outcome::Unknown), Ok(()), &of_server[..], "Conflict", "unknown"),
    ] {
        let told = transaction(conflicts, session, result).await;
        let span = only(&told, "transaction").expect("one span");
        assert_eq!((span.names().as_slice(), span.field("error.type"), span.field("outcome")), (names, kind, outcome));
        assert_eq!(span.field("otel.status_code"), "ERROR");
        reveals_nothing(&told);
    }
}
