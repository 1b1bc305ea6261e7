//! What takes a server to find out: tables made elsewhere, other connections, wrong settings.

use std::{
    error::Error as StdError,
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
};

use futures_util::future::join_all;
use mysql::{Value, prelude::Queryable};
use tidb_connect_core::{
    ConnectionConfig, ErrorKind, Outcome, TlsMode,
    players::{
        Attempt, NewPlayer, Player, PlayerId, Trade,
        sql::{self, MAX_ROWS},
    },
};

use super::{bulk, everyone, refuses, table};
use crate::{
    Failure, Server, Store,
    failure::{chain, equal, holds, refused},
};

/// Modes that a legacy application or an administrator sets, alone and together; the empty one is not strict.
const SQL_MODES: &[&str] = &[
    "",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "ANSI",
    "ANSI_QUOTES",
    "PIPES_AS_CONCAT",
    "IGNORE_SPACE",
    "NO_BACKSLASH_ESCAPES",
    "NO_UNSIGNED_SUBTRACTION",
    "ONLY_FULL_GROUP_BY",
    "HIGH_NOT_PRECEDENCE",
    "NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE",
    "TRADITIONAL",
];

/// What SQLAlchemy creates for TiDB's Python tutorials: narrow ids, columns that may be NULL, no character set.
const PYTHON_SAMPLE_TABLE: &str = "CREATE TABLE players (\
     id INTEGER NOT NULL AUTO_INCREMENT, name VARCHAR(32), coins INTEGER, goods INTEGER, \
     PRIMARY KEY (id), UNIQUE (name))";

/// The version is that of `SELECT VERSION()`, not the one of the greeting, which a proxy may have written.
pub async fn server_version_is_what_the_server_says(store: &Store, server: &Server) -> Result<(), Failure> {
    equal("the server's version", vec![store.server_version().await?], server.sql("SELECT VERSION()")?)
}

/// The table has the columns of the contract: `BIGINT` ids that the server gives, nothing nullable, exact names.
pub async fn create_table_makes_the_promised_columns(store: &Store, server: &Server) -> Result<(), Failure> {
    store.create_table().await?;
    let columns = server.sql(
        "SELECT LOWER(CONCAT_WS(' ', column_name, data_type, is_nullable, column_key, collation_name, extra)) \
         FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'players' \
         ORDER BY ordinal_position",
    )?;
    let expected =
        ["id bigint no pri auto_increment", "name varchar no uni utf8mb4_bin ", "coins int no  ", "goods int no  "];
    equal("the columns of the table", columns, expected)
}

/// What one store has stored is there for another at once.
pub async fn another_store_sees_what_was_stored(store: &Store, server: &Server) -> Result<(), Failure> {
    let [a, b] = table(store, [("a", 10, 10), ("b", 10, 10)]).await?;
    let other = server.open(server.config().clone()).await?;
    equal("the players that another store finds", everyone(&other).await?.len(), 2)?;
    store.trade(&Trade { buyer: a.id, seller: b.id, goods: 1, price: 2 }).await?;
    equal("the buyer in another store", other.find(a.id).await?, Some(Player { coins: 8, goods: 11, ..a }))?;
    other.delete(b.id).await?;
    equal("a player whom another store has deleted", store.find(b.id).await?, None)?;
    Ok(other.close().await?)
}

