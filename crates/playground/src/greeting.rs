//! The first packet of the MySQL protocol, which the server sends unasked.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tidb_connect_wire::{Greeting, Hello};

/// How long one attempt may take. A server that is up greets at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The version of the TiDB that listens on `port` of 127.0.0.1, such as `v8.5.3`; `None` when nobody does, or it is
/// something else. Takes a second at most.
#[must_use]
pub fn running_tidb(port: u16) -> Option<String> {
    let greeting = receive(port).ok()?;
    greeting.version.contains("TiDB").then(|| clean(&greeting.version).to_owned())
}

/// Connects to `port` of 127.0.0.1 and reads the greeting.
pub(crate) fn receive(port: u16) -> io::Result<Greeting> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;

    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut payload = Vec::new();
    stream.take(len.into()).read_to_end(&mut payload)?;
    match Hello::parse(&payload) {
        Some(Hello::Greeting(greeting)) => Ok(greeting),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not a protocol-10 greeting")),
    }
}

/// Strips what servers put before their own version to look like an old MySQL: MariaDB `5.5.5-`, TiDB `8.0.11-TiDB-`.
pub(crate) fn clean(version: &str) -> &str {
    match version.split_once("-TiDB-") {
        Some((_, version)) => version,
        None => version.strip_prefix("5.5.5-").unwrap_or(version),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_lose_their_disguise() {
        assert_eq!(super::clean("5.5.5-10.11.19-MariaDB-0+deb12u1"), "10.11.19-MariaDB-0+deb12u1");
        assert_eq!(super::clean("11.8.2-MariaDB"), "11.8.2-MariaDB");
        assert_eq!(super::clean("8.0.11-TiDB-v8.5.3"), "v8.5.3");
        assert_eq!(super::clean("8.4.0"), "8.4.0");
    }
}
