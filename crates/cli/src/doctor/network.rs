//! The way to the server up to its greeting, as every driver goes it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::pin,
    time::Duration,
};

use tidb_connect_core::{ConnectionConfig, Error, ErrorKind, Fault, Result, ServerError};
use tidb_connect_wire::{Greeting, Hello};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::DOCTOR;

/// For one address among several, so that a dead one does not use up the time of the others.
const ONE_OF_SEVERAL: Duration = Duration::from_secs(5);

/// A MySQL server greets at once. Who is silent for longer is asked whether it is something else.
const SILENCE: Duration = Duration::from_secs(2);

/// For each question whether the peer is something else.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longer than any greeting or error packet.
const LONGEST_HELLO: usize = 1 << 16;

/// The addresses of the host, in the order in which the system gives them.
pub(super) async fn resolve(config: &ConnectionConfig) -> Result<Vec<IpAddr>> {
    let host = config.host();
    let found = match timeout(config.connect_timeout(), lookup_host((host, config.port()))).await {
        Ok(found) => found,
        Err(_) => {
            let message = format!("no name server answers for the host name {host}: check TIDB_HOST and your network");
            return Err(Error::new(ErrorKind::TimedOut, message));
        }
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    match found {
        Ok(found) => addresses.extend(found.map(|address| address.ip())),
        Err(error) => return Err(config.connect_error(DOCTOR, Fault::NoSuchHost, error)),
    }
    addresses.dedup();
    if addresses.is_empty() {
        return Err(config.connect_error(DOCTOR, Fault::NoSuchHost, "the name has no address"));
    }
    Ok(addresses)
}

/// A TCP connection, and those addresses before it that took none.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) stream: TcpStream,
    pub(super) address: IpAddr,
    pub(super) passed_over: Vec<(IpAddr, io::Error)>,
}

/// Connects to the first address that takes the connection.
pub(super) async fn reach(config: &ConnectionConfig, addresses: &[IpAddr]) -> Result<Reached> {
    let several = addresses.len() > 1;
    let limit = if several { config.connect_timeout().min(ONE_OF_SEVERAL) } else { config.connect_timeout() };
    let mut passed_over = Vec::new();
    for &address in addresses {
        match connect((address, config.port()).into(), limit).await {
            Ok(stream) => return Ok(Reached { stream, address, passed_over }),
            Err(error) => passed_over.push((address, error)),
        }
    }
    let only_v6_loopback = addresses.iter().all(|address| address.is_loopback() && address.is_ipv6());
    if only_v6_loopback && config.host().parse::<IpAddr>().is_err() {
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port()));
        if connect(v4, limit).await.is_ok() {
            let host = config.host();
            let message = format!(
                "{host} means only ::1 on this machine, where nobody listens on port {}, while 127.0.0.1 answers: \
                 set TIDB_HOST=127.0.0.1",
                config.port()
            );
            return Err(Error::new(ErrorKind::Unreachable, message));
        }
    }
    // Silence says more than a refusal: it is what a firewall does.
    let told = passed_over.iter().position(|(_, error)| error.kind() == io::ErrorKind::TimedOut).unwrap_or(0);
    let (_, error) = passed_over.swap_remove(told);
    Err(config.connect_error(DOCTOR, Fault::of(&error), error))
}

async fn connect(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    timeout(limit, TcpStream::connect(address)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Waits for the greeting; what else comes, or that nothing does, is an error that says what stands there instead.
pub(super) async fn greet(config: &ConnectionConfig, stream: &mut TcpStream) -> Result<Greeting> {
    let peer = stream.peer_addr().map_err(|error| config.connect_error(DOCTOR, Fault::Lost, error))?;
    let mut listening = pin!(hear(stream));
    let heard = match timeout(SILENCE.min(config.connect_timeout()), &mut listening).await {
        Ok(heard) => heard,
        Err(_) => {
            let rest = config.connect_timeout().saturating_sub(SILENCE);
            tokio::select! {
                heard = timeout(rest, listening) => heard.unwrap_or(Ok(Heard::Nothing)),
                Some(what) = ask(peer) => return Err(stranger(config, what)),
            }
        }
    };
    match heard {
        Ok(Heard::Hello(Hello::Greeting(greeting))) => Ok(greeting),
        Ok(Heard::Hello(Hello::Refusal { code, sqlstate, message })) => {
            let error = ServerError::new(code, sqlstate, message);
            let cause = error.to_string();
            Err(config.connect_error(DOCTOR, Fault::Server(error), cause))
        }
        Ok(Heard::Nothing) => Err(Error::new(
            ErrorKind::TimedOut,
            format!(
                "{} accepts the connection and then says nothing, where a MySQL server would greet: check TIDB_PORT, \
                 and whether a proxy stands there whose server is down",
                server(config)
            ),
        )),
        Ok(Heard::End) => match ask(peer).await {
            Some(what) => Err(stranger(config, what)),
            None => Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "{} accepts the connection and closes it without a word: check TIDB_PORT, and whether a proxy or \
                     firewall stands there that lets nobody through",
                    server(config)
                ),
            )),
        },
        Ok(Heard::Else(bytes)) => Err(match recognise(&bytes) {
            Some(what) => stranger(config, what),
            None => config.connect_error(DOCTOR, Fault::Protocol, format!("it said {}", shown(&bytes))),
        }),
        Err(error) => Err(config.connect_error(DOCTOR, Fault::of(&error), error)),
    }
}

