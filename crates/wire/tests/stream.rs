//! What a real server cannot be made to do, with a bare socket in its place.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use support::eventually;
use tidb_connect_wire::Proxy;

/// A read that takes longer has lost its bytes.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A proxy with one connection through it: the client's end and the server's.
fn connected() -> (Proxy, TcpStream, TcpStream) {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let proxy = Proxy::start(upstream.local_addr().expect("bound")).expect("a proxy");
    let client = TcpStream::connect(proxy.addr()).expect("the proxy listens");
    let (server, _) = upstream.accept().expect("the proxy connects");
    for end in [&client, &server] {
        end.set_read_timeout(Some(READ_TIMEOUT)).expect("not zero");
    }
    (proxy, client, server)
}

/// Sends `bytes` and waits until they are on the other side, exactly so.
fn pass(mut from: &TcpStream, mut to: &TcpStream, bytes: &[u8]) {
    from.write_all(bytes).expect("sent");
    let mut arrived = vec![0; bytes.len()];
    to.read_exact(&mut arrived).expect("arrived");
    assert_eq!(arrived, bytes);
}

fn assert_closed(mut end: &TcpStream) {
    assert_eq!(end.read(&mut [0]).expect("an orderly end"), 0);
}

#[test]
fn a_client_that_asks_for_tls_is_reported_and_not_read() {
    let (proxy, client, server) = connected();
    let mut ssl_request = vec![32, 0, 0, 1];
    ssl_request.extend([0; 32]);
    pass(&server, &client, b"greeting");
    pass(&client, &server, &ssl_request);
    pass(&client, &server, b"client hello");
    pass(&server, &client, b"server hello");
    pass(&client, &server, b"\x09\0\0\0\x03SELECT 1");
    let report = proxy.report();
    assert!(report.connections[0].tls);
    assert_eq!(report.round_trips(), 2);
    assert_eq!(report.connections[0].commands, []);
}

#[test]
fn bytes_pass_before_their_packet_is_complete() {
    let (proxy, client, server) = connected();
    for byte in b"\x03\0\0\x00\x0aab" {
        pass(&server, &client, &[*byte]);
    }
    for byte in b"\x03\0\0\x01abc" {
        pass(&client, &server, &[*byte]);
    }
    let report = proxy.report();
    assert_eq!(report.round_trips(), 1);
    assert_eq!(report.connections[0].bytes_up, 7);
    assert_eq!(report.connections[0].bytes_down, 7);
}

#[test]
fn a_side_that_has_closed_still_receives() {
    let (_proxy, client, server) = connected();
    client.shutdown(Shutdown::Write).unwrap();
    assert_closed(&server);
    pass(&server, &client, b"still here");
    drop(server);
    assert_closed(&client);

    let (_proxy, client, server) = connected();
    server.shutdown(Shutdown::Write).unwrap();
    assert_closed(&client);
    pass(&client, &server, b"still here");
    drop(client);
    assert_closed(&server);
}

#[test]
fn a_client_is_closed_when_the_server_refuses_and_the_proxy_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // A port that is taken, so that no other test gets it, and where nobody listens.
    let refused = other.local_addr().unwrap();
    let proxy = Proxy::start(refused).unwrap();
    for _ in 0..2 {
        let client = TcpStream::connect(proxy.addr()).unwrap();
        client.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        assert_closed(&client);
    }
    let report = proxy.report();
    assert_eq!(report.connections.len(), 2);
    assert_eq!(report.round_trips(), 0);
}

#[test]
fn stopping_waits_for_the_server_of_a_closed_client() {
    let (proxy, client, server) = connected();
    pass(&server, &client, b"greeting");
    drop(client);
    assert_closed(&server);
    let answer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(server);
    });
    let started = Instant::now();
    drop(proxy);
    assert!(started.elapsed() >= Duration::from_millis(150));
    assert!(started.elapsed() < Duration::from_secs(4));
    answer.join().unwrap();
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let (proxy, client, server) = connected();
    drop(client);
    assert_closed(&server);
    let started = Instant::now();
    proxy.stop();
    assert!(started.elapsed() < Duration::from_secs(8));
}

#[test]
fn stopping_reads_all_that_was_sent_before() {
    let (proxy, client, server) = connected();
    let bytes = vec![b'x'; 1 << 20];
    let reader = std::thread::spawn(move || {
        let mut arrived = Vec::new();
        (&server).read_to_end(&mut arrived).map(|_| arrived.len())
    });
    (&client).write_all(&bytes).unwrap();
    let report = proxy.stop();
    assert_eq!(report.connections[0].bytes_up, bytes.len() as u64);
    assert_eq!(reader.join().unwrap().unwrap(), bytes.len());
    drop(client);
}

#[test]
fn stopping_may_be_called_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let (proxy, client, _server) = connected();
        drop(proxy);
        assert_closed(&client);
    });
}

#[test]
fn nothing_passes_while_held_and_everything_after() {
    let (proxy, client, server) = connected();
    pass(&server, &client, b"greeting");
    proxy.hold();
    (&client).write_all(b"up").unwrap();
    (&server).write_all(b"down").unwrap();
    eventually("it is reported all the same", || {
        let connection = &proxy.report().connections[0];
        (connection.bytes_up, connection.bytes_down) == (2, 8 + 4)
    });
    for mut end in [&client, &server] {
        end.set_nonblocking(true).unwrap();
        assert_eq!(end.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        end.set_nonblocking(false).unwrap();
    }
    proxy.release();
    for (mut end, held) in [(&client, b"down".as_slice()), (&server, b"up")] {
        let mut arrived = vec![0; held.len()];
        end.read_exact(&mut arrived).unwrap();
        assert_eq!(arrived, held);
    }
    pass(&client, &server, b"more");
}

#[test]
fn a_connection_made_while_held_is_open_and_silent_until_the_client_closes_it() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(upstream.local_addr().unwrap()).unwrap();
    proxy.hold();
    let late = TcpStream::connect(proxy.addr()).unwrap();
    let (mut server, _) = upstream.accept().unwrap();
    eventually("it is accepted", || proxy.report().open() == 1);
    server.write_all(b"greeting").unwrap();
    eventually("the greeting is read", || proxy.report().connections[0].bytes_down == 8);
    late.set_nonblocking(true).unwrap();
    assert_eq!((&late).read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(late);
    eventually("it is closed", || proxy.report().open() == 0);
    proxy.stop();
}

#[test]
fn a_cut_closes_both_sides_of_what_is_open_and_nothing_later() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(upstream.local_addr().unwrap()).unwrap();
    let connect = || {
        let client = TcpStream::connect(proxy.addr()).unwrap();
        let (server, _) = upstream.accept().unwrap();
        for end in [&client, &server] {
            end.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        }
        (client, server)
    };
    for held in [false, true] {
        let (client, server) = connect();
        if held {
            proxy.hold();
        }
        proxy.cut();
        assert_closed(&client);
        assert_closed(&server);
        eventually("it is reported", || proxy.report().open() == 0);
        proxy.release();
        let (client, server) = connect();
        pass(&client, &server, b"hello");
        drop((client, server));
        eventually("all is over", || proxy.report().open() == 0);
    }
}
