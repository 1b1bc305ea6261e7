//! sqlx: after a future is dropped in the middle of a packet, the rest of the packet is read as packets.
//!
//! The server here sends one row in two parts. The caller gives up between them; what the row says then decides what
//! the next statement returns.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
    time::Duration,
};

use sqlx::{
    ConnectOptions, Executor,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};
use tokio::time::timeout;

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const EOF: &[u8] = b"\xfe\0\0\x02\0";
/// A column of text.
const COLUMN: &[u8] = b"\x03def\0\0\0\x04text\x04text\x0c\x2e\0\0\0\x01\0\xfd\0\0\0\0\0";
/// A row of two texts. Read from its first byte on as packets, it is an EOF packet, and an OK packet: 42 rows affected.
const ROW: &[u8] = b"\x05\0\0\x04\xfe\0\x0d\x02\0\x07\0\0\x01\0\x2a\0\x02\0\0\0";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || serve(&listener));

    let mut connection =
        MySqlConnectOptions::new().host("127.0.0.1").port(port).ssl_mode(MySqlSslMode::Disabled).connect().await?;
    let select = timeout(Duration::from_millis(300), connection.fetch_all("SELECT first, second FROM texts")).await;
    if select.is_ok() {
        return Err("the SELECT was answered before it was given up".into());
    }
    let update = timeout(Duration::from_secs(3), connection.execute("UPDATE texts SET first = ''")).await;

    println!("expected: an UPDATE that the server does not answer returns no result");
    match update {
        Ok(Ok(result)) => {
            println!("happens:  Ok, {} rows affected: read from a text of the SELECT", result.rows_affected());
            Ok(ExitCode::from(2))
        }
        other => {
            println!("happens:  {other:?}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, OK))?;
    loop {
        match read(&mut client)?.as_slice() {
            b"\x03SELECT first, second FROM texts" => {
                let row = packet(5, ROW);
                let (now, later) = row.split_at(8);
                let start = [packet(1, b"\x02"), packet(2, COLUMN), packet(3, COLUMN), packet(4, EOF)].concat();
                client.write_all(&[&start, now].concat())?;
                thread::sleep(Duration::from_secs(1));
                client.write_all(&[later, &packet(6, EOF)].concat())?;
            }
            [0x03, b'U', ..] => {}
            _ => client.write_all(&packet(1, OK))?,
        }
    }
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
