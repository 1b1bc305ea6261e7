//! Measuring, point after point.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use futures_util::TryStreamExt;
use tidb_connect_core::{
    ConnectionConfig, Error, ErrorKind, Result, TlsMode,
    players::{LoadError, PlayerStore as _, PlayerStoreExt as _},
    pool::PoolPolicy,
};
use tidb_connect_mysql_async::MysqlAsyncStore;
use tidb_connect_wire::Link;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Machine, Measured, Measurement, Point, Round, Run, Settings, Subject,
    data::{Data, Operations},
    heap,
    load::{Pace, Tally, drive},
    subject::{Connecting, connect},
};

/// Players created by one statement before anything is measured.
const BATCH: usize = 1000;

/// A bench under way, in a database of its own on a server.
#[derive(Debug)]
pub struct Bench {
    config: ConnectionConfig,
    server: String,
}

impl Bench {
    /// Asks the server what it is. Nothing but the bench may use the database that `config` names.
    ///
    /// # Errors
    /// When the server is not reached.
    pub async fn open(config: &ConnectionConfig) -> Result<Self> {
        let store = MysqlAsyncStore::connect(config).await?;
        let server = store.server_version().await?;
        store.close().await?;
        Ok(Self { config: config.clone(), server })
    }

    /// Measures at every point of `settings`, and tells `progress` of each round before it begins. May be dropped half-way.
    ///
    /// `versions` are those of the drivers.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) when the settings cannot be measured; when a subject cannot connect, a round does not
    /// end, or the server is lost. Operations that fail are counted and are no error.
    pub async fn run(
        &self,
        settings: &Settings,
        command: String,
        versions: BTreeMap<String, String>,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<Run> {
        settings.validate()?;
        let date = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or_else(|_| OffsetDateTime::now_utc());
        let points = settings.points();
        let (mut measurements, mut table) = (Vec::new(), None::<(u64, Arc<Data>)>);
        for (number, point) in points.iter().enumerate() {
            let data = match table.take() {
                Some((rows, data)) if rows == point.rows => data,
                _ => self.load(point.rows).await?,
            };
            let measurement = self.measure(settings, point, &data, |subject, share| {
                progress(Progress { done: (number as f64 + share) / points.len() as f64, point, subject });
            });
            measurements.push(measurement.await?);
            // The next point, too, is to begin with as many players as it says.
            table = (!point.workload.grows()).then_some((point.rows, data));
        }
        Ok(Run {
            date: date.format(&Rfc3339).unwrap_or_default(),
            command,
            server: self.server.clone(),
            machine: Machine::this(),
            drivers: versions.into_iter().filter(|(driver, _)| settings.drivers.contains(driver)).collect(),
            settings: settings.clone(),
            measurements,
        })
    }

    /// Creates the table anew, with `rows` players.
    async fn load(&self, rows: u64) -> Result<Arc<Data>> {
        let store = MysqlAsyncStore::connect(&self.config).await?;
        match store.drop_table().await {
            Err(error) if error.kind() != ErrorKind::TableMissing => return Err(error),
            _ => store.create_table().await?,
        }
        store.load(Data::initial(rows), BATCH, |_| {}).await.map_err(LoadError::into_cause)?;
        let ids = store.players(None, BATCH as u32).map_ok(|player| player.id).try_collect().await?;
        store.close().await?;
        Ok(Arc::new(Data::new(ids)))
    }

    async fn measure(
        &self,
        settings: &Settings,
        point: &Point,
        data: &Arc<Data>,
        progress: impl FnMut(&str, f64),
    ) -> Result<Measurement> {
        let policy = PoolPolicy::default().with_max_connections(point.connections);
        let mut config = self.config.clone().with_pool(policy);
        let _link = match point.round_trip_ms {
            0 => None,
            added => {
                let link = Link::start(address(&config)?, Duration::from_millis(added)).map_err(no_link)?;
                // The link is on this machine, which alone must not make a remote server one without TLS.
                let (host, port) = (link.addr().ip().to_string(), link.addr().port());
                config = config.with_host(host).with_port(port).with_tls(TlsMode::Disabled);
                Some(link)
            }
        };
        let mut subjects = Vec::new();
        for driver in &settings.drivers {
            let connecting = connect(driver, point.workload, &config)?;
            subjects.extend(connecting.into_iter().map(|connecting| (driver.as_str(), connecting)));
        }
        Ok(Measurement { point: *point, subjects: in_turns(settings, point, data, subjects, progress).await? })
    }
}

/// How far a bench has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// From 0 to 1.
    pub done: f64,
    /// Where it is.
    pub point: &'a Point,
    /// Whose turn it is.
    pub subject: &'a str,
}

