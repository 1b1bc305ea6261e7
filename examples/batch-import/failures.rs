//! What an import that fails has stored, and what it says.

use std::{
    fs,
    net::ToSocketAddrs,
    process::{Command, Output},
};

use anyhow::{Context, Result};
use tidb_connect_mysql_async::{ConnectionConfig, MysqlAsyncStore, tidb_connect_core::players::PlayerStore};
use tidb_connect_wire::{Answer, CommandKind, Fault, Point, Proxy};

/// One test, since all use the table `players`.
#[tokio::test]
async fn an_import_that_fails_says_what_is_stored() -> Result<()> {
    let config = ConnectionConfig::from_env()?;
    let server = (config.host(), config.port());
    let store = MysqlAsyncStore::connect(&config).await?;

    let (said, stored) = import(&store, server, "player_250,1,many").await?;
    assert!(said.contains("250 players are imported") && said.contains("line: 252"), "{said}");
    assert_eq!(stored, 250);

    let (said, stored) = import(&store, server, "a_name_of_more_than_32_characters_,1,1").await?;
    assert!(said.contains("rows 251 to 300 are not stored, and will not be as they are"), "{said}");
    assert!(said.contains(&format!("{stored} players are stored for certain")), "{said}");

    let address = server.to_socket_addrs()?.next().context("no address")?;
    let proxy = Proxy::start(address)?;
    proxy.arm(Point::Command(CommandKind::Execute), Fault::AfterAnswer(0, Answer::Close));
    let (said, stored) = import(&store, ("127.0.0.1", proxy.addr().port()), "player_250,1,1").await?;
    assert!(said.contains("may be stored, all or none: import them again"), "{said}");
    // It was.
    assert!(said.contains(&format!("{} players are stored for certain", stored - 50)), "{said}");

    store.close().await?;
    Ok(())
}

/// Imports the players with another one in row 251, on `server`; returns what that said and how many are stored.
async fn import(store: &MysqlAsyncStore, server: (&str, u16), row: &str) -> Result<(String, u64)> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), include_str!("players.csv").replace("player_250,10000,100", row))?;
    let mut example = Command::new(env!("CARGO_BIN_EXE_example-batch-import"));
    example.arg(file.path()).env("TIDB_HOST", server.0).env("TIDB_PORT", server.1.to_string());
    let Output { status, stdout, stderr } = example.output()?;
    let said = format!("{}{}", String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    assert!(!status.success(), "{said}");
    let stored = store.count().await?;
    store.drop_table().await?;
    Ok((said, stored))
}