/// A table made by TiDB's Python sample serves as it is.
pub async fn python_sample_table_works_as_it_is(store: &Store, server: &Server) -> Result<(), Failure> {
    server.sql(PYTHON_SAMPLE_TABLE)?;
    server.sql("INSERT INTO players (id, name, coins, goods) VALUES (1, 'from python', 100, 20)")?;
    refuses(store, "creating the table beside it", ErrorKind::TableExists, store.create_table()).await?;
    let python = Player { id: PlayerId(1), name: "from python".into(), coins: 100, goods: 20 };
    equal("the player from Python", store.find(python.id).await?.as_ref(), Some(&python))?;
    equal("the same by name", store.find_by_name("from python").await?.as_ref(), Some(&python))?;
    let rust = store.create(&NewPlayer::new("from rust", 50, 5)).await?;
    equal("both players", everyone(store).await?, [python.clone(), rust.clone()])?;
    store.trade(&Trade { buyer: rust.id, seller: python.id, goods: 1, price: 7 }).await?;
    let python = Player { coins: 107, goods: 19, ..python };
    equal("the seller from Python", store.find(python.id).await?.as_ref(), Some(&python))?;
    store.update(&Player { coins: -1, ..python.clone() }).await?;
    store.delete(rust.id).await?;
    equal("the player who is left", everyone(store).await?, [Player { coins: -1, ..python }])?;
    Ok(store.drop_table().await?)
}

/// A NULL is an error that names the column, wherever the row is read; the other rows are as readable as ever.
pub async fn null_is_an_error_that_names_the_column(store: &Store, server: &Server) -> Result<(), Failure> {
    table_with_nulls(server)?;
    let null = |what: &str, column: &str, result| {
        let error = refused(&format!("{what} a row with NULL in {column}"), result, ErrorKind::UnexpectedNull)?;
        equal(&format!("the outcome of {what} a NULL"), error.outcome(), Outcome::Final)?;
        let text = error.to_string();
        holds(&format!("the error of {what} a NULL in {column} names the column: {text}"), text.contains(column))
    };
    for (id, column) in [(2, "coins"), (3, "goods"), (4, "name")] {
        null("finding", column, store.find(PlayerId(id)).await.map(drop))?;
        null("listing", column, store.list(Some(PlayerId(id - 1)), 1).await.map(drop))?;
    }
    null("finding by name", "coins", store.find_by_name("no coins").await.map(drop))?;
    null("finding by name", "goods", store.find_by_name("no goods").await.map(drop))?;

    let whole = Player { id: PlayerId(1), name: "whole".into(), coins: 100, goods: 100 };
    equal("the row before", store.find(whole.id).await?.as_ref(), Some(&whole))?;
    equal("the list before", store.list(None, 1).await?, [whole])?;
    equal("the row after", store.find(PlayerId(5)).await?.map(|player| player.coins), Some(5))?;
    equal("the count", store.count().await?, 5)
}

/// A trade that a NULL refuses says so: a buyer without a number of coins, a seller without a number of goods.
pub async fn refused_trade_names_a_null(store: &Store, server: &Server) -> Result<(), Failure> {
    table_with_nulls(server)?;
    let sides = [("coins", PlayerId(2), PlayerId(1)), ("goods", PlayerId(1), PlayerId(3))];
    for (column, buyer, seller) in sides {
        let result = store.trade(&Trade { buyer, seller, goods: 1, price: 1 }).await;
        let error = refused(&format!("a trade that needs a NULL in {column}"), result, ErrorKind::UnexpectedNull)?;
        holds(&format!("the error names {column}: {error}"), error.to_string().contains(column))?;
    }
    unharmed(server)
}

/// A sum with NULL is NULL: a seller whose coins are NULL must not take the buyer's along, nor goods get lost that way.
pub async fn trade_loses_nothing_to_a_null(store: &Store, server: &Server) -> Result<(), Failure> {
    table_with_nulls(server)?;
    let sides =
        [("the seller has NULL coins", PlayerId(1), PlayerId(2)), ("the buyer NULL goods", PlayerId(3), PlayerId(1))];
    for (what, buyer, seller) in sides {
        let result = store.trade(&Trade { buyer, seller, goods: 1, price: 1 }).await;
        refused(&format!("a trade where {what}"), result, ErrorKind::UnexpectedNull)?;
    }
    unharmed(server)
}

