//! mysql_async: an error packet without an SQLSTATE cannot be read, and its number and text are lost.
//!
//! TiDB sends one in answer to a login without the TLS that it demands, because it has not yet noted what the client can
//! do. In place of the greeting such a packet is read.
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

use mysql_async::{Conn, OptsBuilder};

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
/// 3159, as TiDB says it.
const NO_TLS: &[u8] =
    b"\xff\x57\x0cConnections using insecure transport are prohibited while --require_secure_transport=ON.";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    println!("expected: Error::Server with the server's number and text");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options =
        OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(listener.local_addr()?.port()).prefer_socket(false);
    thread::spawn(move || serve(&listener));
    let Err(error) = Conn::new(options).await else { return Err("logged in".into()) };
    println!("happens:  {error:?}");
    Ok(if matches!(error, mysql_async::Error::Server(_)) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, NO_TLS))
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
