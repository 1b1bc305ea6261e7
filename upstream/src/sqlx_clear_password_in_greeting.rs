//! sqlx: a greeting without TLS that names `mysql_clear_password` is answered with the password, although nobody has switched
//! the plug-in on.
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
    ConnectOptions,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};

/// Protocol 10, with mysql_clear_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_clear_password\0";
const PASSWORD: &str = "not for everybody";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let server = thread::spawn(move || serve(&listener));
    let options = MySqlConnectOptions::new().host("127.0.0.1").port(port).ssl_mode(MySqlSslMode::Disabled);
    let refused = options.password(PASSWORD).connect().await.map(drop);
    let login = server.join().expect("the server does not panic")?;

    let sent = login.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
    println!(
        "expected: an error, before anything of the password is sent: enable_cleartext_plugin(true) was not called"
    );
    println!("happens:  {}", if sent { "the password is in the first packet" } else { "it is not sent" });
    println!("          {refused:?}");
    Ok(if sent { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// What the client sends after the greeting.
fn serve(listener: &TcpListener) -> io::Result<Vec<u8>> {
    let mut client = listener.accept()?.0;
    client.write_all(&[&[GREETING.len() as u8, 0, 0, 0], GREETING].concat())?;
    read(&mut client).or_else(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
        _ => Err(error),
    })
}

fn read(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut header = [0; 4];
    client.read_exact(&mut header)?;
    let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
    client.read_exact(&mut payload)?;
    Ok(payload)
}
