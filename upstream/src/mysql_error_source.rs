//! mysql: an error has no `source`, so that reports leave out what caused it.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{error::Error, iter::successors, net::TcpListener, process::ExitCode};

use mysql::{Conn, OptsBuilder};

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Bound once and closed again: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let options = OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(port).prefer_socket(false);
    let Err(error) = Conn::new(options) else { return Err("somebody listens".into()) };
    let sources = successors(error.source(), |&error| error.source()).count();
    #[expect(deprecated, reason = "it is what the driver implements")]
    let cause = error.cause();

    println!("expected: `source` leads to what it wraps, as the deprecated `cause` does");
    println!("happens:  {error:?} has {sources} sources, and its cause is {cause:?}");
    Ok(if sources == 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
