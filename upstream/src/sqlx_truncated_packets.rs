//! sqlx: packets that are shorter than they should be make it panic.
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
};

use sqlx::{
    ConnectOptions, Executor,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// What the server says: its greeting, its answer to the login, its answer to a statement.
type Server = (&'static str, [&'static [u8]; 3]);

const SERVERS: &[Server] = &[
    ("a greeting cut short", [b"\x0a8.0.11\0\x01\0", OK, OK]),
    ("the OK of the login cut short", [GREETING, b"\0", OK]),
    ("an OK cut short", [GREETING, OK, b"\0\0"]),
    ("an error packet cut short", [GREETING, OK, b"\xff\x15"]),
    ("a number of columns cut short", [GREETING, OK, b"\xfc"]),
];

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    println!("expected: an error, whatever a server sends");
    let mut panics = 0;
    for &(what, said) in SERVERS {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || serve(&listener, said));
        match tokio::spawn(talk(port)).await {
            Ok(result) => println!("happens:  {what}: {result:?}"),
            Err(panic) => {
                println!("happens:  {what}: {panic}");
                panics += 1;
            }
        }
    }
    Ok(if panics == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn talk(port: u16) -> sqlx::Result<()> {
    let options = MySqlConnectOptions::new().host("127.0.0.1").port(port).ssl_mode(MySqlSslMode::Disabled);
    let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None).set_names(false);
    options.connect().await?.execute("SELECT 1").await.map(drop)
}

fn serve(listener: &TcpListener, [greeting, login, statement]: [&[u8]; 3]) -> io::Result<()> {
    let mut client = listener.accept()?.0;
    client.write_all(&packet(0, greeting))?;
    read(&mut client)?;
    client.write_all(&packet(2, login))?;
    read(&mut client)?;
    client.write_all(&packet(1, statement))
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
