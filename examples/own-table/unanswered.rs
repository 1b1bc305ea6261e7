//! A `COMMIT` without an answer, whether it is made or not, changes nothing of what the example prints.

use std::{net::ToSocketAddrs, process::Command};

use anyhow::Context;
use tidb_connect_sqlx::ConnectionConfig;
use tidb_connect_wire::{Answer, Fault, Point, Proxy};

#[test]
fn a_commit_without_an_answer_is_made_once() -> anyhow::Result<()> {
    let server = ConnectionConfig::from_env()?;
    let address = (server.host(), server.port()).to_socket_addrs()?.next().context("no address")?;
    for fault in [Fault::AfterAnswer(0, Answer::Close), Fault::AfterRequest(0, Answer::Close)] {
        let proxy = Proxy::start(address)?;
        proxy.arm(Point::statement("COMMIT"), fault.clone());
        let mut example = Command::new(env!("CARGO_BIN_EXE_example-own-table"));
        let port = proxy.addr().port().to_string();
        let ran = example.env("TIDB_HOST", "127.0.0.1").env("TIDB_PORT", port).output()?;
        assert_eq!(proxy.disarm(), 1, "{fault:?} has not struck");
        assert!(ran.status.success(), "{fault:?}: {}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(String::from_utf8(ran.stdout)?, include_str!("expected.txt"), "{fault:?}");
    }
    Ok(())
}
