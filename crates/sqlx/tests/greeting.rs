//! A greeting that no real server sends.

use std::{io::Write, net::TcpListener, thread};

use tidb_connect_sqlx::{ConnectionConfig, ErrorKind, connect};

/// The driver panics on it; a caller gets an error.
#[tokio::test]
async fn a_greeting_cut_short_is_an_error() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = server.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut client, _) = server.accept().expect("a client");
        client.write_all(b"\x06\0\0\0\x0a8.0.\0").expect("sent");
    });
    let error = connect(&ConnectionConfig::new().with_port(port)).await.expect_err("no server");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("TIDB_PORT"), "{error}");
}
