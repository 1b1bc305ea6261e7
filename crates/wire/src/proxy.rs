use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::background::{Background, accept};
use crate::fault::{Faults, Request};
use crate::protocol::Conversation;
use crate::relay::Relay;
use crate::{Fault, Point, Report, lock};

/// How long [`Proxy::stop`] waits for servers to close connections that their clients have closed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an open client must be silent before [`Proxy::stop`] takes it that all it sent has arrived.
const STOP_SILENCE: Duration = Duration::from_millis(10);

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
    faults: Arc<Faults>,
    background: Background,
}

/// What the owner of a proxy wants of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Control {
    stop: bool,
    /// Nothing is passed on.
    pub(crate) hold: bool,
    /// How often all connections have been cut.
    cuts: u64,
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
        Self::to(upstream, false)
    }

    /// Starts a proxy as [`start`](Self::start) does, which takes the offer of TLS out of the server's greeting: a client
    /// that would encrypt its connection if it could stays readable.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_without_tls(upstream: SocketAddr) -> io::Result<Self> {
        Self::to(upstream, true)
    }

    fn to(upstream: SocketAddr, hide_tls: bool) -> io::Result<Self> {
        let conversations = Conversations::default();
        let (control, controlled) = watch::channel(Control::default());
        let faults = Arc::<Faults>::default();
        let background = Background::start({
            let (conversations, faults) = (Arc::clone(&conversations), Arc::clone(&faults));
            move |listener| serve(listener, (upstream, hide_tls), conversations, controlled, faults)
        })?;
        Ok(Self { conversations, control, faults, background })
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

    /// Lets `fault` strike at the next request that is at `point`, once. Of several for the same point, the one that was
    /// armed first strikes first.
    ///
    /// While any is armed, a request is passed on when it is complete, and not byte by byte as it comes.
    pub fn arm(&self, point: Point, fault: Fault) {
        self.faults.arm(point, fault);
    }

    /// Takes back the faults that have not struck, and returns how many have since the last call. Connections that a
    /// fault has changed stay as they are.
    pub fn disarm(&self) -> usize {
        self.faults.disarm()
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
    upstream: (SocketAddr, bool),
    conversations: Conversations,
    control: watch::Receiver<Control>,
    faults: Arc<Faults>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            client = accept(&listener) => {
                let conversation = Arc::new(Mutex::new(Conversation::new()));
                lock(&conversations).push(Arc::clone(&conversation));
                let (control, faults) = (control.clone(), Arc::clone(&faults));
                connections.spawn(async move {
                    let cuts = control.borrow().cuts;
                    tokio::select! {
                        // A connection that cannot be set up is closed, which is all there is to tell its client.
                        _ = connect(client, upstream, &conversation, &control, &faults) => {}
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
    client: TcpStream,
    (upstream, hide_tls): (SocketAddr, bool),
    conversation: &Mutex<Conversation>,
    control: &watch::Receiver<Control>,
    faults: &Faults,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let fault = faults.strike(&Request::Connect);
    if let Some(Fault::AfterRequest(_, answer)) = fault {
        // The server does not see the client.
        return Relay::new(client, None, conversation, control, faults).answer(&answer).await;
    }
    let server = tokio::select! {
        biased;
        server = TcpStream::connect(upstream) => server?,
        () = silence_after_stop(control) => return Ok(()),
    };
    server.set_nodelay(true)?;
    let relay = Relay::new(client, Some(server), conversation, control, faults);
    let mut relay = if hide_tls { relay.hiding_tls() } else { relay };
    match fault {
        Some(fault) if !relay.meet(&fault, &[]).await? => Ok(()),
        _ => relay.run().await,
    }
}

/// Races with something from the network: ends when that has not come in a while after the stop.
pub(crate) async fn silence_after_stop(control: &watch::Receiver<Control>) {
    once(control, |control| control.stop).await;
    // A sleep ends after a poll for input that came after its start: it misses nothing sent before the stop.
    sleep(STOP_SILENCE).await;
}

/// Waits until the owner wants what `wanted` says.
pub(crate) async fn once(control: &watch::Receiver<Control>, mut wanted: impl FnMut(&Control) -> bool) {
    if wanted(&control.borrow()) {
        return;
    }
    // An error means that the proxy is gone, which stops it first.
    let _ = control.clone().wait_for(wanted).await;
}
