//! Which server `run` uses.

use tidb_connect_core::{ConnectionConfig, Result, Settings};
use tidb_connect_playground::{Kind, Playground, Server, running_tidb};
use tokio::task::spawn_blocking;

use crate::{
    failure::{Exit, Failure},
    say,
};

const LOCAL_PORT: u16 = 4000;

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
        if let Some(version) = running_tidb(LOCAL_PORT) {
            say(format_args!(
                "no server is configured: using the TiDB {version} that listens on 127.0.0.1:{LOCAL_PORT}"
            ));
            return Ok(Self { config, _playground: None });
        }
        say(format_args!(
            "no server is configured, and no TiDB listens on 127.0.0.1:{LOCAL_PORT}: starting a throw-away one"
        ));
        let server = start_playground().await?;
        let config = ConnectionConfig::new().with_host(server.host()).with_port(server.port());
        Ok(Self { config, _playground: Some(server) })
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
