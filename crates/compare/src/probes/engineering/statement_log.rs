use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    instrument::WithSubscriber,
    span,
    subscriber::with_default,
};

use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Does the driver tell `tracing` of the statements it runs?",
    meaning: "Where nothing is told, what is slow or fails must be logged by the application, call by call.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT 42";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let heard = Heard::default();
    match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            sqlx::query(STATEMENT).execute(&mut connection).with_subscriber(heard.clone()).await?;
        }
        Driver::Mysql => {
            let heard = heard.clone();
            lab.mysql(move |connection| Ok(with_default(heard, || connection.query_drop(STATEMENT))?)).await?;
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.query_drop(STATEMENT).with_subscriber(heard.clone()).await?;
        }
    }
    let heard = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = match (heard.is_empty(), heard.iter().any(|told| told.contains(STATEMENT))) {
        (true, _) => "nothing",
        (false, false) => "without the statement's text",
        (false, true) => "with the statement's text",
    };
    Ok(heard.iter().fold(Answer::new(answer), Answer::with))
}

/// Keeps what it is told: the names and fields of spans and events.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn note(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) {
        let mut fields = Fields(String::new());
        record(&mut fields);
        let told = format!("{} {}:{}", metadata.level(), metadata.target(), fields.0);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sqlx") || metadata.target().starts_with("mysql")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.note(span.metadata(), |fields| span.record(fields));
        span::Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        self.note(event.metadata(), |fields| event.record(fields));
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
