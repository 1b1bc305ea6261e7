//! The options of a driver's socket, which no driver gives out.

use std::net::SocketAddr;

use tidb_connect_core::BoxError;

/// What is set on a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) nodelay: bool,
    pub(super) keepalive: bool,
}

/// The options of this process's socket that is connected to `server`, by a copy of it.
#[cfg(target_os = "linux")]
pub(super) fn options(server: SocketAddr) -> Result<Options, BoxError> {
    use std::{fs::read_dir, os::fd::RawFd};

    use rustix::{
        net::{getpeername, sockopt},
        process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
    };

    use crate::lab::NotObservable;

    let hidden = |error| NotObservable::here(format!("the system does not show this process its own sockets: {error}"));
    let this = pidfd_open(getpid(), PidfdFlags::empty()).map_err(hidden)?;
    for entry in read_dir("/proc/self/fd")? {
        let number: RawFd = entry?.file_name().to_string_lossy().parse()?;
        // It may be closed by now, or no socket.
        let Ok(copy) = pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) else { continue };
        let Ok(Some(peer)) = getpeername(&copy) else { continue };
        if SocketAddr::try_from(peer).is_ok_and(|peer| peer == server) {
            return Ok(Options { nodelay: sockopt::tcp_nodelay(&copy)?, keepalive: sockopt::socket_keepalive(&copy)? });
        }
    }
    Err(NotObservable::here("the system does not let this process copy its own sockets"))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn options(_: SocketAddr) -> Result<Options, BoxError> {
    Err(crate::lab::NotObservable::here("only Linux shows a process the options of its own sockets"))
}
