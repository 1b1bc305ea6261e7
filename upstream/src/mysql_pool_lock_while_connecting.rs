//! mysql: while the pool opens a connection, none can be taken from it and none be given back.
//!
//! The server here greets the first client at once, and the second after three seconds.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use mysql::{OptsBuilder, Pool, PoolConstraints, PoolOpts};

/// Protocol 10, with mysql_native_password and without TLS.
const GREETING: &[u8] =
    b"\x0a8.0.11\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
    mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let two = PoolConstraints::new(1, 2).ok_or("no pool of two connections")?;
    let options = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(listener.local_addr()?.port())
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20))
        .pool_opts(PoolOpts::default().with_constraints(two));
    thread::spawn(move || serve(&listener));
    let pool = Pool::new(options)?;

    let first = pool.get_conn()?;
    let elsewhere = pool.clone();
    let second = thread::spawn(move || elsewhere.get_conn().map(drop));
    thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    drop(first);
    let given_back = started.elapsed();
    drop(pool.get_conn()?);
    let taken = started.elapsed();
    second.join().map_err(|_| "a panic")??;

    println!("expected: a connection is given back and taken again at once, while another is being opened");
    println!("happens:  given back after {:.1} s, taken after {:.1} s", given_back.as_secs_f32(), taken.as_secs_f32());
    Ok(if given_back < Duration::from_secs(1) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    for pause in [0, 3] {
        let mut client = listener.accept()?.0;
        thread::sleep(Duration::from_secs(pause));
        thread::spawn(move || attend(&mut client));
    }
    Ok(())
}

fn attend(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(&packet(0, GREETING))?;
    read(client)?;
    client.write_all(&packet(2, OK))?;
    loop {
        read(client)?;
        client.write_all(&packet(1, OK))?;
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
