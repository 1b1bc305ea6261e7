//! What the events and spans have in common; they are listed in the crate's documentation.

use std::time::Duration;

use tracing::{
    Span,
    field::{debug, display},
};

use crate::{ErrorKind, ServerError};

/// A name of its own, so that filters outlive a move of code between modules.
pub(crate) const TARGET: &str = "tidb_connect";

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Without the error's text and the server's, which may quote values. An error of the caller's own has no kind.
pub(crate) fn record_failure(span: &Span, kind: Option<ErrorKind>, server: Option<&ServerError>) {
    span.record("otel.status_code", "ERROR");
    match kind {
        Some(kind) => span.record("error.type", debug(kind)),
        None => span.record("error.type", "_OTHER"),
    };
    if let Some(server) = server {
        span.record("db.response.status_code", display(server.code));
    }
}
