use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Report;
use crate::background::{Background, accept};
use crate::lock;
use crate::protocol::Conversation;

/// How long [`Proxy::stop`] waits for servers to close connections that their clients have closed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an open client must be silent before [`Proxy::stop`] takes it that all it sent has arrived.
const STOP_SILENCE: Duration = Duration::from_millis(10);

const BUFFER_LEN: usize = 1 << 14;

type Conversations = Arc<Mutex<Vec<Arc<Mutex<Conversation>>>>>;

/// A proxy in front of a MySQL-compatible server, for any number of connections.
///
/// It runs in a thread of its own and needs no async runtime, but may be used inside one. Dropping it stops it as
/// [`stop`](Self::stop) does.
///
/// It keeps one [`Command`](crate::Command) per command for as long as it lives, and nothing of the login.
#[derive(Debug)]
pub struct Proxy {
    conversations: Conversations,
    control: watch::Sender<Control>,
    background: Background,
}

/// What the owner of a proxy wants of it.
#[derive(Clone, Copy, Debug, Default)]
struct Control {
    stop: bool,
    /// Nothing is passed on.
    hold: bool,
    /// How often all connections have been cut.
    cuts: u64,
    /// The statement whose answer is not passed on.
    withheld: Option<&'static str>,
}

impl Proxy {
    /// Starts a proxy on a free port of 127.0.0.1 that connects each of its clients to `upstream`.
    ///
    /// Clients whose connection to `upstream` fails are closed without a word; the proxy goes on.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread, a port or a file descriptor.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let conversations = Conversations::default();
        let (control, controlled) = watch::channel(Control::default());
        let background = Background::start({
            let conversations = Arc::clone(&conversations);
            move |listener| serve(listener, upstream, conversations, controlled)
        })?;
        Ok(Self { conversations, control, background })
    }

    /// The address to connect clients to.
    pub fn addr(&self) -> SocketAddr {
        self.background.addr
    }

    /// What the proxy has seen so far.
    ///
    /// Bytes are counted before they are passed on: the report has everything that led to an answer as soon as the
    /// client has the answer. What the client sent last, without waiting for one, is certain only after
    /// [`stop`](Self::stop).
    pub fn report(&self) -> Report {
        Report {
            connections: lock(&self.conversations)
                .iter()
                .map(|conversation| lock(conversation).report().clone())
                .collect(),
        }
    }

    /// Passes nothing on from here on, in either direction, and keeps every connection open: a network that has gone
    /// silent. New connections are accepted, and get no greeting.
    ///
    /// What is sent meanwhile is reported, as far as the proxy reads it: 16 KiB a direction.
    pub fn hold(&self) {
        self.control.send_modify(|control| control.hold = true);
    }

    /// Passes on what was [held](Self::hold), and all that comes after it.
    pub fn release(&self) {
        self.control.send_modify(|control| control.hold = false);
    }

    /// Closes every connection that is open, on both sides and whatever is under way on it, as a server does that fails.
    /// New connections are served.
    ///
    /// Does not wait: [`ConnectionReport::open`](crate::ConnectionReport::open) tells when it has happened.
    pub fn cut(&self) {
        self.control.send_modify(|control| control.cuts += 1);
    }

    /// Closes every connection on which the server answers `statement`, and passes nothing of the answer on: what is sent
    /// as text, such as `COMMIT`, has then been done, and its client is not told.
    pub fn withhold_answer_to(&self, statement: &'static str) {
        self.control.send_modify(|control| control.withheld = Some(statement));
    }

    /// Stops the proxy and returns its last report, which has all that the clients sent before this call.
    ///
    /// Blocks until every connection whose client has closed it is closed by the server as well, at most 5 seconds.
    /// Connections that are still open on the client's side are cut.
    pub fn stop(mut self) -> Report {
        self.shut_down();
        self.report()
    }

    fn shut_down(&mut self) {
        self.control.send_modify(|control| *control = Control { stop: true, hold: false, ..*control });
        self.background.join();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shut_down();
    }
}

