//! mysql: a transaction with a consistent snapshot panics when it cannot be begun.
//!
//! The server here refuses every statement, as one does that is shutting down.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    thread,
};

use mysql::{Conn, OptsBuilder, TxOpts};

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const REFUSED: &[u8] = b"\xff\x1d\x04#08S01Server shutdown in progress";

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(listener.local_addr()?.port())
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20));
    thread::spawn(move || serve(&listener));
    let mut connection = Conn::new(options)?;

    let mut begin = |snapshot| {
        let options = TxOpts::default().set_with_consistent_snapshot(snapshot);
        catch_unwind(AssertUnwindSafe(|| connection.start_transaction(options).map(drop)))
    };
    let (without, with) = (begin(false), begin(true));

    println!("expected: the server's error: {without:?}");
    println!("happens:  with a consistent snapshot: {}", if with.is_err() { "a panic" } else { "no panic" });
    Ok(if with.is_err() { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, OK))?;
    loop {
        read(&mut client)?;
        client.write_all(&packet(1, REFUSED))?;
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
