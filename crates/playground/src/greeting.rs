//! The first packet of the MySQL protocol, which the server sends unasked.

use std::borrow::Cow;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long one attempt may take. A server that is up greets at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The capability of a server that offers TLS.
const CLIENT_SSL: u16 = 0x800;

/// The version of the TiDB that listens on `port` of 127.0.0.1, such as `v8.5.3`; `None` when nobody does, or it is
/// something else. Takes a second at most.
#[must_use]
pub fn running_tidb(port: u16) -> Option<String> {
    let payload = payload(port).ok()?;
    let (version, _) = parse(&payload)?;
    version.contains("TiDB").then(|| clean(&version).to_owned())
}

/// What a server says of itself.
pub(crate) struct Greeting {
    pub(crate) version: String,
    pub(crate) offers_tls: bool,
}

/// Connects to `port` of 127.0.0.1 and reads the protocol-10 greeting.
pub(crate) fn receive(port: u16) -> io::Result<Greeting> {
    let payload = payload(port)?;
    let (version, capabilities) =
        parse(&payload).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a protocol-10 greeting"))?;
    Ok(Greeting { version: clean(&version).to_owned(), offers_tls: capabilities & CLIENT_SSL != 0 })
}

fn payload(port: u16) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;

    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut payload = Vec::new();
    stream.take(len.into()).read_to_end(&mut payload)?;
    Ok(payload)
}

/// The version as it stands there, and the lower half of the capabilities.
fn parse(payload: &[u8]) -> Option<(Cow<'_, str>, u16)> {
    let rest = payload.strip_prefix(&[10])?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    // Behind the version's end: the connection's id, half of the salt, and a zero.
    let capabilities = rest.get(end + 14..end + 16)?;
    Some((String::from_utf8_lossy(&rest[..end]), u16::from_le_bytes([capabilities[0], capabilities[1]])))
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
