//! mysql_async: with a statement cache of size 0, each text that is executed stays prepared on the server.
//!
//! The server here counts what it is asked for.
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
/// Statement 1, without columns and parameters.
const PREPARED: &[u8] = b"\0\x01\0\0\0\0\0\0\0\0\0\0";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(listener.local_addr()?.port())
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20))
        .wait_timeout(Some(60))
        .stmt_cache_size(0);
    let server = thread::spawn(move || serve(&listener));
    let mut connection = Conn::new(options).await?;
    for _ in 0..100 {
        connection.exec_drop("DO 1", ()).await?;
    }
    connection.disconnect().await?;
    let (prepared, closed) = server.join().map_err(|_| "the server panicked")??;

    println!("expected: of 100 statements that the program has no handle of, 100 are prepared and 100 closed");
    println!("happens:  {prepared} are prepared, and {closed} closed");
    Ok(if closed == prepared { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// How many statements are prepared and closed until the client leaves.
fn serve(listener: &TcpListener) -> io::Result<(u32, u32)> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, OK))?;
    let (mut prepared, mut closed) = (0, 0);
    loop {
        match read(&mut client)?.first() {
            Some(0x16) => {
                prepared += 1;
                client.write_all(&packet(1, PREPARED))?;
            }
            Some(0x17) => client.write_all(&packet(1, OK))?,
            Some(0x19) => closed += 1,
            _ => return Ok((prepared, closed)),
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
