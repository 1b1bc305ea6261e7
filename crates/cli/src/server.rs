//! Which server a command uses, and how it gets there.

use std::{future::Future, pin::pin, time::Duration};

use tidb_connect_core::{ConnectionConfig, Deployment, ErrorKind, Result, Settings};
use tidb_connect_playground::{Kind, Playground, Server, running_tidb};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    doctor,
    failure::{Exit, Failure},
    say,
};

const LOCAL_PORT: u16 = 4000;

/// How long connecting may take before the person in front is told why.
const SILENCE: Duration = Duration::from_secs(3);

/// A server to use, kept running for as long as this is kept when it was started for us.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) config: ConnectionConfig,
    _playground: Option<Server>,
}

impl Target {
    /// The server that the settings name; else a TiDB that listens on this machine; else one of our own.
    pub(crate) async fn choose(settings: Settings) -> Result<Self, Failure> {
        let config = settings.config()?;
        if settings.names_a_server() {
            return Ok(Self { config, _playground: None });
        }
        let running = spawn_blocking(|| running_tidb(LOCAL_PORT)).await;
        if let Ok(Some(version)) = running {
            say(format_args!(
                "no server is configured: using the TiDB {version} that listens on 127.0.0.1:{LOCAL_PORT}"
            ));
            return Ok(Self { config, _playground: None });
        }
        say(format_args!(
            "no server is configured, and no TiDB listens on 127.0.0.1:{LOCAL_PORT}: starting a throw-away one"
        ));
        Self::playground().await
    }

    /// The server that the settings name; else one of our own.
    pub(crate) async fn named_or_playground(settings: Settings) -> Result<Self, Failure> {
        let config = settings.config()?;
        if settings.names_a_server() {
            return Ok(Self { config, _playground: None });
        }
        say("no server is configured: starting a throw-away one");
        Self::playground().await
    }

    async fn playground() -> Result<Self, Failure> {
        let server = start_playground().await?;
        let config = ConnectionConfig::new().with_host(server.host()).with_port(server.port());
        Ok(Self { config, _playground: Some(server) })
    }
}

/// What `connecting` opens to the server of `config`. A failure is said as the doctor says it.
pub(crate) async fn connected<T>(
    config: &ConnectionConfig,
    connecting: impl Future<Output = Result<T>>,
) -> Result<T, Failure> {
    let (mut connecting, mut looking) = (pin!(connecting), pin!(doctor::reach(config)));
    let mut looked = None;
    let connected = match timeout(SILENCE, &mut connecting).await {
        Ok(connected) => connected,
        Err(_) => {
            let waking = match config.deployment() {
                Deployment::Starter => ": a cluster that sleeps takes a while to wake",
                _ => "",
            };
            say(format_args!("still connecting, for up to {} s{waking}", config.connect_timeout().as_secs()));
            // The doctor looks meanwhile, so that nobody waits for the same silence twice.
            loop {
                tokio::select! {
                    connected = &mut connecting => break connected,
                    reached = &mut looking, if looked.is_none() => looked = Some(reached),
                }
            }
        }
    };
    match connected {
        Ok(connection) => Ok(connection),
        Err(error) if error.kind() == ErrorKind::Config => Err(error.into()),
        Err(error) => {
            // In the other cases the server itself has said what is wrong.
            let doubtful = matches!(
                error.kind(),
                ErrorKind::Unreachable | ErrorKind::TimedOut | ErrorKind::Protocol | ErrorKind::AccessDenied
            );
            let reached = match (doubtful, looked) {
                (false, _) => None,
                (true, Some(reached)) => Some(reached),
                (true, None) => Some(looking.await),
            };
            let sentence =
                reached.map(|reached| reached.map_or_else(|said| said, |_| doctor::login_sentence(config, &error)));
            let failure = Failure::new(Exit::NoConnection, error).with_sentence(sentence);
            Err(failure.with_note("`tidb-connect doctor` with the same settings goes there step by step"))
        }
    }
}

/// Starts a server, and says what it is and what it is not.
pub(crate) async fn start_playground() -> Result<Server, Failure> {
    let found = Playground::find()?;
    let path = found.path().display().to_string();
    if found.kind() != Kind::TiDb {
        let kind = found.kind();
        say(format_args!(
            "note: this is {kind}, not TiDB: it speaks the same protocol, but behaves differently in places"
        ));
    }
    say(format_args!("starting {} ({path})", found.kind()));
    let started = spawn_blocking(move || found.start()).await;
    let server = started.map_err(|error| Failure::new(Exit::Failed, error))??;
    say(format_args!("{} {} answers on {}:{}", server.kind(), server.version(), server.host(), server.port()));
    Ok(server)
}