/// Where the server is, as the settings say it.
pub(super) fn server(config: &ConnectionConfig) -> String {
    config.address()
}

/// The error for a peer that is no MySQL server.
fn stranger(config: &ConnectionConfig, what: &str) -> Error {
    let server = server(config);
    let message =
        format!("{server} is {what}, not a MySQL server: set TIDB_PORT to the server's MySQL port, usually 4000");
    Error::new(ErrorKind::Protocol, message)
}

/// The start of what was said, for a person.
fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(40)];
    format!("\"{}\"", start.escape_ascii())
}

enum Heard {
    Hello(Hello),
    /// Not the MySQL protocol.
    Else(Vec<u8>),
    /// The connection was closed before anything came.
    End,
    Nothing,
}

/// Reads the first packet, as far as it may be one.
async fn hear(stream: &mut TcpStream) -> io::Result<Heard> {
    let mut said = Vec::new();
    loop {
        if let Some([a, b, c, sequence]) = said.first_chunk() {
            let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
            if *sequence != 0 || !(1..LONGEST_HELLO).contains(&length) {
                break;
            }
            if let Some(payload) = said.get(4..4 + length) {
                return Ok(Hello::parse(payload).map_or(Heard::Else(said), Heard::Hello));
            }
        }
        if stream.read_buf(&mut said).await? == 0 {
            return Ok(if said.is_empty() { Heard::End } else { Heard::Else(said) });
        }
    }
    Ok(Heard::Else(said))
}

/// What begins to speak like this.
fn recognise(said: &[u8]) -> Option<&'static str> {
    /// The beginning of a TiDB's status, as its status port gives it.
    const STATUS: &[u8] = b"-TiDB-";

    const KNOWN: &[(&[u8], &str)] = &[
        (b"HTTP/", "a web server (HTTP)"),
        (b"SSH-", "an SSH server"),
        (b"220", "a mail or FTP server"),
        (b"* OK", "a mail server"),
        (b"+OK", "a mail server"),
        (b"-ERR", "a Redis server"),
        // A notice, and the protocol's own length before it.
        (b"\x05\0\0\0\x0b", "MySQL's X protocol"),
        (b"\x15\x03", "a server that speaks only TLS"),
    ];

    // The settings of HTTP/2, which only gRPC servers send unasked.
    if let [_, _, _, 4, 0, 0, 0, 0, 0, ..] = said {
        return Some("a gRPC server, such as TiKV");
    }
    if said.starts_with(b"HTTP/") && said.windows(STATUS.len()).any(|part| part == STATUS) {
        return Some("TiDB's status port (HTTP)");
    }
    KNOWN.iter().find(|(start, _)| said.starts_with(start)).map(|(_, what)| *what)
}

/// Asks a peer that waits for its client to speak, each question on a connection of its own.
async fn ask(peer: SocketAddr) -> Option<&'static str> {
    /// TiDB's status port answers with its version, other web servers somehow.
    const HTTP: &[u8] = b"GET /status HTTP/1.0\r\n\r\n";
    /// PostgreSQL's request for TLS, which is answered with one letter.
    const POSTGRESQL: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";

    for question in [HTTP, POSTGRESQL] {
        let mut answer = Vec::new();
        let asked = async {
            let mut stream = TcpStream::connect(peer).await?;
            stream.write_all(question).await?;
            stream.take(LONGEST_HELLO as u64).read_to_end(&mut answer).await
        };
        // What came before an error or the end of patience counts as well.
        let _ = timeout(PATIENCE, asked).await;
        if question == POSTGRESQL && matches!(answer[..], [b'S' | b'N']) {
            return Some("a PostgreSQL server");
        }
        // A MySQL server may have woken up meanwhile, and greet.
        if let Some(what) = recognise(&answer) {
            return Some(what);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpListener};

    use super::*;

    /// Whether or not the machine has `::1` at all.
    #[tokio::test]
    async fn localhost_that_means_only_v6_is_told_where_the_server_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = ConnectionConfig::new().with_host("localhost").with_port(port);
        let said = reach(&config, &[Ipv6Addr::LOCALHOST.into()]).await.expect_err("only v4 listens").to_string();
        let expected = format!(
            "localhost means only ::1 on this machine, where nobody listens on port {port}, while 127.0.0.1 answers: \
             set TIDB_HOST=127.0.0.1"
        );
        assert_eq!(said, expected);
        drop(listener);
        let said = reach(&config, &[Ipv6Addr::LOCALHOST.into()]).await.expect_err("nobody listens").to_string();
        assert!(!said.contains("127.0.0.1"), "{said}");
    }

    #[tokio::test]
    async fn an_address_that_takes_no_connection_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = ConnectionConfig::new().with_port(listener.local_addr().unwrap().port());
        let (dead, alive) = (IpAddr::from(Ipv6Addr::LOCALHOST), IpAddr::from(Ipv4Addr::LOCALHOST));
        let reached = reach(&config, &[dead, alive]).await.expect("the second one listens");
        assert_eq!((reached.address, reached.passed_over.len()), (alive, 1));
    }
}
