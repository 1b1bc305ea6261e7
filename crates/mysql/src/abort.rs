//! Blocking calls from async code: on threads of tokio's, and ended when the caller gives up.

use std::{
    net::Shutdown,
    ops::{Deref, DerefMut},
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use socket2::Socket;
use tidb_connect_core::{Error, ErrorKind, Result};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::{Connection, DRIVER, Pool};

/// As many blocking threads as the pool has connections: callers wait for theirs without holding a thread.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    pool: Pool,
    free: Arc<Semaphore>,
}

impl Threads {
    pub(crate) fn new(pool: Pool) -> Self {
        let free = Arc::new(Semaphore::new(pool.config().pool().max_connections()));
        Self { pool, free }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Runs `work` on a thread. When the future is dropped, the connection that `work` holds is ended and the thread
    /// with it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Abortable) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let limit = self.pool.config().pool().acquire_timeout();
        let free = timeout(limit, Arc::clone(&self.free).acquire_owned()).await;
        let Ok(thread) = free else { return Err(self.pool.acquire_timed_out()) };
        let abort = Abort::default();
        let pool = Abortable { pool: self.pool.clone(), abort: abort.clone() };
        let _abort = AbortOnDrop(abort);
        Self::spawn(move || {
            let _thread = thread;
            work(pool)
        })
        .await
    }

    pub(crate) async fn spawn<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        match spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => {
                let message = "the async runtime is shutting down: end database work before it";
                Err(Error::new(ErrorKind::Closed, message).with_driver(DRIVER).with_source(error))
            }
        }
    }
}

/// A pool whose connection in use can be ended by somebody else.
#[derive(Clone, Debug)]
pub(crate) struct Abortable {
    pool: Pool,
    abort: Abort,
}

impl From<Pool> for Abortable {
    fn from(pool: Pool) -> Self {
        Self { pool, abort: Abort::default() }
    }
}

impl Abortable {
    pub(crate) fn get(&self) -> Result<Held> {
        let connection = self.pool.get()?;
        let mut state = self.abort.state();
        if state.given_up {
            return Err(Error::new(ErrorKind::Closed, "the caller gave up").with_driver(DRIVER));
        }
        state.socket = Some(connection.socket());
        drop(state);
        Ok(Held { _registered: Registered(self.abort.clone()), connection })
    }

    pub(crate) fn close(&self) -> Result<()> {
        self.pool.close()
    }
}

/// A connection in use that [`Abort`] knows of.
#[derive(Debug)]
pub(crate) struct Held {
    /// Dropped first: a connection that is back in the pool must not be ended any more.
    _registered: Registered,
    connection: Connection,
}

impl Deref for Held {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

#[derive(Debug)]
struct Registered(Abort);

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.state().socket = None;
    }
}

/// What a call and the one who may give it up share.
#[derive(Clone, Debug, Default)]
struct Abort(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    given_up: bool,
    socket: Option<Arc<Socket>>,
}

impl Abort {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct AbortOnDrop(Abort);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.given_up = true;
        if let Some(socket) = &state.socket {
            // The call's read then ends at once; a socket that is closed already needs nothing.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
