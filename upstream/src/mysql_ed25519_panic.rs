//! mysql: a server that asks for MariaDB's authentication by ed25519 makes a client panic that is built without it.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

use mysql::{Conn, OptsBuilder};

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
/// Another method, and 32 bytes to be signed.
const SWITCH: &[u8] = b"\xfeclient_ed25519\0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(listener.local_addr()?.port())
        .prefer_socket(false)
        .pass(Some("secret"));
    thread::spawn(move || serve(&listener));
    let connected = thread::spawn(move || Conn::new(options)).join();

    println!("expected: an error that names the method, as for one that is not known");
    match &connected {
        Ok(result) => println!("happens:  {:?}", result.as_ref().map(|_| "logged in")),
        Err(_) => println!("happens:  a panic"),
    }
    Ok(if connected.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, SWITCH))
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