/// The rounds of all subjects at a point: A B C, A B C, and so on. Each connects for its first turn, which is not counted but
/// for what it holds of the heap.
pub(crate) async fn in_turns(
    settings: &Settings,
    point: &Point,
    data: &Arc<Data>,
    subjects: Vec<(&str, Connecting<'_>)>,
    mut progress: impl FnMut(&str, f64),
) -> Result<Vec<Measured>> {
    let turns = (settings.rounds + 1) * subjects.len();
    let mut entrants = Vec::with_capacity(subjects.len());
    let measured = async {
        for (number, (driver, connecting)) in subjects.into_iter().enumerate() {
            let heap = heap::Count::start();
            let subject = connecting.await?;
            let mut entrant = Entrant::new(driver, subject)?;
            progress(entrant.subject.name(), number as f64 / turns as f64);
            entrant.turn(settings, point, data, 0).await?;
            entrant.heap_bytes = heap.most();
            entrants.push(entrant);
        }
        for round in 1..=settings.rounds {
            for number in 0..entrants.len() {
                let turn = round * entrants.len() + number;
                let entrant = &mut entrants[number];
                progress(entrant.subject.name(), turn as f64 / turns as f64);
                let tally = entrant.turn(settings, point, data, round).await?;
                entrant.rounds.push((&tally).into());
                entrant.total.add(&tally)?;
            }
        }
        Ok(())
    };
    let measured = measured.await;
    for entrant in &entrants {
        entrant.subject.close().await;
    }
    measured.map(|()| compared(&entrants, settings.is_open()))
}

/// A subject in its rounds.
struct Entrant<'a> {
    driver: &'a str,
    subject: Arc<dyn Subject>,
    heap_bytes: Option<u64>,
    rounds: Vec<Round>,
    total: Tally,
}

impl<'a> Entrant<'a> {
    fn new(driver: &'a str, subject: Arc<dyn Subject>) -> Result<Self> {
        Ok(Self { driver, subject, heap_bytes: None, rounds: Vec::new(), total: Tally::new()? })
    }

    async fn turn(&self, settings: &Settings, point: &Point, data: &Arc<Data>, round: usize) -> Result<Tally> {
        let pace = Pace { warm_up: settings.warm_up(), counted: settings.round(), rate: settings.rate };
        let operations = (0..point.tasks).map(|task| Operations::new(data, point, round, task)).collect();
        drive(&self.subject, operations, pace).await
    }
}

fn compared(entrants: &[Entrant<'_>], open: bool) -> Vec<Measured> {
    let measured = entrants.iter().map(|entrant| Measured {
        subject: entrant.subject.name().to_owned(),
        driver: entrant.driver.to_owned(),
        rounds: entrant.rounds.clone(),
        latency_us: (&entrant.total).into(),
        heap_bytes: entrant.heap_bytes,
        first_error: entrant.total.first_error.clone(),
        ratio: None,
    });
    let mut measured: Vec<_> = measured.collect();
    for (number, entrant) in entrants.iter().enumerate() {
        let bare = measured.iter().find(|other| Some(other.subject.as_str()) == entrant.subject.baseline()).cloned();
        if let Some(bare) = bare {
            measured[number].compare(&bare, open);
        }
    }
    measured
}

fn address(config: &ConnectionConfig) -> Result<SocketAddr> {
    if config.uses_tls() {
        let message = "a round-trip time can be added on the way to a server without TLS only, whose certificate would not \
                       fit: leave out --round-trip";
        return Err(Error::new(ErrorKind::Config, message));
    }
    let mut addresses = (config.host(), config.port()).to_socket_addrs().map_err(no_link)?;
    addresses.next().ok_or_else(|| Error::new(ErrorKind::Unreachable, "the server's host name has no address"))
}

fn no_link(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unreachable, "a path with a round-trip time cannot be made").with_source(error)
}
