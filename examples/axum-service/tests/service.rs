//! The service as a program: started, asked over HTTP, disturbed, and ended by SIGTERM.

use std::{
    error::Error as StdError,
    process::{self, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tidb_connect_sqlx::{
    ConnectionConfig, Pool, connect,
    sqlx::{self, Executor},
    tidb_connect_core::Settings,
};
use tidb_connect_wire::{Answer, CommandKind, Fault, Point, Proxy};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, lookup_host},
    process::{Child, Command},
    time::{sleep, timeout},
};

type Result<T> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// An id that no player has.
const ABSENT: i64 = i64::MAX;

#[tokio::test]
async fn the_service_answers_honestly_and_leaves_no_connection() -> Result<()> {
    let settings = Settings::from_env()?;
    assert!(settings.names_a_server(), "no server: set TIDB_HOST and TIDB_PORT, or run `just test`, which starts one");
    let config = settings.config()?;
    let database = format!("example_axum_service_{}", process::id());
    let pool = connect(&config).await?;
    pool.get().await?.execute(format!("CREATE DATABASE {database}").as_str()).await?;
    // A task, so that the database is removed even after a panic.
    let task = tokio::spawn({
        let (pool, database) = (pool.clone(), database.clone());
        async move { timeout(LIMIT, conversation(&config, &pool, &database)).await? }
    });
    let result = task.await;
    pool.get().await?.execute(format!("DROP DATABASE {database}").as_str()).await?;
    pool.close().await?;
    result?
}

async fn conversation(config: &ConnectionConfig, pool: &Pool, database: &str) -> Result<()> {
    let server = lookup_host((config.host(), config.port())).await?.next().ok_or("the server has no address")?;
    let proxy = Proxy::start(server)?;
    let service = Service::start(&proxy, database).await?;

    let created = service.ask("POST /players", r#"{"name": "first player", "coins": 100, "goods": 10}"#).await?;
    assert_eq!((created.status, &created.json()?["name"]), (201, &"first player".into()));
    let (one, path) = (created.json()?["id"].clone(), created.location.ok_or("no location")?);
    let created = service.ask("POST /players", r#"{"name": "second player", "coins": 100, "goods": 10}"#).await?;
    let two = created.json()?["id"].clone();
    let taken = service.ask("POST /players", r#"{"name": "second player", "coins": 1, "goods": 1}"#).await?;
    assert_eq!(taken.status, 409, "{taken:?}");
    let nameless = service.ask("POST /players", r#"{"name": "", "coins": 1, "goods": 1}"#).await?;
    assert_eq!(nameless.status, 422, "{nameless:?}");

    assert_eq!(service.ask(&format!("GET {path}"), "").await?.json()?["coins"], 100);
    assert_eq!(service.ask(&format!("GET /players/{ABSENT}"), "").await?.status, 404);
    let page = service.ask("GET /players?limit=1", "").await?.json()?;
    assert_eq!(page.as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(service.ask(&format!("GET /players?after={one}"), "").await?.json()?[0]["id"], two);

    let trade = |seller: &Value, goods: i32, price: i32| {
        format!(r#"{{"buyer": {one}, "seller": {seller}, "goods": {goods}, "price": {price}}}"#)
    };
    for (status, body) in [
        (204, trade(&two, 1, 10)),
        (409, trade(&two, 1, 1_000)),
        (409, trade(&two, 1_000, 1)),
        (422, trade(&two, 0, 1)),
        (404, trade(&ABSENT.into(), 1, 1)),
    ] {
        let answer = service.ask("POST /trades", &body).await?;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    assert_eq!(service.ask(&format!("GET {path}"), "").await?.json()?["coins"], 90);

    // The trade is made, and nobody is told.
    proxy.arm(Point::Command(CommandKind::Execute), Fault::AfterAnswer(0, Answer::Close));
    let unknown = service.ask("POST /trades", &trade(&two, 1, 10)).await?;
    assert_eq!(unknown.status, 500, "{unknown:?}");
    assert!(unknown.body.contains("look before you send it again"), "{unknown:?}");
    // The next two calls need a new connection, which they do not get.
    for request in [&format!("GET {path}"), "GET /health"] {
        proxy.arm(Point::Connect, Fault::AfterRequest(0, Answer::Close));
        let unavailable = service.ask(request, "").await?;
        assert_eq!(unavailable.status, 503, "{unavailable:?}");
    }
    assert_eq!(service.ask(&format!("GET {path}"), "").await?.json()?["coins"], 80);
    assert_eq!(service.ask("GET /health", "").await?.status, 200);

    assert_eq!(connections(pool, database).await?, 1);
    let output = service.end().await?;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(proxy.stop().count(CommandKind::Quit), 1, "the goodbyes");
    while connections(pool, database).await? > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let lines = String::from_utf8(output.stderr)?;
    let failed = "db.response.status_code=1062";
    for shown in [r#"create players{otel.kind="client""#, "error.type=InsufficientCoins", failed, "connection opened"] {
        assert!(lines.contains(shown), "{shown} is not in:\n{lines}");
    }
    assert!(!lines.contains("player\"") && !lines.contains(" player "), "a name is in:\n{lines}");
    Ok(())
}

/// How many connections the server has that use this database.
async fn connections(pool: &Pool, database: &str) -> Result<i64> {
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = ?";
    Ok(sqlx::query_scalar(count).bind(database).fetch_one(&mut pool.get().await?).await?)
}

struct Service {
    program: Child,
    address: String,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    location: Option<String>,
    body: String,
}

impl Reply {
    fn json(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.body)?)
    }
}

impl Service {
    /// Starts the program, and waits for its first line.
    async fn start(proxy: &Proxy, database: &str) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_example-axum-service"));
        command.env("TIDB_HOST", proxy.addr().ip().to_string()).env("TIDB_PORT", proxy.addr().port().to_string());
        command.env("TIDB_DB_NAME", database).env("LISTEN", "127.0.0.1:0").kill_on_drop(true);
        let mut program = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(program.stdout.take().ok_or("no stdout")?).read_line(&mut line).await?;
        match line.trim_end().strip_prefix("http://") {
            Some(address) => Ok(Self { address: address.to_owned(), program }),
            None => {
                Err(format!("the service does not say where it listens: {:?}", program.wait_with_output().await).into())
            }
        }
    }

    /// Sends a request with a body of JSON, on a connection of its own.
    async fn ask(&self, request: &str, body: &str) -> Result<Reply> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let length = body.len();
        let head = "host: example\r\nconnection: close\r\ncontent-type: application/json";
        let text = format!("{request} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        let (head, body) = reply.split_once("\r\n\r\n").ok_or("no end of the head")?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        let location = head.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
        Ok(Reply { status, location, body: body.to_owned() })
    }

    /// Sends SIGTERM, through the shell because the standard library cannot, and waits for the end.
    async fn end(self) -> Result<Output> {
        let id = self.program.id().ok_or("the service has ended")?;
        Command::new("/bin/sh").args(["-c", "kill -s TERM $0", &id.to_string()]).status().await?;
        Ok(self.program.wait_with_output().await?)
    }
}
