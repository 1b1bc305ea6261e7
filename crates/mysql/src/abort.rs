//! Blocking calls from async code: on threads of tokio's, and ended when the caller gives up.

use std::{
    net::Shutdown,
    ops::{Deref, DerefMut},
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, Thread},
};

use socket2::Socket;
use tidb_connect_core::{Error, ErrorKind, Result};
use tokio::task::spawn_blocking;
use tracing::Span;

use crate::{Connection, DRIVER, Pool, pool::Claimed};

/// As many blocking threads as the pool has connections: callers wait for theirs without holding a thread.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    pool: Pool,
}

impl Threads {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool }
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
        let abort = Abort::new(self.pool.claim().await?);
        let pool = Abortable { pool: self.pool.clone(), abort: Some(abort.clone()) };
        let _abort = AbortOnDrop(abort);
        Self::spawn(move || work(pool)).await
    }

    /// Runs `work` on a thread, within the caller's span.
    pub(crate) async fn spawn<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let span = Span::current();
        match spawn_blocking(move || span.in_scope(work)).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => {
                let message = "the async runtime is shutting down: end database work before it";
                Err(Error::new(ErrorKind::Closed, message).with_driver(DRIVER).with_source(error))
            }
        }
    }
}

/// A pool whose connection in use can be ended by somebody else, if there is somebody.
#[derive(Clone, Debug)]
pub(crate) struct Abortable {
    pool: Pool,
    abort: Option<Abort>,
}

impl From<Pool> for Abortable {
    fn from(pool: Pool) -> Self {
        Self { pool, abort: None }
    }
}

impl Abortable {
    pub(crate) fn get(&self) -> Result<Held> {
        let Some(abort) = &self.abort else { return Ok(Held { connection: self.pool.get()?, abort: None }) };
        let claimed = {
            let mut state = abort.state();
            state.stage = Stage::Waiting(thread::current());
            state.claimed.take()
        };
        let connection = match claimed {
            Some(claimed) => self.pool.get_claimed(claimed, || abort.state().given_up),
            None => self.pool.get(),
        };
        let mut state = abort.state();
        state.stage = Stage::Idle;
        let connection = connection?;
        if state.given_up {
            return Err(Error::new(ErrorKind::Closed, "the caller gave up").with_driver(DRIVER));
        }
        state.stage = Stage::Calling(connection.socket());
        drop(state);
        Ok(Held { connection, abort: Some(abort.clone()) })
    }

    pub(crate) fn close(&self) -> Result<()> {
        self.pool.close()
    }
}

/// A connection in use that [`Abort`], where there is one, knows of.
#[derive(Debug)]
pub(crate) struct Held {
    connection: Connection,
    abort: Option<Abort>,
}

impl Drop for Held {
    /// A connection that is back in the pool must not be ended any more, and one that has been must not go back.
    fn drop(&mut self) {
        let Some(abort) = &self.abort else { return };
        let mut state = abort.state();
        state.stage = Stage::Idle;
        if state.given_up {
            self.connection.lease.condemn();
        }
    }
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

/// What a call and the one who may give it up share.
#[derive(Clone, Debug)]
struct Abort(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    given_up: bool,
    stage: Stage,
    /// For the first connection.
    claimed: Option<Claimed>,
}

/// What there is to end.
#[derive(Debug)]
enum Stage {
    Idle,
    Waiting(Thread),
    Calling(Arc<Socket>),
}

impl Abort {
    fn new(claimed: Claimed) -> Self {
        Self(Arc::new(Mutex::new(State { given_up: false, stage: Stage::Idle, claimed: Some(claimed) })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct AbortOnDrop(Abort);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.given_up = true;
        match &state.stage {
            Stage::Idle => {}
            Stage::Waiting(thread) => thread.unpark(),
            Stage::Calling(socket) => {
                // The call's read then ends at once; a socket that is closed already needs nothing.
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }
}
