//! Keeps the driver from sending the password in the clear.
//!
//! Without TLS, the driver answers a greeting that names `mysql_clear_password` with the password itself, whoever the peer
//! is (`upstream/sqlx_clear_password_in_greeting.md`), and lets nobody look at the greeting first. So where there is a
//! password and no TLS, this crate makes the connection, reads the greeting, and only then lets the driver talk: through a
//! Unix socket in a directory of its own, for as long as the connection lives.

use std::io;

use sqlx::{Connection as _, Error, MySqlConnection, mysql::MySqlConnectOptions};
use tidb_connect_core::ConnectionConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpStream, UnixListener, UnixStream},
    select,
    sync::oneshot,
};

/// The plug-in whose answer is the password.
const CLEAR_PASSWORD: &[u8] = b"mysql_clear_password";

/// The longest greeting that is read, in bytes; those of servers have some hundred.
const LONGEST_GREETING: usize = 1 << 12;

/// Connects and logs in.
pub(crate) async fn connect(config: &ConnectionConfig, options: &MySqlConnectOptions) -> sqlx::Result<MySqlConnection> {
    if config.uses_tls() || config.password().is_empty() {
        return MySqlConnection::connect_with(options).await;
    }
    let mut server = TcpStream::connect((config.host(), config.port())).await?;
    server.set_nodelay(true)?;
    let greeting = greeting(&mut server).await?;
    if greeting.windows(CLEAR_PASSWORD.len()).any(|window| window == CLEAR_PASSWORD) {
        return Err(Error::Protocol(
            "mysql_cleartext_plugin disabled: the greeting asks for the password itself".into(),
        ));
    }
    // Only this user can enter it.
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("mysql.sock");
    let listener = UnixListener::bind(&path)?;
    // Until the driver has connected, the task belongs to this call, and ends with it.
    let (connected, called_off) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let driver = select! {
            accepted = listener.accept() => accepted.map(|(driver, _)| driver),
            _ = called_off => return Ok(()),
        };
        relay(driver?, server, greeting).await
    });
    let connection = MySqlConnection::connect_with(&options.clone().socket(&path)).await;
    drop(connected);
    connection
}

/// The server's first packet, with its header.
async fn greeting(server: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    server.read_exact(&mut packet).await?;
    let len = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
    if len > LONGEST_GREETING {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the greeting is longer than that of any server"));
    }
    packet.resize(4 + len, 0);
    server.read_exact(&mut packet[4..]).await?;
    Ok(packet)
}

/// Passes everything on until either side closes, and then closes both.
async fn relay(mut driver: UnixStream, mut server: TcpStream, greeting: Vec<u8>) -> io::Result<()> {
    driver.write_all(&greeting).await?;
    let ((mut from_driver, mut to_driver), (mut from_server, mut to_server)) = (driver.split(), server.split());
    select! {
        _ = copy(&mut from_driver, &mut to_server) => {}
        _ = copy(&mut from_server, &mut to_driver) => {}
    }
    Ok(())
}
