//! Making the observations, one after another.

use std::{collections::BTreeMap, time::Duration};

use tidb_connect_core::{BoxError, ConnectionConfig, Error, Result, players::PlayerStore as _};
use tidb_connect_mysql_async::MysqlAsyncStore;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{runtime, task::spawn_blocking, time::timeout};

use crate::{
    Answers, Driver, Run, Selection, Server,
    lab::{Lab, NotObservable, Panicked},
    probe::{Answer, Observed, Observer, Probe},
};

/// An observation that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// The server's refusals for want of a privilege: of a database, a login, a table, a column, or something global; TiDB's own
/// of a privilege for `KILL`, and of what its security-enhanced mode keeps back.
const PRIVILEGES: [u16; 9] = [1044, 1045, 1095, 1142, 1143, 1227, 1370, 8121, 8132];

/// A comparison under way, in a database of its own on a server.
#[derive(Debug)]
pub struct Comparison {
    config: ConnectionConfig,
    server: Server,
}

impl Comparison {
    /// Asks the server what it is. Nothing but the comparison may use the database that `config` names.
    ///
    /// # Errors
    /// When the server is not reached.
    pub async fn open(config: &ConnectionConfig) -> Result<Self> {
        let store = MysqlAsyncStore::connect(config).await?;
        let server = Server::from_version(&store.server_version().await?);
        store.close().await?;
        Ok(Self { config: config.clone(), server })
    }

    /// Makes the observations of `selection`, and tells `progress` of each before it begins. May be dropped half-way.
    pub async fn run(&self, selection: &Selection, command: String, mut progress: impl FnMut(Progress)) -> Run {
        let date = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or_else(|_| OffsetDateTime::now_utc());
        let asked = selection.probes();
        let total = asked.iter().map(|asked| asked.probe.map_or(0, |probe| probe.observers().count())).sum::<usize>()
            * selection.drivers().len();
        let (mut probes, mut done) = (Vec::new(), 0);
        for asked in asked {
            let mut answers = Answers {
                id: asked.id.to_owned(),
                chapter: asked.chapter.to_owned(),
                question: asked.question.to_owned(),
                answers: BTreeMap::new(),
                evidence: BTreeMap::new(),
                not_observable: BTreeMap::new(),
                failed: BTreeMap::new(),
                meaning: asked.meaning.to_owned(),
            };
            for &driver in selection.drivers() {
                for (ours, observer) in asked.probe.into_iter().flat_map(Probe::observers) {
                    let name = if ours { driver.our_name() } else { driver.name() };
                    progress(Progress { done, total, id: asked.id, name });
                    let setup = asked.probe.map_or(&[][..], |probe| probe.setup);
                    answers.note(name, self.observe(driver, observer, setup).await);
                    done += 1;
                }
            }
            probes.push(answers);
        }
        Run {
            date: date.format(&Rfc3339).unwrap_or_default(),
            command,
            server: self.server.clone(),
            drivers: Driver::ALL.iter().map(|driver| (driver.name().to_owned(), driver.version().to_owned())).collect(),
            probes,
            costs: None,
        }
    }

    /// Each in a runtime of its own, which takes with it whatever hangs.
    async fn observe(&self, driver: Driver, observer: Observer, setup: &'static [&'static str]) -> Observed {
        let (server, config) = (self.server.clone(), self.config.clone());
        let work = move || {
            let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let observed = runtime.block_on(observe(server, config, driver, observer, setup));
            runtime.shutdown_background();
            observed
        };
        spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()))
    }
}

/// How far a comparison has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Observations made.
    pub done: usize,
    /// Observations to make, those included.
    pub total: usize,
    /// The probe that begins.
    pub id: &'static str,
    /// The crate that it looks at.
    pub name: &'static str,
}

async fn observe(
    server: Server,
    config: ConnectionConfig,
    driver: Driver,
    observer: Observer,
    setup: &'static [&'static str],
) -> Observed {
    let lab = Lab::open(server, &config)?;
    let observed = async {
        lab.empty().await?;
        for statement in setup {
            lab.sql(statement).await?;
        }
        match timeout(LIMIT, tokio::spawn(observer(driver, lab.clone()))).await {
            Ok(Ok(observed)) => observed,
            Ok(Err(panicked)) => Err(Panicked::from(panicked).into()),
            Err(_) => Err(format!("not done after {} s", LIMIT.as_secs()).into()),
        }
    };
    let observed = observed.await;
    let observed = observed.map(|answer| lab.packets().into_iter().fold(answer, Answer::with));
    lab.end().await;
    observed
}

impl Answers {
    fn note(&mut self, name: &str, observed: Observed) {
        match observed {
            Ok(Answer { text, evidence }) => {
                self.answers.insert(name.to_owned(), text);
                self.evidence.insert(name.to_owned(), evidence);
            }
            Err(error) if error.is::<NotObservable>() || is_privilege(&error) => {
                self.not_observable.insert(name.to_owned(), error.to_string());
            }
            Err(error) => {
                self.failed.insert(name.to_owned(), chain(&*error));
            }
        }
    }
}

fn is_privilege(error: &BoxError) -> bool {
    let code = match (error.downcast_ref(), error.downcast_ref(), error.downcast_ref(), error.downcast_ref()) {
        (Some(sqlx::Error::Database(error)), ..) => {
            error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|error| error.number())
        }
        (_, Some(mysql::Error::MySqlError(error)), ..) => Some(error.code),
        (_, _, Some(mysql_async::Error::Server(error)), _) => Some(error.code),
        (.., Some(error)) => Error::server(error).map(|error| error.code),
        _ => None,
    };
    code.is_some_and(|code| PRIVILEGES.contains(&code))
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
