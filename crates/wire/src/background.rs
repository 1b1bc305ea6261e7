use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::time::sleep;

/// How long to wait before accepting again after a failure, which lasts while the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// A thread that serves a free port of 127.0.0.1 in a tokio runtime of its own.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) addr: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts the thread, which ends with what `serve` returns. The listener is open by then.
    pub(crate) fn start<F: Future<Output = ()>>(
        serve: impl FnOnce(TcpListener) -> F + Send + 'static,
    ) -> io::Result<Self> {
        let (started, start) = mpsc::channel();
        // The runtime lives and dies in this thread: it must not be dropped inside the caller's.
        let thread = thread::Builder::new().name("tidb-connect-wire".to_owned()).spawn(move || match listen() {
            Ok((runtime, listener, addr)) => {
                // The receiver waits for this, or it is gone and so is the need.
                let _ = started.send(Ok(addr));
                runtime.block_on(serve(listener));
            }
            Err(error) => drop(started.send(Err(error))),
        })?;
        let addr = start.recv().map_err(io::Error::other)??;
        Ok(Self { addr, thread: Some(thread) })
    }

    /// Waits until the thread has ended, which it must have been told.
    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by its thread, and may not become a second one in a drop.
            let _ = thread.join();
        }
    }
}

fn listen() -> io::Result<(Runtime, TcpListener, SocketAddr)> {
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let addr = listener.local_addr()?;
    Ok((runtime, listener, addr))
}

/// The next client.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) => return client,
            Err(_) => sleep(ACCEPT_RETRY).await,
        }
    }
}