fn table_with_nulls(server: &Server) -> Result<(), Failure> {
    server.sql(PYTHON_SAMPLE_TABLE)?;
    server.sql(
        "INSERT INTO players (id, name, coins, goods) VALUES \
         (1, 'whole', 100, 100), (2, 'no coins', NULL, 100), (3, 'no goods', 100, NULL), (4, NULL, 4, 4), (5, 'last', 5, 5)",
    )?;
    Ok(())
}

fn unharmed(server: &Server) -> Result<(), Failure> {
    let rows = server.sql("SELECT CONCAT_WS(' ', id, coins, goods) FROM players WHERE id <= 3 ORDER BY id")?;
    equal("ids, coins and goods after the trades", rows, ["1 100 100", "2 100", "3 100"])
}

/// One statement takes `MAX_ROWS` rows.
pub async fn create_many_stores_as_many_rows_as_allowed(store: &Store, _: &Server) -> Result<(), Failure> {
    store.create_table().await?;
    let players: Vec<_> = (0..MAX_ROWS).map(|n| NewPlayer::new(format!("{:0>32}", n), 1, 1)).collect();
    equal("the result of create_many", store.create_many(&players).await?, MAX_ROWS as u64)?;
    equal("the count afterwards", store.count().await?, MAX_ROWS as u64)?;
    equal("how many are listed", everyone(store).await?.len(), MAX_ROWS)
}

/// An id beyond 2^53, which a floating-point number on its way would round, comes back as it is.
pub async fn ids_beyond_53_bits_are_exact(store: &Store, server: &Server) -> Result<(), Failure> {
    store.create_table().await?;
    let id = (1 << 53) + 1;
    server.sql(&format!("INSERT INTO players (id, name, coins, goods) VALUES ({id}, 'a', 1, 2)"))?;
    equal("the player found", store.find(PlayerId(id)).await?.map(|player| player.id), Some(PlayerId(id)))?;
    let next = store.create(&NewPlayer::new("b", 3, 4)).await?;
    holds(&format!("the next id, {}, is above {id}", next.id), next.id.0 > id)?;
    equal("the next player", store.find_by_name("b").await?.as_ref(), Some(&next))?;
    equal("the list after the first", store.list(Some(PlayerId(id)), 10).await?, [next])
}

/// Random ids, which TiDB can give instead of increasing ones and which use the upper bits, come back as they are.
pub async fn auto_random_ids_are_exact_on_tidb(store: &Store, server: &Server) -> Result<(), Failure> {
    server.sql(
        "CREATE TABLE players (id BIGINT PRIMARY KEY AUTO_RANDOM, name VARCHAR(32) NOT NULL UNIQUE, \
         coins INT NOT NULL, goods INT NOT NULL)",
    )?;
    for player in bulk::crowd(20) {
        let created = store.create(&player).await?;
        equal("the player found by the random id", store.find(created.id).await?, Some(created))?;
    }
    bulk::stores_exactly(store, &bulk::crowd(20)).await
}

/// `close` lets calls that are under way end; what it refuses is not stored.
pub async fn close_lets_calls_under_way_end(store: &Store, server: &Server) -> Result<(), Failure> {
    store.create_table().await?;
    let players = bulk::crowd(32);
    let calls = players.iter().cloned().map(|player| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.create(&player).await })
    });
    let calls: Vec<_> = calls.collect();
    tokio::task::yield_now().await;
    store.close().await?;
    let mut stored = Vec::new();
    for (player, result) in players.into_iter().zip(join_all(calls).await) {
        match result.map_err(|panic| Failure::new(format!("a task of the check did not end: {panic}")))? {
            Ok(_) => stored.push(player),
            Err(error) if error.kind() == ErrorKind::Closed => {}
            Err(error) => return Err(error.into()),
        }
    }
    let other = server.open(server.config().clone()).await?;
    bulk::stores_exactly(&other, &stored).await?;
    Ok(other.close().await?)
}

