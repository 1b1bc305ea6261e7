//! The driver's connection with a second handle on its socket.

use std::{io, mem::MaybeUninit, net::Shutdown, os::fd::AsRawFd, sync::Arc, time::Duration};

use mysql::{Conn, Opts};
use socket2::Socket;

/// A connection whose socket can be limited in time and, from another thread, ended.
///
/// The driver sets its time-outs once, before login, and offers no way to end a call from outside.
#[derive(Debug)]
pub struct Session {
    pub(crate) conn: Conn,
    socket: Arc<Socket>,
}

impl Session {
    /// Connects and logs in; `opts` limits each read and write.
    pub(crate) fn open(opts: Opts) -> mysql::Result<Self> {
        let conn = Conn::new(opts)?;
        let socket = Arc::new(duplicate(&conn)?);
        Ok(Self { conn, socket })
    }

    /// Limits each wait for the server from here on.
    pub(crate) fn limit(&self, time: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(time))?;
        self.socket.set_write_timeout(Some(time))
    }

    /// Whether the server has sent nothing that is unread, and has not closed the connection.
    pub(crate) fn is_quiet(&self) -> bool {
        let peeked = self.socket.recv_with_flags(&mut [MaybeUninit::uninit()], libc::MSG_PEEK | libc::MSG_DONTWAIT);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Ends the connection without a word to the server.
    pub(crate) fn end(self) {
        // A socket that is closed already needs nothing.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// The handle that ends the connection, whatever it is doing: [`Socket::shutdown`].
    pub(crate) fn socket(&self) -> Arc<Socket> {
        Arc::clone(&self.socket)
    }
}

/// A descriptor of its own for the connection's socket, so that using it can never hit a socket opened later.
#[allow(unsafe_code, reason = "the driver gives out its descriptor as a number only")]
fn duplicate(conn: &Conn) -> io::Result<Socket> {
    // SAFETY: `conn` owns the descriptor and is borrowed for as long as it is used here.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(conn.as_raw_fd()) };
    borrowed.try_clone_to_owned().map(Socket::from)
}
