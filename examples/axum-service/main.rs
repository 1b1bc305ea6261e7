//! A service over HTTP that holds a store: `Arc<dyn PlayerStore>` as axum's state, an honest status for every error, a
//! health check, spans, and a shutdown that says goodbye to the server.
//!
//! Run it with `just playground -- cargo run -p example-axum-service`, or with TIDB_HOST and the others set; LISTEN is
//! the address, by default 127.0.0.1:3000. Ctrl-C or SIGTERM ends it.
//!
//! ```sh
//! curl -i localhost:3000/players --json '{"name": "test", "coins": 1, "goods": 1}'
//! curl -i 'localhost:3000/players?limit=10'
//! ```

use std::{env, error::Error as StdError, io, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tidb_connect_sqlx::{
    ConnectionConfig, Error, ErrorKind, Outcome, SqlxStore,
    tidb_connect_core::players::{NewPlayer, Player, PlayerId, PlayerStore, Status, Traced, Trade},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::{filter::Targets, fmt::format::FmtSpan, layer::SubscriberExt, util::SubscriberInitExt};

/// What every handler gets: shared, not copied, and without the driver's name.
type Store = State<Arc<dyn PlayerStore>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    // A line for each event, and for each span when it ends, on stderr.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_span_events(FmtSpan::CLOSE);
    let shown = Targets::new().with_target("tidb_connect", tracing::Level::DEBUG).with_default(tracing::Level::INFO);
    tracing_subscriber::registry().with(lines).with(shown).init();

    let config = ConnectionConfig::from_env()?;
    let store = Traced::new(SqlxStore::connect(&config).await?, &config);
    match store.create_table().await {
        Err(error) if error.kind() == ErrorKind::TableExists => {}
        created => created?,
    }
    let store: Arc<dyn PlayerStore> = Arc::new(store);
    let service = Router::new()
        .route("/players", get(list).post(create))
        .route("/players/{id}", get(find))
        .route("/trades", post(trade))
        .route("/health", get(health))
        .with_state(Arc::clone(&store));

    // From here on the signals end nothing by themselves.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = TcpListener::bind(env::var("LISTEN").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("http://{}", listener.local_addr()?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    // Requests under way are answered first; then nobody uses the store any more.
    axum::serve(listener, service).with_graceful_shutdown(stop).await?;
    store.close().await?;
    Ok(())
}

#[derive(Deserialize)]
struct Page {
    after: Option<i64>,
    limit: Option<u32>,
}

async fn list(State(store): Store, Query(page): Query<Page>) -> Result<Json<Vec<PlayerBody>>, Failed> {
    let players = store.list(page.after.map(PlayerId), page.limit.unwrap_or(100).min(1_000)).await?;
    Ok(Json(players.into_iter().map(PlayerBody::from).collect()))
}

async fn find(State(store): Store, Path(id): Path<i64>) -> Result<Json<PlayerBody>, Failed> {
    let found = store.find(PlayerId(id)).await?;
    Ok(Json(found.ok_or_else(|| Error::refused("find", ErrorKind::NotFound))?.into()))
}

async fn create(State(store): Store, Json(body): Json<NewPlayerBody>) -> Result<Response, Failed> {
    let player = store.create(&NewPlayer::new(body.name, body.coins, body.goods)).await?;
    let location = [(header::LOCATION, format!("/players/{}", player.id))];
    Ok((StatusCode::CREATED, location, Json(PlayerBody::from(player))).into_response())
}

async fn trade(State(store): Store, Json(body): Json<TradeBody>) -> Result<StatusCode, Failed> {
    let TradeBody { buyer, seller, goods, price } = body;
    store.trade(&Trade { buyer: PlayerId(buyer), seller: PlayerId(seller), goods, price }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// For a load balancer: may requests be sent here?
async fn health(State(store): Store) -> (StatusCode, String) {
    let Status { pool, server, .. } = store.status().await;
    let status = if server.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{} of {} connections open, {} callers waiting\n", pool.size, pool.max, pool.waiting))
}

/// What came of a request that failed, for a caller who sees neither the server nor its settings.
struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        use ErrorKind as Kind;

        let Self(error) = self;
        let status = match (error.outcome(), error.kind()) {
            // First of all: whether it was done is not known, which no other answer may hide.
            (Outcome::Unknown, Kind::TimedOut) => StatusCode::GATEWAY_TIMEOUT,
            (Outcome::Unknown, _) => StatusCode::INTERNAL_SERVER_ERROR,
            (_, Kind::NotFound) => StatusCode::NOT_FOUND,
            (_, Kind::AlreadyExists | Kind::InsufficientCoins | Kind::InsufficientGoods) => StatusCode::CONFLICT,
            (_, Kind::InvalidInput | Kind::OutOfRange) => StatusCode::UNPROCESSABLE_ENTITY,
            (Outcome::Retryable, _) | (_, Kind::Closed) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(kind = ?error.kind(), outcome = ?error.outcome(), "{error}");
        }
        let text = match (error.outcome(), status) {
            (Outcome::Unknown, _) => "it may have been done or not: look before you send it again".to_owned(),
            (_, StatusCode::SERVICE_UNAVAILABLE) => "not now; nothing was done: send it again later".to_owned(),
            (_, StatusCode::INTERNAL_SERVER_ERROR) => "something is wrong here; nothing was done".to_owned(),
            // The request's own fault, in the words of the store.
            _ => error.to_string(),
        };
        let mut response = (status, text + "\n").into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[derive(Deserialize)]
struct NewPlayerBody {
    name: String,
    coins: i32,
    goods: i32,
}

#[derive(Serialize)]
struct PlayerBody {
    id: i64,
    name: String,
    coins: i32,
    goods: i32,
}

impl From<Player> for PlayerBody {
    fn from(Player { id, name, coins, goods }: Player) -> Self {
        Self { id: id.0, name, coins, goods }
    }
}

#[derive(Deserialize)]
struct TradeBody {
    buyer: i64,
    seller: i64,
    goods: i32,
    price: i32,
}