/// A wrong password is refused as such, and neither the store nor the error shows it.
pub async fn wrong_password_is_refused_and_not_shown(_: &Store, server: &Server) -> Result<(), Failure> {
    const CANARY: &str = "canary-password";
    // Said by name, since the automatic mode would turn TLS on for a password where there was none.
    let tls = if server.config().uses_tls() { TlsMode::Verify } else { TlsMode::Disabled };
    let config = server.config().clone().with_password(CANARY).with_tls(tls);
    let text = cannot_connect(server, config, ErrorKind::AccessDenied).await?;
    holds(&format!("the password stands in {text}"), !text.contains(CANARY))
}

/// A database that does not exist is said to be unknown.
pub async fn unknown_database_is_refused(_: &Store, server: &Server) -> Result<(), Failure> {
    let config = server.config().clone().with_database(format!("{}_missing", server.config().database()));
    cannot_connect(server, config, ErrorKind::UnknownDatabase).await?;
    Ok(())
}

/// Where nobody listens, the server is unreachable.
pub async fn port_without_a_server_is_unreachable(_: &Store, server: &Server) -> Result<(), Failure> {
    // Taken and given back, so that it is a port of this machine where nobody listens now.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let port = port.map_err(|error| Failure::caused("the kit cannot find a free port:", &error))?.port();
    let config = server.config().clone().with_host(Ipv4Addr::LOCALHOST.to_string()).with_port(port);
    cannot_connect(server, config, ErrorKind::Unreachable).await?;
    Ok(())
}

/// Opens a store that must fail with `kind`, at once or with its first call, and returns all that it says.
async fn cannot_connect(server: &Server, config: ConnectionConfig, kind: ErrorKind) -> Result<String, Failure> {
    let what = format!("connecting to {config}");
    let (mut text, result) = match server.open(config).await {
        Ok(store) => (format!("{store:?} {store:#?}"), store.server_version().await),
        Err(error) => (String::new(), Err(error)),
    };
    let error = refused(&what, result, kind)?;
    text += &format!("{error:?} {error:#?} {error}");
    for cause in chain(error.source()) {
        text += &format!(" {cause}");
    }
    Ok(text)
}

/// The statement of a trade moves all or nothing whatever `sql_mode` is: one that is not strict cuts sums off.
pub async fn trade_moves_all_or_nothing_in_every_sql_mode(store: &Store, server: &Server) -> Result<(), Failure> {
    const MAX: i32 = i32::MAX;
    let players = [("plain", 500, 500), ("many coins", MAX - 5, 500), ("many goods", 500, MAX - 5)];
    let [plain, coins, goods] = table(store, players).await?;
    let before = everyone(store).await?;
    let mut connection = server.connect()?;
    let broken = |error| Failure::caused("the kit's own trade failed:", &error);
    for mode in SQL_MODES {
        connection.query_drop(format!("SET SESSION sql_mode = '{mode}'")).map_err(broken)?;
        let mut affected = |buyer: &Player, seller: &Player, goods, price| {
            let trade = Trade { buyer: buyer.id, seller: seller.id, goods, price };
            let parameters = Attempt::new(trade)?.parameters().map(Value::from).to_vec();
            connection.exec_drop(sql::TRADE, parameters).map_err(broken)?;
            Ok::<_, Failure>(connection.affected_rows())
        };
        let what = format!("the rows that a trade changes with sql_mode '{mode}'");
        equal(&format!("{what}, too many coins"), affected(&plain, &coins, 1, 6)?, 0)?;
        equal(&format!("{what}, too many goods"), affected(&goods, &plain, 6, 1)?, 0)?;
        equal(&format!("{what}, sums that fit"), affected(&plain, &coins, 1, 5)?, 2)?;
        equal(&format!("{what}, back again"), affected(&coins, &plain, 1, 5)?, 2)?;
        equal(&format!("the players after trades with sql_mode '{mode}'"), everyone(store).await?, before.clone())?;
    }
    Ok(())
}
