use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::background::{Background, accept};
use crate::greeting::CLIENT_SSL;
use crate::protocol::SSL_REQUEST_LEN;
use crate::session::{AUTOCOMMIT, CLIENT_DEPRECATE_EOF, COLLATION, Next, SCRAMBLE, Session};
use crate::{Answer, Command, CommandKind, Script, lock};

/// What TiDB advertises, without compression (`pkg/server/server.go`, `defaultCapability`): LONG_PASSWORD, FOUND_ROWS,
/// LONG_FLAG, CONNECT_WITH_DB, LOCAL_FILES, PROTOCOL_41, INTERACTIVE, TRANSACTIONS, SECURE_CONNECTION, MULTI_STATEMENTS,
/// MULTI_RESULTS, PLUGIN_AUTH, CONNECT_ATTRS and DEPRECATE_EOF.
const CAPABILITIES: u32 = 1
    | 1 << 1
    | 1 << 2
    | 1 << 3
    | 1 << 7
    | 1 << 9
    | 1 << 10
    | 1 << 13
    | 1 << 15
    | 1 << 16
    | 1 << 17
    | 1 << 19
    | 1 << 20
    | CLIENT_DEPRECATE_EOF;

/// A server for one [`Script`], for any number of connections.
///
/// It listens on a free port of 127.0.0.1, runs in a thread of its own and needs no async runtime, but may be used inside
/// one. Dropping it stops it and cuts every connection. It keeps all that its clients send for as long as it lives.
///
/// What closes a connection closes its sending side: a client reads all that was said, and then the end.
#[derive(Debug)]
pub struct StandIn {
    visits: Visits,
    stop: Option<oneshot::Sender<()>>,
    background: Background,
}

type Visits = Arc<Mutex<Vec<Arc<Mutex<Visit>>>>>;

/// What a [`StandIn`] has seen of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// Everything that the client has sent, without the TLS around it.
    pub sent: Vec<u8>,
    /// Whether TLS was agreed on.
    pub tls: bool,
    /// Whether a login has come.
    pub login: bool,
    /// The commands in the order in which they came.
    pub commands: Vec<Command>,
    /// Whether the connection is open on the client's side.
    pub open: bool,
}

impl Visit {
    /// Whether the client has sent these bytes, in one piece.
    pub fn has_sent(&self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        bytes.is_empty() || self.sent.windows(bytes.len()).any(|window| window == bytes)
    }
}

impl StandIn {
    /// Starts a server that follows `script`.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread, a port or a file descriptor.
    pub fn start(script: Script) -> io::Result<Self> {
        let visits = Visits::default();
        let (stop, stopped) = oneshot::channel();
        let background = Background::start({
            let visits = Arc::clone(&visits);
            move |listener| async move {
                tokio::select! {
                    () = serve(listener, script.into(), visits) => {}
                    _ = stopped => {}
                }
            }
        })?;
        Ok(Self { visits, stop: Some(stop), background })
    }

    /// The address to connect clients to.
    pub fn addr(&self) -> SocketAddr {
        self.background.addr
    }

    /// What has been seen so far: one entry per accepted connection, in the order of acceptance. Ended ones stay.
    ///
    /// What led to an answer is in it as soon as the client has the answer.
    pub fn visits(&self) -> Vec<Visit> {
        lock(&self.visits).iter().map(|visit| lock(visit).clone()).collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // Its receiver is gone where the thread has panicked, and there is nothing to stop.
        let _ = self.stop.take().map(|stop| stop.send(()));
        self.background.join();
    }
}

async fn serve(listener: TcpListener, script: Arc<Script>, visits: Visits) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            client = accept(&listener) => {
                let visit = Arc::new(Mutex::new(Visit { open: true, ..Visit::default() }));
                let mut visits = lock(&visits);
                visits.push(Arc::clone(&visit));
                let (number, script) = (visits.len() as u32, Arc::clone(&script));
                connections.spawn(async move {
                    // A connection that breaks is an end like any other.
                    let _ = attend(client, number, &script, &visit).await;
                    lock(&visit).open = false;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn attend(client: TcpStream, number: u32, script: &Script, visit: &Mutex<Visit>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let heard = |bytes: &[u8]| lock(visit).sent.extend_from_slice(bytes);
    let mut session =
        Session { stream: Box::new(client), heard: &heard, sequence: 0, capabilities: 0, in_transaction: false };
    if let Some(answer) = &script.connect {
        let next = session.say(answer, None).await?;
        return session.end(next).await;
    }
    session.send([greeting(script, number)]).await?;
    let mut login = session.receive().await?;
    if let (Some(tls), SSL_REQUEST_LEN) = (&script.tls, login.len) {
        session.stream = Box::new(TlsAcceptor::from(Arc::clone(tls)).accept(session.stream).await?);
        lock(visit).tls = true;
        login = session.receive().await?;
    }
    if login.sequence == 0 {
        // A command: a client says goodbye that does not like the greeting.
        return session.end(Next::Packet).await;
    }
    lock(visit).login = true;
    session.capabilities = login.head.first_chunk().map_or(0, |flags| u32::from_le_bytes(*flags));
    let next = session.say(&script.login, None).await?;
    if next == Next::Nothing || matches!(script.login, Answer::Error(_)) {
        return session.end(next).await;
    }
    loop {
        let packet = session.receive().await?;
        let Some(command) = Command::parse(&packet) else { continue };
        lock(visit).commands.push(command.clone());
        match command.text.as_deref().and_then(|text| text.split_whitespace().next()) {
            Some("BEGIN" | "START") => session.in_transaction = true,
            Some("COMMIT" | "ROLLBACK") => session.in_transaction = false,
            _ => {}
        }
        match command.kind {
            CommandKind::Quit => return session.end(Next::Packet).await,
            CommandKind::CloseStatement | CommandKind::SendLongData => {}
            kind => {
                let next = session.say(script.answer_to(&command), Some(kind)).await?;
                if next == Next::Nothing {
                    return session.end(next).await;
                }
            }
        }
    }
}

/// A greeting of protocol version 10.
fn greeting(script: &Script, number: u32) -> Vec<u8> {
    let capabilities = CAPABILITIES | if script.tls.is_some() { u32::from(CLIENT_SSL) } else { 0 };
    let [low, high] = [capabilities as u16, (capabilities >> 16) as u16].map(u16::to_le_bytes);
    let (first, second) = SCRAMBLE.split_at(8);
    let plugin = script.plugins[(number as usize).min(script.plugins.len()) - 1];
    let number = number.to_le_bytes();
    let scramble_len = [SCRAMBLE.len() as u8 + 1];
    [
        &[10],
        script.version.as_bytes(),
        &[0],
        &number,
        first,
        &[0],
        &low,
        &[COLLATION, AUTOCOMMIT, 0],
        &high,
        &scramble_len,
        &[0; 10],
        second,
        &[0],
        plugin.as_bytes(),
        &[0],
    ]
    .concat()
}
