//! What a call tells `tracing`, kept for a check.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Display},
    future::Future,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use tracing::{
    Event, Instrument, Level, Metadata, Subscriber,
    field::{Field, Visit},
    info_span,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
    registry::{LookupSpan, Scope},
};

use crate::Failure;

/// What this workspace tells.
const TARGET: &str = "tidb_connect";

/// The span of a [`listen`].
const ROOT: &str = "tidb_connect_testkit::listen";

/// A span or an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The span's name, or the event's message.
    pub name: String,
    /// How important it is.
    pub level: Level,
    /// The names of the spans around it, from the outermost.
    pub within: Vec<String>,
    /// What was recorded, as text.
    pub fields: BTreeMap<&'static str, String>,
}

impl Told {
    /// The names of the fields, in the order of the alphabet.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.fields.keys().copied().collect()
    }

    /// A field's value; empty where nothing was recorded.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// The only one of `told` with this name.
///
/// # Errors
/// When there is none, or another one.
pub fn only<'a>(told: &'a [Told], name: &str) -> Result<&'a Told, Failure> {
    let mut found = told.iter().filter(|told| told.name == name);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Failure::new(format!("expected one {name:?}, came {told:#?}"))),
    }
}

/// Everything that is told while calls are listened to, under the root's id, with its own where it is a span.
static HEARD: Mutex<Vec<(Id, Option<Id>, Told)>> = Mutex::new(Vec::new());

fn heard() -> MutexGuard<'static, Vec<(Id, Option<Id>, Told)>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The output of `call`, and what it told, in the order in which that began; on other threads, too, where its span is
/// carried there.
///
/// # Panics
/// When something else in the program listens to `tracing`.
pub async fn listen<T>(call: impl Future<Output = T>) -> (T, Vec<Told>) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let listener = Registry::default().with(Listener);
        tracing::subscriber::set_global_default(listener).expect("nothing else listens");
    });
    let root = info_span!(target: ROOT, "listen");
    let id = root.id();
    let output = call.instrument(root).await;
    let mut told = Vec::new();
    heard().retain(|(root, _, one)| {
        let ours = Some(root) == id.as_ref();
        if ours {
            told.push(one.clone());
        }
        !ours
    });
    (output, told)
}

struct Listener;

impl Listener {
    fn hear<'a, S>(scope: Option<Scope<'a, S>>, span: Option<&Id>, mut told: Told)
    where
        S: Subscriber + LookupSpan<'a>,
    {
        let mut around = scope.into_iter().flat_map(Scope::from_root).filter(|around| Some(&around.id()) != span);
        let Some(root) = around.next().filter(|root| root.metadata().target() == ROOT) else { return };
        told.within.extend(around.map(|around| around.name().to_owned()));
        heard().push((root.id(), span.cloned(), told));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        [TARGET, ROOT].contains(&metadata.target())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut told = told(attributes.metadata().name(), attributes.metadata());
        attributes.record(&mut Fields(&mut told));
        Self::hear(context.span_scope(id), Some(id), told);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some((.., told)) = heard().iter_mut().rev().find(|(_, span, _)| span.as_ref() == Some(id)) {
            values.record(&mut Fields(told));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut told = told("", event.metadata());
        event.record(&mut Fields(&mut told));
        told.name = told.fields.remove("message").unwrap_or_default();
        Self::hear(context.event_scope(event), None, told);
    }
}

fn told(name: &str, metadata: &Metadata<'_>) -> Told {
    Told { name: name.to_owned(), level: *metadata.level(), within: Vec::new(), fields: BTreeMap::new() }
}

struct Fields<'a>(&'a mut Told);

impl Fields<'_> {
    fn keep(&mut self, field: &Field, value: &dyn Display) {
        self.0.fields.insert(field.name(), value.to_string());
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.keep(field, &format_args!("{value:?}"));
    }
}
