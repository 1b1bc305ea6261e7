//! The first packet of the MySQL protocol, which the server sends unasked.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long one attempt may take. A server that is up greets at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The version of the TiDB that listens on `port` of 127.0.0.1, such as `v8.5.3`; `None` when nobody does, or it is
/// something else. Takes a second at most.
#[must_use]
pub fn running_tidb(port: u16) -> Option<String> {
    greeted_version(port).ok().filter(|version| version.contains("TiDB")).map(|version| clean(&version).to_owned())
}

/// The version of the server on `port` of 127.0.0.1.
pub(crate) fn server_version(port: u16) -> io::Result<String> {
    greeted_version(port).map(|version| clean(&version).to_owned())
}

/// Connects and reads the version from the protocol-10 greeting, as it stands there.
fn greeted_version(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;

    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut payload = Vec::new();
    stream.take(len.into()).read_to_end(&mut payload)?;

    let version = payload
        .strip_prefix(&[10])
        .and_then(|rest| rest.split(|&byte| byte == 0).next())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a protocol-10 greeting"))?;
    Ok(String::from_utf8_lossy(version).into_owned())
}

/// Strips what servers put before their own version to look like an old MySQL: MariaDB `5.5.5-`, TiDB `8.0.11-TiDB-`.
fn clean(version: &str) -> &str {
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
