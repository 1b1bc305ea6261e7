//! The first packet of the MySQL protocol, which the server sends unasked.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tidb_connect_wire::{Greeting, Hello};

/// How long one attempt may take. A server that is up greets at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much of a greeting is read, in bytes; those of servers have some hundred.
const LONGEST: usize = 1 << 12;

/// The version of the TiDB that listens on `port` of 127.0.0.1, such as `v8.5.3`; `None` when nobody does, or it is
/// something else. Blocks the thread, for two seconds at most.
#[must_use]
pub fn running_tidb(port: u16) -> Option<String> {
    let greeting = receive(port).ok()?;
    greeting.version.contains("TiDB").then(|| clean(&greeting.version).to_owned())
}

/// Connects to `port` of 127.0.0.1 and reads the greeting.
pub(crate) fn receive(port: u16) -> io::Result<Greeting> {
    let deadline = Instant::now() + PATIENCE;
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    let mut header = [0; 4];
    read_until(&mut stream, &mut header, deadline)?;
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    let mut payload = vec![0; len.min(LONGEST)];
    read_until(&mut stream, &mut payload, deadline)?;
    match Hello::parse(&payload) {
        Some(Hello::Greeting(greeting)) => Ok(greeting),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not a protocol-10 greeting")),
    }
}

/// Fills `buffer`, however slowly the bytes come, but not after `deadline`.
fn read_until(stream: &mut TcpStream, mut buffer: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        stream.set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        match stream.read(buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => buffer = &mut buffer[read..],
        }
    }
    Ok(())
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
    use std::{io::Write, net::TcpListener, thread, time::Duration};

    #[test]
    fn a_greeting_that_drips_is_not_waited_for() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        // A byte in each tenth of a second would be read for 20 days.
        let drips = thread::spawn(move || {
            let mut client = listener.accept().expect("a client").0;
            let mut dripped = 0;
            while client.write_all(b"\xff").is_ok() {
                dripped += 1;
                thread::sleep(Duration::from_millis(100));
            }
            dripped
        });
        let error = super::receive(port).expect_err("no greeting");
        assert!(matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock), "{error:?}");
        assert!(drips.join().expect("no panic") < 1000);
    }

    #[test]
    fn versions_lose_their_disguise() {
        assert_eq!(super::clean("5.5.5-10.11.19-MariaDB-0+deb12u1"), "10.11.19-MariaDB-0+deb12u1");
        assert_eq!(super::clean("11.8.2-MariaDB"), "11.8.2-MariaDB");
        assert_eq!(super::clean("8.0.11-TiDB-v8.5.3"), "v8.5.3");
        assert_eq!(super::clean("8.4.0"), "8.4.0");
    }
}
