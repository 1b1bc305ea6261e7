//! sqlx: a server's request for a local file is taken for the start of 251 columns, which are waited for, for ever.
//!
//! The server here asks for a file in answer to any statement, as only a rogue one does: sqlx does not announce that it
//! could send one.
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
const FILE: &[u8] = b"\xfb/etc/hostname";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || serve(&listener));
    let options = MySqlConnectOptions::new().host("127.0.0.1").port(port).ssl_mode(MySqlSslMode::Disabled);
    let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None).set_names(false);
    let mut connection = options.connect().await?;
    let update = timeout(Duration::from_secs(3), connection.execute("UPDATE t SET n = 1")).await;

    println!("expected: an error: a file is asked for, which there is no support for");
    match &update {
        Ok(result) => println!("happens:  {result:?}"),
        Err(_) => println!("happens:  still waiting after 3 s"),
    }
    Ok(if matches!(update, Ok(Err(_))) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, OK))?;
    read(&mut client)?;
    client.write_all(&packet(1, FILE))?;
    // The client hangs up, if it does.
    read(&mut client).map(drop)
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
