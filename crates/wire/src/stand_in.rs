use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::background::{Background, accept};
use crate::packet::{Packet, PacketReader, frame};
use crate::{Answer, Command, CommandKind, Script, Then, lock};

const BUFFER_LEN: usize = 1 << 14;

/// The first packet of a client that asks for TLS is its handshake response, ended before the user name.
const SSL_REQUEST_LEN: u64 = 32;

const CLIENT_SSL: u32 = 1 << 11;
const CLIENT_DEPRECATE_EOF: u32 = 1 << 24;

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

/// `utf8mb4_bin`, and the status of a session that commits each statement.
const COLLATION: u8 = 46;
const AUTOCOMMIT: u8 = 2;

const AUTH_PLUGIN: &str = "mysql_native_password";

/// The random bytes that a client hashes its password with. These are the same for all.
const SCRAMBLE: &[u8; 20] = b"tidb-connect standin";

/// The text of each row without end.
const ROW_LEN: usize = 1 << 14;

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

/// Whether there is more to say on a connection.
#[derive(PartialEq)]
enum Next {
    Packet,
    Nothing,
}

async fn attend(client: TcpStream, number: u32, script: &Script, visit: &Mutex<Visit>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut session = Session { stream: Box::new(client), visit, sequence: 0, capabilities: 0 };
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
    let capabilities = CAPABILITIES | if script.tls.is_some() { CLIENT_SSL } else { 0 };
    let [low, high] = [capabilities as u16, (capabilities >> 16) as u16].map(u16::to_le_bytes);
    let (first, second) = SCRAMBLE.split_at(8);
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
        AUTH_PLUGIN.as_bytes(),
        &[0],
    ]
    .concat()
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to a client.
struct Session<'a> {
    stream: Box<dyn Stream>,
    visit: &'a Mutex<Visit>,
    /// The number of the next packet.
    sequence: u8,
    /// What the client can do.
    capabilities: u32,
}

impl Session<'_> {
    /// The client's next packet. Nothing of what follows it is taken from the stream: that may be TLS.
    async fn receive(&mut self) -> io::Result<Packet> {
        let (mut reader, mut buffer) = (PacketReader::new(Command::HEAD_LEN), [0; BUFFER_LEN]);
        loop {
            let wanted = reader.missing().min(BUFFER_LEN);
            let mut bytes = match self.stream.read(&mut buffer[..wanted]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => &buffer[..read],
            };
            lock(self.visit).sent.extend_from_slice(bytes);
            if let Some(packet) = reader.read(&mut bytes) {
                self.sequence = packet.sequence.wrapping_add(1);
                return Ok(packet);
            }
        }
    }

    /// Sends packets at once.
    async fn send(&mut self, payloads: impl IntoIterator<Item = Vec<u8>>) -> io::Result<u64> {
        let mut bytes = Vec::new();
        for payload in payloads {
            frame(self.sequence, &payload, &mut bytes);
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.send_raw(&bytes).await?;
        Ok(bytes.len() as u64)
    }

    async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Gives `answer` to a command of a kind, or before the first of them.
    async fn say(&mut self, answer: &Answer, to: Option<CommandKind>) -> io::Result<Next> {
        match answer {
            Answer::Ok if to == Some(CommandKind::Prepare) => self.send([prepared()]).await.map(drop)?,
            Answer::Ok => self.send([ok(0)]).await.map(drop)?,
            Answer::Error(refusal) => self.send([refusal.payload()]).await.map(drop)?,
            Answer::Row(text) => {
                let rows = self.columns().into_iter().chain([string(text.as_bytes()), self.end_of_rows()]);
                self.send(rows).await.map(drop)?;
            }
            Answer::Rows(limit) => {
                let (mut sent, row) = (self.send(self.columns()).await?, string(&[b'x'; ROW_LEN]));
                while sent < *limit {
                    sent += self.send([row.clone()]).await?;
                }
                return self.close().await;
            }
            Answer::LocalInfile(name) => {
                self.send([[b"\xfb", name.as_bytes()].concat()]).await?;
                while self.receive().await?.len > 0 {}
                self.send([ok(0)]).await?;
            }
            Answer::AuthSwitch(plugin) => {
                self.send([[b"\xfe", plugin.as_bytes(), b"\0", SCRAMBLE, b"\0"].concat()]).await?;
                self.receive().await?;
                self.send([ok(0)]).await?;
            }
            Answer::Bytes(bytes, then) => {
                self.send_raw(bytes).await?;
                return match then {
                    Then::Next => Ok(Next::Packet),
                    Then::Silence => Ok(Next::Nothing),
                    Then::Close => self.close().await,
                };
            }
            Answer::Silence => return Ok(Next::Nothing),
            Answer::Close => return self.close().await,
        }
        Ok(Next::Packet)
    }

    /// The start of a result set of one column of text.
    fn columns(&self) -> Vec<Vec<u8>> {
        const VAR_STRING: u8 = 0xfd;

        // Catalog, schema, table twice, column twice; then the length of what follows, the collation, the longest text,
        // the type, and no flags and decimals.
        let mut column: Vec<u8> = [&b"def"[..], b"", b"", b"", b"text", b"text"].into_iter().flat_map(string).collect();
        column.extend([0x0c, COLLATION, 0, 0, 0, 1, 0, VAR_STRING, 0, 0, 0, 0, 0]);
        let end = (self.capabilities & CLIENT_DEPRECATE_EOF == 0).then(|| vec![0xfe, 0, 0, AUTOCOMMIT, 0]);
        [vec![1], column].into_iter().chain(end).collect()
    }

    fn end_of_rows(&self) -> Vec<u8> {
        if self.capabilities & CLIENT_DEPRECATE_EOF == 0 { vec![0xfe, 0, 0, AUTOCOMMIT, 0] } else { ok(0xfe) }
    }

    async fn close(&mut self) -> io::Result<Next> {
        self.stream.shutdown().await.map(|()| Next::Nothing)
    }

    /// Closes the connection unless it is closed or to stay open, and listens to what the client still sends: closed
    /// before that is read, the connection would be reset, and the client could lose what it has not read yet.
    async fn end(mut self, next: Next) -> io::Result<()> {
        if next == Next::Packet {
            self.close().await?;
        }
        let mut buffer = [0; BUFFER_LEN];
        loop {
            match self.stream.read(&mut buffer).await? {
                0 => return Ok(()),
                read => lock(self.visit).sent.extend_from_slice(&buffer[..read]),
            }
        }
    }
}

/// An OK packet, which begins with this byte: no rows affected, no id, no warnings.
fn ok(header: u8) -> Vec<u8> {
    vec![header, 0, 0, AUTOCOMMIT, 0, 0, 0]
}

/// The OK to a `COM_STMT_PREPARE`: statement 1, without columns, parameters and warnings.
fn prepared() -> Vec<u8> {
    vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// A string with its length in front.
fn string(text: &[u8]) -> Vec<u8> {
    let length = text.len() as u32;
    let mut bytes = match length {
        0..0xfb => vec![length as u8],
        _ => [&[0xfd], &length.to_le_bytes()[..3]].concat(),
    };
    bytes.extend_from_slice(text);
    bytes
}
