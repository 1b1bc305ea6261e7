//! mysql: `query_drop` and `exec_drop` are Ok although a later statement failed, the server broke the rows off with an
//! error, or the connection was lost among them.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{
    env,
    error::Error,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

use mysql::{Conn, Opts, OptsBuilder, prelude::Queryable};

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const EOF: &[u8] = b"\xfe\0\0\x02\0";
/// A column of text.
const COLUMN: &[u8] = b"\x03def\0\0\0\x04text\x04text\x0c\x2e\0\0\0\x01\0\xfd\0\0\0\0\0";
const ROW: &[u8] = b"\x03one";
/// What TiDB says when a statement has run for longer than it may.
const INTERRUPTED: &[u8] = b"\xff\x25\x05#70100Query execution was interrupted";

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut connection = Conn::new(OptsBuilder::from_opts(Opts::from_url(&url)?).prefer_socket(false))?;
    let later = connection.query_drop("DO 1; INSERT INTO there_is_no_such_table VALUES (1)");
    let interrupted = run_on_server(&[packet(5, INTERRUPTED)].concat())?;
    let lost = run_on_server(&[])?;

    println!("expected: an error of the server is an error, and so is a lost connection");
    println!("happens:  of two statements the second fails: {later:?}");
    println!("happens:  after the first row the server ends with an error: {interrupted:?}");
    println!("happens:  after the first row the connection is lost: {lost:?}");
    let hidden = later.is_ok() || interrupted.is_ok() || lost.is_ok();
    Ok(if hidden { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// A statement on a server that answers with a row and then `end`, and hangs up.
fn run_on_server(end: &[u8]) -> Result<mysql::Result<()>, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(listener.local_addr()?.port())
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20));
    thread::scope(|scope| {
        scope.spawn(|| serve(&listener, end));
        let mut connection = Conn::new(options)?;
        Ok(connection.query_drop("SELECT text FROM texts"))
    })
}

fn serve(listener: &TcpListener, end: &[u8]) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, OK))?;
    read(&mut client)?;
    let row = [packet(1, b"\x01"), packet(2, COLUMN), packet(3, EOF), packet(4, ROW)].concat();
    client.write_all(&[&row, end].concat())
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
