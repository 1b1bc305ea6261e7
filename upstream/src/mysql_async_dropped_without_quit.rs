//! mysql_async: a connection that is dropped does not tell the server, which takes it for one that broke off.
//!
//! The server here looks at the client's last command.
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
    thread::{self, JoinHandle},
};

use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::task::spawn_blocking;

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// What the server sees of how a client leaves: whether with COM_QUIT.
type Farewell = JoinHandle<io::Result<bool>>;

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (options, disconnected) = server()?;
    Conn::new(options).await?.disconnect().await?;
    let (options, dropped) = server()?;
    drop(Conn::new(options).await?);

    println!("expected: COM_QUIT, as the mysql crate sends it, and as the code means to do");
    let (disconnected, dropped) = (farewell(disconnected).await?, farewell(dropped).await?);
    println!("happens:  sent by `disconnect`: {disconnected}; when the connection is dropped: {dropped}");
    Ok(if dropped { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn farewell(server: Farewell) -> Result<bool, Box<dyn Error>> {
    // The client's tasks go on meanwhile.
    Ok(spawn_blocking(|| server.join()).await?.map_err(|_| "the server panicked")??)
}

fn server() -> io::Result<(Opts, Farewell)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(listener.local_addr()?.port())
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20))
        .wait_timeout(Some(60));
    Ok((options.into(), thread::spawn(move || serve(&listener))))
}

fn serve(listener: &TcpListener) -> io::Result<bool> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, GREETING))?;
    read(&mut client)?;
    client.write_all(&packet(2, OK))?;
    loop {
        match read(&mut client) {
            Ok(command) if command == [0x01] => return Ok(true),
            Ok(_) => client.write_all(&packet(1, OK))?,
            Err(_) => return Ok(false),
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
