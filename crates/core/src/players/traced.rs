//! A store whose calls can be watched.

use std::future::Future;

use async_trait::async_trait;
use tracing::{Instrument, Span, field::Empty, info_span};

use super::{NewPlayer, Player, PlayerId, PlayerStore, Status, Trade};
use crate::{
    ConnectionConfig, Result,
    telemetry::{TARGET, record_failure},
};

/// Any store, with a `tracing` span around each call, in the names of OpenTelemetry: see
/// [what can be watched](crate#watching-it).
///
/// What happens within, such as a wait for a connection, is told within the span. A call that is dropped ends its span
/// with neither rows nor an error.
///
/// ```
/// use std::sync::Arc;
/// use tidb_connect_core::{ConnectionConfig, players::{MemoryStore, PlayerStore, Traced}};
///
/// let config = ConnectionConfig::new();
/// let store = MemoryStore::new(); // or a driver's `connect(&config).await?`
/// let store: Arc<dyn PlayerStore> = Arc::new(Traced::new(store, &config));
/// # assert_eq!(store.driver(), "memory");
/// ```
#[derive(Clone, Debug)]
pub struct Traced<S> {
    store: S,
    host: String,
    port: u16,
    database: String,
}

impl<S: PlayerStore> Traced<S> {
    /// `store`, in spans that name the server and the database of `config`.
    #[must_use]
    pub fn new(store: S, config: &ConnectionConfig) -> Self {
        Self { store, host: config.host().to_owned(), port: config.port(), database: config.database().to_owned() }
    }
}

/// A span's name and fields are part of its call site, so each call has its own.
macro_rules! span {
    ($traced:ident, $operation:literal $(on $table:literal)? $(, $($field:tt)+)?) => {
        info_span!(
            target: TARGET,
            concat!($operation $(, " ", $table)?),
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = "mysql",
            db.namespace = $traced.database,
            $(db.collection.name = $table,)?
            db.operation.name = $operation,
            db.response.status_code = Empty,
            "error.type" = Empty,
            server.address = $traced.host,
            server.port = $traced.port,
            $($($field)+)?
        )
    };
}

async fn within<T>(span: &Span, call: impl Future<Output = Result<T>>) -> Result<T> {
    let result = call.instrument(span.clone()).await;
    if let Err(error) = &result {
        record_failure(span, Some(error.kind()), error.server());
    }
    result
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: PlayerStore> PlayerStore for Traced<S> {
    fn driver(&self) -> &'static str {
        self.store.driver()
    }

    async fn server_version(&self) -> Result<String> {
        within(&span!(self, "server_version"), self.store.server_version()).await
    }

    async fn create_table(&self) -> Result<()> {
        within(&span!(self, "create_table" on "players"), self.store.create_table()).await
    }

    async fn drop_table(&self) -> Result<()> {
        within(&span!(self, "drop_table" on "players"), self.store.drop_table()).await
    }

    async fn create(&self, player: &NewPlayer) -> Result<Player> {
        within(&span!(self, "create" on "players"), self.store.create(player)).await
    }

    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        // By the conventions, one of anything is no batch.
        let size = (players.len() != 1).then_some(players.len());
        let span = span!(self, "create_many" on "players", db.operation.batch.size = size);
        within(&span, self.store.create_many(players)).await
    }

    async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        let span = span!(self, "find" on "players", db.response.returned_rows = Empty);
        let found = within(&span, self.store.find(id)).await?;
        span.record("db.response.returned_rows", u8::from(found.is_some()));
        Ok(found)
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        let span = span!(self, "find_by_name" on "players", db.response.returned_rows = Empty);
        let found = within(&span, self.store.find_by_name(name)).await?;
        span.record("db.response.returned_rows", u8::from(found.is_some()));
        Ok(found)
    }

    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        let span = span!(self, "list" on "players", db.response.returned_rows = Empty);
        let players = within(&span, self.store.list(after, limit)).await?;
        span.record("db.response.returned_rows", players.len());
        Ok(players)
    }

    async fn count(&self) -> Result<u64> {
        within(&span!(self, "count" on "players"), self.store.count()).await
    }

    async fn update(&self, player: &Player) -> Result<()> {
        within(&span!(self, "update" on "players"), self.store.update(player)).await
    }

    async fn delete(&self, id: PlayerId) -> Result<()> {
        within(&span!(self, "delete" on "players"), self.store.delete(id)).await
    }

    async fn trade(&self, trade: &Trade) -> Result<()> {
        within(&span!(self, "trade" on "players"), self.store.trade(trade)).await
    }

    async fn status(&self) -> Status {
        let span = span!(self, "status");
        let status = self.store.status().instrument(span.clone()).await;
        if let Err(error) = &status.server {
            record_failure(&span, Some(error.kind()), error.server());
        }
        status
    }

    async fn close(&self) -> Result<()> {
        within(&span!(self, "close"), self.store.close()).await
    }
}
