//! mysql: memory is reserved for as many columns as a server announces; for more than there is, the process is aborted.
//!
//! The server here announces 16,777,215 columns and sends none. For 2^33 of them, which take as few bytes to announce, the
//! process would end with SIGABRT.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{
    error::Error,
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

use mysql::{Conn, OptsBuilder, prelude::Queryable};

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const COLUMNS: &[u8] = b"\xfd\xff\xff\xff";

/// What a client of some columns may take, in KiB.
const MUCH: u64 = 128 << 10;

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || serve(&listener));
    let options = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(port)
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20));
    let mut conn = Conn::new(options)?;
    let before = most_reserved()?;
    let result = conn.query_drop("SELECT 1");
    let taken = most_reserved()? - before;

    println!("expected: an error, and no memory taken for columns that do not come");
    println!("happens:  {} MiB reserved, and then: {result:?}", taken >> 10);
    Ok(if taken < MUCH { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The most of its address space that this process has had, in KiB, as Linux counts it.
fn most_reserved() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).ok_or("no VmPeak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, OK))?;
    read(&mut client)?;
    client.write_all(&packet(1, COLUMNS))
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
