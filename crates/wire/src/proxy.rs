use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Report;
use crate::protocol::Conversation;

/// How long [`Proxy::stop`] waits for servers to close connections that their clients have closed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an open client must be silent before [`Proxy::stop`] takes it that all it sent has arrived.
const STOP_SILENCE: Duration = Duration::from_millis(10);

/// How long to wait before accepting again after a failure, which lasts while the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

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
    addr: SocketAddr,
    conversations: Conversations,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
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
        let (stop, stopped) = watch::channel(false);
        let (started, start) = mpsc::channel();
        let thread = thread::Builder::new().name("tidb-connect-wire".to_owned()).spawn({
            let conversations = Arc::clone(&conversations);
            // The runtime lives and dies in this thread: it must not be dropped inside the caller's.
            move || match listen() {
                Ok((runtime, listener, addr)) => {
                    // The receiver waits for this, or it is gone and so is the need.
                    let _ = started.send(Ok(addr));
                    runtime.block_on(serve(listener, upstream, &conversations, stopped));
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let addr = start.recv().map_err(io::Error::other)??;
        Ok(Self { addr, conversations, stop, thread: Some(thread) })
    }

    /// The address to connect clients to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
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

    /// Stops the proxy and returns its last report, which has all that the clients sent before this call.
    ///
    /// Blocks until every connection whose client has closed it is closed by the server as well, at most 5 seconds.
    /// Connections that are still open on the client's side are cut.
    pub fn stop(mut self) -> Report {
        self.shut_down();
        self.report()
    }

    fn shut_down(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by its thread, and may not become a second one in a drop.
            let _ = thread.join();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn listen() -> io::Result<(Runtime, TcpListener, SocketAddr)> {
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let addr = listener.local_addr()?;
    Ok((runtime, listener, addr))
}

async fn serve(
    listener: TcpListener,
    upstream: SocketAddr,
    conversations: &Conversations,
    stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let conversation = Arc::new(Mutex::new(Conversation::new()));
                    lock(conversations).push(Arc::clone(&conversation));
                    let stop = stop.clone();
                    connections.spawn(async move {
                        // A connection that cannot be set up is closed, which is all there is to tell its client.
                        let _ = connect(client, upstream, &conversation, stop).await;
                    });
                }
                Err(_) => sleep(ACCEPT_RETRY).await,
            },
            Some(_) = connections.join_next() => {}
            () = stopped(&stop) => break,
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
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut server = tokio::select! {
        biased;
        server = TcpStream::connect(upstream) => server?,
        () = silence_after_stop(&stop) => return Ok(()),
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;

    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let up = pump(from_client, to_server, |bytes| lock(conversation).client_sent(bytes), || silence_after_stop(&stop));
    let down = pump(from_server, to_client, |bytes| lock(conversation).server_sent(bytes), pending);
    // Either both directions come to their ends, or the connection is cut.
    let _ = tokio::try_join!(up, down);
    Ok(())
}

/// The proxy is to stop, and the direction has been silent since.
struct Stopped;

/// Passes bytes on in one direction until its end, and passes that on too.
///
/// Broken connections are ends like any other: the opposite direction finds out by itself, after it has passed on what
/// is left in it.
async fn pump<F: Future<Output = ()>>(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    note: impl Fn(&[u8]),
    silence: impl Fn() -> F,
) -> Result<(), Stopped> {
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let read = tokio::select! {
            biased;
            read = from.read(&mut buffer) => read,
            () = silence() => return Err(Stopped),
        };
        let bytes = match read {
            Ok(len @ 1..) => &buffer[..len],
            Ok(0) | Err(_) => break,
        };
        note(bytes);
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    // It fails where the peer is gone, who then needs no telling.
    let _ = to.shutdown().await;
    Ok(())
}

/// Races with something from the network: ends when that has not come in a while after the stop.
async fn silence_after_stop(stop: &watch::Receiver<bool>) {
    stopped(stop).await;
    // A sleep ends after a poll for input that came after its start: it misses nothing sent before the stop.
    sleep(STOP_SILENCE).await;
}

async fn stopped(stop: &watch::Receiver<bool>) {
    // An error means that the proxy is gone: stopped, too.
    let _ = stop.clone().wait_for(|&stop| stop).await;
}

/// Locks what no panic leaves half-changed in a way that matters to a count.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