async fn serve(
    listener: TcpListener,
    upstream: SocketAddr,
    conversations: Conversations,
    control: watch::Receiver<Control>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            client = accept(&listener) => {
                let conversation = Arc::new(Mutex::new(Conversation::new()));
                lock(&conversations).push(Arc::clone(&conversation));
                let control = control.clone();
                connections.spawn(async move {
                    let cuts = control.borrow().cuts;
                    tokio::select! {
                        // A connection that cannot be set up is closed, which is all there is to tell its client.
                        _ = connect(client, upstream, &conversation, &control) => {}
                        () = once(&control, |control| control.cuts != cuts) => {}
                    }
                    lock(&conversation).closed();
                });
            }
            Some(_) = connections.join_next() => {}
            () = once(&control, |control| control.stop) => break,
        }
    }
    drop(listener);
    let all_closed = async { while connections.join_next().await.is_some() {} };
    // What is still open after that is cut when `connections` is dropped.
    let _ = timeout(STOP_TIMEOUT, all_closed).await;
}

async fn connect(
    mut client: TcpStream,
    upstream: SocketAddr,
    conversation: &Mutex<Conversation>,
    control: &watch::Receiver<Control>,
) -> io::Result<()> {
    let mut server = tokio::select! {
        biased;
        server = TcpStream::connect(upstream) => server?,
        () = silence_after_stop(control) => return Ok(()),
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;

    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let note_up = |bytes: &[u8]| {
        match bytes {
            [] => lock(conversation).closed(),
            bytes => lock(conversation).client_sent(bytes),
        }
        true
    };
    let note_down = |bytes: &[u8]| {
        let mut conversation = lock(conversation);
        if !bytes.is_empty() {
            conversation.server_sent(bytes);
        }
        let asked = conversation.report().commands.last().and_then(|command| command.text.as_deref());
        asked.is_none() || asked != control.borrow().withheld
    };
    let up = pump(from_client, to_server, control, note_up, || silence_after_stop(control));
    let down = pump(from_server, to_client, control, note_down, pending);
    // Either both directions come to their ends, or the connection is cut.
    let _ = tokio::try_join!(up, down);
    Ok(())
}

/// The connection ends here: the proxy is to stop and the direction has been silent since, or an answer is withheld.
struct Stopped;

/// Passes bytes on in one direction until its end, and passes that on too. Asks `note` first, of the end as of no bytes.
///
/// Broken connections are ends like any other: the opposite direction finds out by itself, after it has passed on what
/// is left in it.
async fn pump<F: Future<Output = ()>>(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    control: &watch::Receiver<Control>,
    note: impl Fn(&[u8]) -> bool,
    silence: impl Fn() -> F,
) -> Result<(), Stopped> {
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let read = tokio::select! {
            biased;
            read = from.read(&mut buffer) => read,
            () = silence() => return Err(Stopped),
        };
        let bytes = &buffer[..read.unwrap_or(0)];
        if !note(bytes) {
            return Err(Stopped);
        }
        once(control, |control| !control.hold).await;
        if bytes.is_empty() || to.write_all(bytes).await.is_err() {
            break;
        }
    }
    // It fails where the peer is gone, who then needs no telling.
    let _ = to.shutdown().await;
    Ok(())
}

/// Races with something from the network: ends when that has not come in a while after the stop.
async fn silence_after_stop(control: &watch::Receiver<Control>) {
    once(control, |control| control.stop).await;
    // A sleep ends after a poll for input that came after its start: it misses nothing sent before the stop.
    sleep(STOP_SILENCE).await;
}

/// Waits until the owner wants what `wanted` says.
async fn once(control: &watch::Receiver<Control>, mut wanted: impl FnMut(&Control) -> bool) {
    if wanted(&control.borrow()) {
        return;
    }
    // An error means that the proxy is gone, which stops it first.
    let _ = control.clone().wait_for(wanted).await;
}
