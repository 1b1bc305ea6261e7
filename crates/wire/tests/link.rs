//! A path with a round-trip time passes on everything, late.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use support::eventually;
use tidb_connect_wire::Link;

const ROUND_TRIP: Duration = Duration::from_millis(30);

/// Sends back what it gets, until its clients end.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            thread::spawn(move || {
                let (mut from, mut to) = (client.try_clone().unwrap(), client);
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    });
    addr
}

#[test]
fn an_answer_takes_a_round_trip_longer() {
    let link = Link::start(echo(), ROUND_TRIP).unwrap();
    let mut client = TcpStream::connect(link.addr()).unwrap();
    for _ in 0..3 {
        let began = Instant::now();
        client.write_all(b"ping").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        assert!(began.elapsed() >= ROUND_TRIP, "{:?}", began.elapsed());
    }
}

#[test]
fn what_is_sent_at_once_does_not_wait_in_turn() {
    const PIECES: u32 = 100;

    let link = Link::start(echo(), ROUND_TRIP).unwrap();
    let mut client = TcpStream::connect(link.addr()).unwrap();
    let mut reader = client.try_clone().unwrap();
    let began = Instant::now();
    let read = thread::spawn(move || {
        let mut all = vec![0; PIECES as usize];
        reader.read_exact(&mut all).unwrap();
        all
    });
    let sent: Vec<u8> = (0..PIECES).map(|piece| piece as u8).collect();
    for piece in &sent {
        client.write_all(&[*piece]).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(read.join().unwrap(), sent);
    // Each in turn would take 3 s. The bound is against that, not a measure.
    assert!(began.elapsed() < ROUND_TRIP * PIECES / 2, "{:?}", began.elapsed());
}

#[test]
fn ends_are_passed_on() {
    let link = Link::start(echo(), ROUND_TRIP).unwrap();
    let mut client = TcpStream::connect(link.addr()).unwrap();
    client.write_all(b"last").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"last");
}

#[test]
fn a_link_that_is_dropped_closes_its_connections() {
    let link = Link::start(echo(), ROUND_TRIP).unwrap();
    let (addr, mut client) = (link.addr(), TcpStream::connect(link.addr()).unwrap());
    client.write_all(b"ping").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    drop(link);
    assert_eq!(client.read(&mut [0; 4]).unwrap_or(0), 0);
    eventually("nobody listens", || TcpStream::connect(addr).is_err());
}
