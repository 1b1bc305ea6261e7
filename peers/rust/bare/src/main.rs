//! The bare drivers. `sqlx`, `mysql` and `mysql_async` as an expert sets them up; with `-defaults`, as their front pages do.

mod blocking;
mod mysql_async;
mod sqlx;

use std::{env, process::ExitCode};

use peer_worker::{NewPlayer, serve};

fn main() -> ExitCode {
    let name = env::args().nth(1).unwrap_or_default();
    let tuned = !name.ends_with("-defaults");
    match name.trim_end_matches("-defaults") {
        "sqlx" => serve("sqlx 0.8.6", |server| sqlx::Players::connect(server, tuned)),
        "mysql" => serve("mysql 28.0.4", |server| async move { blocking::Players::connect(&server, tuned) }),
        "mysql_async" => serve("mysql_async 0.37.1", |server| mysql_async::Players::connect(server, tuned)),
        _ => ExitCode::FAILURE,
    }
}

const INSERT: &str = "INSERT INTO players (name, coins, goods) VALUES (?, ?, ?)";
const FIND: &str = "SELECT id, name, coins, goods FROM players WHERE id = ?";
const FIND_BY_NAME: &str = "SELECT id, name, coins, goods FROM players WHERE name = ?";
const LIST: &str = "SELECT id, name, coins, goods FROM players ORDER BY id LIMIT ?";
const COUNT: &str = "SELECT COUNT(*) FROM players";
const LOCK: &str = "SELECT coins, goods FROM players WHERE id = ? FOR UPDATE";
const MOVE: &str = "UPDATE players SET coins = coins + ?, goods = goods + ? WHERE id = ?";

/// One statement for all of `players`.
fn insert_many(players: &[NewPlayer]) -> String {
    INSERT.to_owned() + &", (?, ?, ?)".repeat(players.len() - 1)
}
