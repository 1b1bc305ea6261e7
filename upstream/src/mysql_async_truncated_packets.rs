//! mysql_async: of packets that are shorter than they should be, an empty row makes it panic, and an OK is a success.
//!
//! ```toml
//! mysql_async = "=0.37.1"
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// A column of text.
const COLUMN: &[u8] = b"\x03def\0\0\0\x04text\x04text\x0c\x2e\0\0\0\x01\0\xfd\0\0\0\0\0";
const EOF: &[u8] = b"\xfe\0\0\x02\0";

/// What the server says: its answer to the login, and its answer to a statement.
type Server = (&'static str, &'static [u8], &'static [&'static [u8]]);

const SERVERS: &[Server] = &[
    ("an empty row", OK, &[b"\x01", COLUMN, EOF, b""]),
    ("an OK cut short in answer to the login", b"\0", &[OK]),
    ("an OK cut short in answer to a statement", OK, &[b"\0"]),
];

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    println!("expected: an error, neither a panic nor Ok");
    let mut errors = 0;
    for &(what, login, statement) in SERVERS {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || serve(&listener, login, statement));
        match tokio::spawn(talk(port)).await {
            Ok(result) => {
                println!("happens:  {what}: {result:?}");
                errors += usize::from(result.is_err());
            }
            Err(panic) => println!("happens:  {what}: {panic}"),
        }
    }
    Ok(if errors == SERVERS.len() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn talk(port: u16) -> mysql_async::Result<()> {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20))
        .wait_timeout(Some(60));
    Conn::new(options).await?.query_drop("SELECT 1").await
}

fn serve(listener: &TcpListener, login: &[u8], statement: &[&[u8]]) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, login))?;
    read(&mut client)?;
    let packets: Vec<_> = (1..).zip(statement).map(|(number, payload)| packet(number, payload)).collect();
    client.write_all(&packets.concat())
}

/// A packet: the length in three bytes, the number, the payload.
fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes()[..3], &[number], payload].concat()
}

fn read(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut header = [0; 4];
    client.read_exact(&mut header)?;
    let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
    client.read_exact(&mut payload)?;
    Ok(payload)
}
