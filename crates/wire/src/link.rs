use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const BUFFER_LEN: usize = 1 << 16;

/// A network path with a round-trip time: passes bytes on between clients and a server, unread and in order, and each a
/// while after it has come.
///
/// The whole of the time is added on the way from the server to the client. It is that of a thread's sleep, so that it is a
/// little more than asked for, by some 60 µs on Linux: measure it with a ping. How much is under way does not matter:
/// bytes do not wait for those before them.
///
/// It runs in threads of its own, three a connection. Dropping it closes all connections.
#[derive(Debug)]
pub struct Link {
    addr: SocketAddr,
    stopped: Arc<AtomicBool>,
    /// Ends when all connections have been shut down.
    listener: Option<thread::JoinHandle<()>>,
}

impl Link {
    /// Starts a path to `upstream` on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread or a port.
    pub fn start(upstream: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (addr, stopped) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let serve = {
            let stopped = Arc::clone(&stopped);
            move || serve(&listener, upstream, round_trip, &stopped)
        };
        let listener = Some(thread::Builder::new().name("tidb-connect-link".into()).spawn(serve)?);
        Ok(Self { addr, stopped, listener })
    }

    /// The address to connect clients to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener. If nobody can connect, it has ended already.
        let _ = TcpStream::connect(self.addr);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn serve(listener: &TcpListener, upstream: SocketAddr, round_trip: Duration, stopped: &AtomicBool) {
    let mut open = Vec::new();
    for client in listener.incoming() {
        if stopped.load(Ordering::SeqCst) {
            break;
        }
        // A client that cannot be served is closed, which is all there is to tell it.
        if let Ok(ends) = client.and_then(|client| connect(client, upstream, round_trip)) {
            open.push(ends);
        }
    }
    for end in open.iter().flatten() {
        let _ = end.shutdown(Shutdown::Both);
    }
}

fn connect(client: TcpStream, upstream: SocketAddr, round_trip: Duration) -> io::Result<[TcpStream; 2]> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ends = [client.try_clone()?, server.try_clone()?];
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    let (sender, under_way) = mpsc::channel::<(Instant, Vec<u8>)>();
    spawn(move || {
        let mut to_server = server;
        each(from_client, |bytes| to_server.write_all(bytes));
        let _ = to_server.shutdown(Shutdown::Write);
    })?;
    spawn(move || {
        each(from_server, |bytes| {
            let due = Instant::now() + round_trip;
            sender.send((due, bytes.to_vec())).map_err(|_| io::ErrorKind::BrokenPipe.into())
        });
    })?;
    spawn(move || {
        let mut to_client = client;
        for (due, bytes) in under_way {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to_client.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    })?;
    Ok(ends)
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("tidb-connect-link".into()).spawn(work).map(drop)
}

/// Gives what comes to `pass`, until its end or a failure.
fn each(mut from: TcpStream, mut pass: impl FnMut(&[u8]) -> io::Result<()>) {
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) if pass(&buffer[..read]).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
}
