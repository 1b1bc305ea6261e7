//! What each server error code says: its kind, whether anything was applied, and what it leaves open.

use crate::{
    ErrorKind::{
        AccessDenied, AlreadyExists, Conflict, ConnectionLost, Database, LimitExceeded, OutOfRange, PermissionDenied,
        Protocol, TableExists, TableMissing, TimedOut, Tls, TooManyConnections, Unavailable, UnknownDatabase,
    },
    Outcome::{Final, Retryable, Unknown},
    outcome::{Row, row},
};

/// The server codes that say more than "the server refused this one statement": that is [`Database`], final, and the
/// transaction stays open. `codes/reviewed.txt` lists the codes that say no more.
///
/// `COMMIT` and an autocommit write are retryable or final only where the server raises the error before it applies
/// anything. In doubt they are unknown. This holds for transactional tables: MyISAM and Aria keep the rows before the
/// one that failed, whatever the code.
///
/// Sources: `docs` is TiDB's error-codes.md and dev-guide-transaction-troubleshoot.md. `src` is TiDB v8.5 with its
/// client-go, by file. `mysql` is the MySQL 8.0 error reference, `mariadb` the error list and the server of MariaDB
/// 10.11. `seen` is what TiDB v8.5.3 or MariaDB 10.11.19 did when asked.
pub(crate) const ROWS: &[Row] = &[
    // mysql: the server takes no further connection, or none of this user.
    row(1040, TooManyConnections, Retryable, Retryable), // Too many connections
    row(1203, TooManyConnections, Retryable, Retryable), // User already has more than 'max_user_connections'
    row(1226, TooManyConnections, Retryable, Retryable), // User has exceeded the 'max_user_connections' resource
    // mysql: the server blocks this machine after too many broken logins, until FLUSH HOSTS.
    row(1129, TooManyConnections, Final, Final), // Host is blocked
    // mysql: the server could not serve the login: no name for our address, no thread for us.
    row(1042, Unavailable, Retryable, Retryable).closes(), // Can't get hostname for your address
    row(1135, Unavailable, Retryable, Unknown).closes(),   // Can't create a new thread
    // mysql: the server could not read our login or our command, and did nothing.
    row(1043, Protocol, Final, Final).closes(), // Bad handshake
    row(1047, Protocol, Final, Final),          // Unknown command
    // mysql: login. TiDB gives 1045 also to a user that must use TLS and does not (src: privilege/privileges.go).
    row(1045, AccessDenied, Final, Final),          // Access denied for user
    row(1698, AccessDenied, Final, Final),          // the same, without a password
    row(1873, AccessDenied, Final, Final).closes(), // Access denied trying to change to user. Disconnecting
    // mysql: client and server have no login method in common.
    row(1251, AccessDenied, Final, Final), // Client does not support authentication protocol
    row(1275, AccessDenied, Final, Final), // the account's password has the format of before MySQL 4.1
    // mysql and mariadb: this machine may not connect; the account is locked or blocked; its password has expired.
    row(1130, AccessDenied, Final, Final), // Host is not allowed to connect
    row(1820, AccessDenied, Final, Final), // You must reset your password
    row(1862, AccessDenied, Final, Final), // Your password has expired
    row(3118, AccessDenied, Final, Final), // Account is locked
    row(3955, AccessDenied, Final, Final), // Account is blocked after wrong passwords
    row(4150, AccessDenied, Final, Final), // the same, MariaDB
    row(4151, AccessDenied, Final, Final), // this account is locked, MariaDB
    // src: require_secure_transport on a self-managed server.
    row(3159, Tls, Final, Final),
    row(1049, UnknownDatabase, Final, Final), // Unknown database
    // mysql: the privileges are checked before the statement runs.
    row(1044, PermissionDenied, Final, Final), // on a database
    row(1095, PermissionDenied, Final, Final), // to end another user's connection
    row(1132, PermissionDenied, Final, Final), // to change another user's password
    row(1142, PermissionDenied, Final, Final), // on a table
    row(1143, PermissionDenied, Final, Final), // on a column
    row(1211, PermissionDenied, Final, Final), // to create users
    row(1227, PermissionDenied, Final, Final), // SUPER and the like
    row(1370, PermissionDenied, Final, Final), // on a routine
    row(1410, PermissionDenied, Final, Final), // to create a user with GRANT
    row(1419, PermissionDenied, Final, Final), // to create a routine, with the binary log on
    row(1961, PermissionDenied, Final, Final), // to grant a role, MariaDB
    row(1962, PermissionDenied, Final, Final), // to revoke a role, MariaDB
    row(1979, PermissionDenied, Final, Final), // to end another user's query, MariaDB
    row(8121, PermissionDenied, Final, Final), // privilege check failed, TiDB
    row(1050, TableExists, Final, Final),      // Table already exists
    row(1146, TableMissing, Final, Final),     // Table doesn't exist
    row(1932, TableMissing, Final, Final),     // Table doesn't exist in engine, MariaDB
    // Of one table. `DROP TABLE a, missing` drops `a` and then reports this, on both servers (seen), which the code does not
    // tell: a list needs a look, whatever the outcome says.
    row(1051, TableMissing, Final, Final), // Unknown table
    // seen: a list of views (4092), sequences (MariaDB 4091, TiDB 4139), and on MariaDB users and roles, drops some first.
    row(1396, Database, Final, Unknown), // Operation CREATE USER, DROP USER failed
    row(4091, Database, Final, Unknown), // Unknown SEQUENCE
    row(4092, Database, Final, Unknown), // Unknown VIEW
    row(4139, Database, Final, Unknown), // Unknown SEQUENCE
    // mysql: every name for a unique value that is there already, also through the cascade of a foreign key.
    row(1022, AlreadyExists, Final, Final), // duplicate key in table
    row(1062, AlreadyExists, Final, Final), // Duplicate entry for key; in TiDB also at an optimistic COMMIT
    row(1169, AlreadyExists, Final, Final), // because of unique constraint
    row(1586, AlreadyExists, Final, Final), // Duplicate entry for key
    row(1761, AlreadyExists, Final, Final), // a foreign key would lead to a duplicate entry
    row(1762, AlreadyExists, Final, Final), // the same, without the table's name
    row(1859, AlreadyExists, Final, Final), // Duplicate entry for key
    // mysql: a number, text or time that its column cannot hold; nothing of the statement stays.
    row(1264, OutOfRange, Final, Final), // Out of range value for column
    row(1265, OutOfRange, Final, Final), // Data truncated for column
    row(1292, OutOfRange, Final, Final), // Incorrect datetime value; in TiDB also text for a number (seen)
    row(1366, OutOfRange, Final, Final), // Incorrect integer, string value for column
    row(1406, OutOfRange, Final, Final), // Data too long for column
    row(1441, OutOfRange, Final, Final), // Datetime function: field overflow
    row(1690, OutOfRange, Final, Final), // value is out of range in an expression
    // mysql: the server or its node goes out of service.
    row(1053, Unavailable, Retryable, Unknown).closes(), // Server shutdown in progress
    row(1077, Unavailable, Retryable, Unknown).closes(), // Normal shutdown
    row(1079, Unavailable, Retryable, Unknown).closes(), // Shutdown complete
    row(3032, Unavailable, Retryable, Unknown).closes(), // The server is currently in offline mode
    // mysql: the server ends the connection: killed, idle for too long, or the network broke on its side.
    row(1080, ConnectionLost, Retryable, Unknown).closes(), // Forcing close of thread
    row(1152, ConnectionLost, Retryable, Unknown).closes(), // Aborted connection
    row(1154, ConnectionLost, Retryable, Unknown).closes(), // read error from the connection pipe
    row(1155, ConnectionLost, Retryable, Unknown).closes(), // error from fcntl()
    row(1158, ConnectionLost, Retryable, Unknown).closes(), // error reading communication packets
    row(1159, ConnectionLost, Retryable, Unknown).closes(), // timeout reading communication packets
    row(1160, ConnectionLost, Retryable, Unknown).closes(), // error writing communication packets
    row(1161, ConnectionLost, Retryable, Unknown).closes(), // timeout writing communication packets
    row(1184, ConnectionLost, Retryable, Unknown).closes(), // Aborted connection
    row(1927, ConnectionLost, Retryable, Unknown).closes(), // Connection was killed, MariaDB
    row(3169, ConnectionLost, Retryable, Unknown).closes(), // The session was killed, MySQL
    row(4031, ConnectionLost, Retryable, Unknown).closes(), // disconnected because of inactivity, MySQL
    // mysql: the server lost step with us, and cannot tell one packet from the next.
    row(1156, Protocol, Final, Unknown).closes(), // Got packets out of order
    row(1157, Protocol, Final, Unknown).closes(), // Couldn't uncompress communication packet
    row(1835, Protocol, Final, Unknown).closes(), // Malformed communication packet
    // mysql: the statement stopped waiting for a lock. By default the transaction stays open (seen on both servers).
    // With innodb_rollback_on_timeout MariaDB and MySQL have rolled it back (seen).
    row(1205, Conflict, Retryable, Retryable).rolls_back(),
    // src (session/tidb.go) and mysql: after a deadlock of row locks the server rolls back the whole transaction (seen
    // on both). Galera reports a conflict at COMMIT with this code. After a deadlock of GET_LOCK, MariaDB leaves the
    // transaction open (seen).
    row(1213, Conflict, Retryable, Retryable).rolls_back(),
    // mariadb: with innodb_snapshot_isolation, the row has changed since the transaction began. MariaDB rolls the
    // transaction back (seen).
    row(1020, Conflict, Retryable, Retryable).rolls_back(),
    // mysql: group replication rolled back at COMMIT.
    row(3101, Conflict, Retryable, Retryable).rolls_back(),
    // mariadb: a MyRocks transaction that was rolled back: "Please restart another transaction".
    row(4060, Conflict, Retryable, Retryable).rolls_back(),
    // mysql: the branch of an XA transaction was rolled back; the same XA COMMIT finds no branch.
    row(1402, Conflict, Final, Final).rolls_back(), // XA_RBROLLBACK
    row(1613, Conflict, Final, Final).rolls_back(), // XA_RBTIMEOUT
    row(1614, Conflict, Final, Final).rolls_back(), // XA_RBDEADLOCK
    // mariadb: a transaction that must commit earlier has failed.
    row(1964, Conflict, Retryable, Unknown),
    // mysql: DDL came between, before the statement did anything; the transaction stays open (1412 seen).
    row(1412, Conflict, Retryable, Retryable), // Table definition has changed, please retry transaction
    row(1615, Conflict, Retryable, Retryable), // Prepared statement needs to be re-prepared
    row(1689, Conflict, Retryable, Retryable), // Wait on a lock was aborted due to a pending exclusive lock
    // docs: NOWAIT found a lock. The transaction stays open (seen): the caller asked, and decides. MariaDB gives 1205.
    row(3572, Conflict, Final, Final),
    // docs: "the application can safely retry the whole transaction". client-go reports 8022 only when its lock was
    // gone, and after 9007 nothing is written (seen at COMMIT).
    row(8002, Conflict, Retryable, Retryable), // can not retry select for update statement
    row(8022, Conflict, Retryable, Retryable), // KV error safe to retry
    row(9007, Conflict, Retryable, Retryable), // Write conflict
    // docs: "retry the write"; src (kv/error.go) marks it "[try again later]".
    row(8005, Conflict, Retryable, Retryable), // Write conflict, in the latches of one TiDB server
    // src (client-go 2pc.go): the schema is checked before the commit point. With the metadata lock a statement meets
    // 8028 and its transaction stays open, without it COMMIT does and nothing is written (both seen).
    row(8027, Conflict, Retryable, Retryable), // Information schema is out of date
    row(8028, Conflict, Retryable, Retryable), // Information schema is changed
    // src (ddl/modify_column.go): two ALTER TABLE of one column; the second is undone.
    row(8245, Conflict, Retryable, Retryable),
    // src (session/txn.go): the session has lost its transaction.
    row(8024, Conflict, Final, Unknown).rolls_back(),
    // docs: PD or TiKV did not answer, or is busy. At COMMIT client-go may have had "stale command" for the same
    // request before: "We can't know whether the request is committed or not, [...] but we don't handle it now"
    // (client-go internal/locate/region_request.go).
    row(8251, Unavailable, Retryable, Unknown), // Resource group configuration is unavailable
    row(9001, Unavailable, Retryable, Unknown), // PD server timeout
    row(9002, Unavailable, Retryable, Unknown), // TiKV server timeout
    row(9003, Unavailable, Retryable, Unknown), // TiKV server is busy
    row(9005, Unavailable, Retryable, Unknown), // Region is unavailable
    row(9008, Unavailable, Retryable, Unknown), // Store token is up to the limit
    row(9010, Unavailable, Retryable, Unknown), // TiKV server reports stale command
    row(9011, Unavailable, Retryable, Unknown), // TiKV max timestamp is not synced, as after the election of a leader
    // src: only reads and the prewrite resolve the locks of others, and only reads ask TiFlash.
    row(9004, Unavailable, Retryable, Retryable), // Resolve lock timeout
    row(9012, Unavailable, Retryable, Retryable), // TiFlash server timeout
    row(9013, Unavailable, Retryable, Retryable), // TiFlash server is busy
    // mysql: "temporary error" of a storage engine (of NDB: the transaction is over), too many transactions at once.
    row(1297, Unavailable, Retryable, Unknown).rolls_back(),
    row(1637, Unavailable, Retryable, Retryable),
    // mysql: the server has no memory left for anybody.
    row(1037, Unavailable, Retryable, Unknown), // Out of memory
    row(1041, Unavailable, Retryable, Unknown), // Out of memory
    row(3015, Unavailable, Retryable, Unknown), // Out of memory in storage engine, MariaDB
    // mysql and docs: the server stopped the statement at a time limit, and the transaction stays open (seen). TiDB and
    // MySQL limit a SELECT only. MariaDB limits any statement, and rolled each one back that it stopped (seen).
    row(3024, TimedOut, Retryable, Retryable), // maximum statement execution time exceeded
    row(1969, TimedOut, Retryable, Unknown),   // max_statement_time exceeded
    // docs: somebody ran KILL QUERY; the transaction stays open (seen on both servers). For TiDB's COMMIT see 9003.
    row(1317, Database, Final, Unknown),
    // docs: a transaction longer than max-txn-ttl. TiDB refuses every further statement but the transaction's end.
    row(8229, LimitExceeded, Final, Final).rolls_back(),
    // docs: a transaction longer than what the garbage collection keeps; raised when a row is read.
    row(9006, LimitExceeded, Final, Final),
    // mysql: the table of locks is full, after which InnoDB has rolled back the whole transaction.
    row(1206, LimitExceeded, Final, Final).rolls_back(),
    // src (server/conn.go) and mariadb: the server reads no further (seen on both servers).
    row(1153, LimitExceeded, Final, Final).closes(), // Got a packet bigger than 'max_allowed_packet'
    // mysql: sizes and counts that the same statement exceeds again; the transaction stays open (1197, 1461 seen).
    row(1038, LimitExceeded, Final, Final), // Out of sort memory
    row(1104, LimitExceeded, Final, Final), // The SELECT would examine more than max_join_size rows
    row(1114, LimitExceeded, Final, Final), // The table is full
    row(1118, LimitExceeded, Final, Final), // Row size too large
    row(1162, LimitExceeded, Final, Final), // Result string is longer than 'max_allowed_packet'
    row(1197, LimitExceeded, Final, Final), // transaction larger than 'max_binlog_cache_size'
    row(1390, LimitExceeded, Final, Final), // too many placeholders
    row(1461, LimitExceeded, Final, Final), // more than max_prepared_stmt_count statements
    row(1705, LimitExceeded, Final, Final), // statement larger than 'max_binlog_stmt_cache_size'
    row(1713, LimitExceeded, Final, Final), // Undo log record is too big
    // docs: the same for TiDB; the transaction stays open (8025, 8175 seen).
    row(8001, LimitExceeded, Final, Final), // memory exceeds threshold
    row(8004, LimitExceeded, Final, Final), // Transaction is too large
    row(8025, LimitExceeded, Final, Final), // entry too large
    row(8175, LimitExceeded, Final, Final), // memory limit for a single SQL query
    row(8178, LimitExceeded, Final, Final), // key is too large
    row(8180, LimitExceeded, Final, Final), // memory limit, TiDB after v8.5
    row(8254, LimitExceeded, Final, Final), // Quarantined, refused before it ran
    // docs: limits that the server enforces from outside the statement, which may be a COMMIT under way: see 9003.
    row(8176, LimitExceeded, Final, Unknown), // memory limit for the tidb-server instance
    row(8252, LimitExceeded, Retryable, Unknown), // resource group quota, refilled every second
    row(8253, LimitExceeded, Final, Unknown), // identified as runaway query
    // docs and src: a part is applied: the jobs of BATCH one by one (8143 seen), batched DML, restore and import.
    row(8119, Database, Unknown, Unknown), // Batch insert failed
    row(8125, Database, Unknown, Unknown), // Restore failed
    row(8126, Database, Unknown, Unknown), // Import failed
    row(8143, Database, Unknown, Unknown), // non-transactional job failed
    row(8160, Database, Final, Unknown),   // Failed to read source files
    // mysql: the answer to what has been applied is too large to send.
    row(3068, Database, Final, Unknown).closes(), // OK packet too large, MySQL
    row(4075, Database, Final, Unknown).closes(), // OK packet too large, MariaDB
    // mysql and mariadb: COMMIT or ROLLBACK itself failed, at any point.
    row(1180, Database, Final, Unknown),              // Got error during COMMIT
    row(1181, Database, Final, Unknown),              // Got error during ROLLBACK
    row(1401, Database, Final, Unknown).rolls_back(), // XAER_RMERR: Fatal error in the transaction branch
    row(1622, Database, Final, Unknown).rolls_back(), // Transaction rolled back and must be restarted
    row(3100, Database, Final, Unknown),              // Error on observer while running replication hook
    row(4173, Database, Unknown, Unknown),            // Changes were committed during rollback call
    // mysql and mariadb: a disk, a file or a storage engine failed. The commit may have reached the engine, or the
    // binary log and with it the replicas; DROP DATABASE and ALTER TABLE may have changed some files.
    row(1009, Database, Final, Unknown), // Error dropping database (can't delete)
    row(1010, Database, Final, Unknown), // Error dropping database (can't rmdir)
    row(1011, Database, Final, Unknown), // Error on delete
    row(1021, Database, Final, Unknown), // Disk full
    row(1023, Database, Final, Unknown), // Error on close
    row(1024, Database, Final, Unknown), // Error reading file
    row(1025, Database, Final, Unknown), // Error on rename
    row(1026, Database, Final, Unknown), // Error writing file
    row(1030, Database, Final, Unknown), // Got error from storage engine
    row(1034, Database, Final, Unknown), // Index for table is corrupt
    row(1194, Database, Final, Unknown), // Table is marked as crashed
    row(1195, Database, Final, Unknown), // Table is marked as crashed and repair failed
    row(1296, Database, Final, Unknown), // Got error from a storage engine
    row(1430, Database, Final, Unknown), // problem processing the query on the foreign data source
    row(1534, Database, Final, Unknown), // Writing one row to the row-based binary log failed
    row(1565, Database, Final, Unknown), // Error in DDL log
    row(1598, Database, Final, Unknown), // Binary logging not possible
    row(1712, Database, Final, Unknown), // Index is corrupted
    row(1810, Database, Final, Unknown), // IO Read error
    row(1811, Database, Final, Unknown), // IO Write error
    row(1815, Database, Final, Unknown), // Internal error
    row(1817, Database, Final, Unknown), // Index corrupt
    row(1877, Database, Final, Unknown), // The table is missing, corrupt or contains bad data
    row(1878, Database, Final, Unknown), // Temporary file write failure
    row(1950, Database, Final, Unknown), // GTID out of order
    row(4067, Database, Final, Unknown), // Status error received from RocksDB
    row(4068, Database, Final, Unknown), // the same, with a text
    // src (server/conn.go) and docs: every error of TiDB, of a gateway before it, or of a panic that has no code.
    row(1105, Database, Final, Unknown),
];

/// Where one code has several meanings, a part of the text decides; without such a part [`ROWS`] does.
///
/// Texts are not a promise of the server, and `lc_messages` of MariaDB translates some: only those are here that say
/// more than the code.
pub(crate) const TEXTS: &[(&str, Row)] = &[
    // src (executor/adapter.go); seen in a conflict on one row.
    ("pessimistic lock retry limit reached", row(1105, Conflict, Retryable, Retryable)),
    // src (util/dbutil/retry.go): retried as 8028 and 8027.
    ("Information schema is changed", row(1105, Conflict, Retryable, Retryable)),
    ("Information schema is out of date", row(1105, Conflict, Retryable, Retryable)),
    // docs of TiDB Cloud, and its users: what its gateway says at the login.
    ("insecure transport are prohibited", row(1105, Tls, Final, Final)),
    ("Missing user name prefix", row(1105, AccessDenied, Final, Final)),
    ("Access denied", row(1105, AccessDenied, Final, Final)),
    ("Connection limit exceeded", row(1105, TooManyConnections, Retryable, Retryable)),
    // The same; the quota may also run out at a COMMIT.
    ("usage quota being exhausted", row(1105, LimitExceeded, Final, Unknown)),
    // src (session/tidb.go): more statements than stmt-count-limit in a transaction that TiDB could repeat
    // itself.
    ("transaction has been rollback", row(1105, LimitExceeded, Final, Final).rolls_back()),
    // src (parser/terror/terror.go): TiDB sends no error packet and closes the connection, but a proxy may report it.
    ("execution result undetermined", row(1105, Database, Unknown, Unknown)),
    // src (server/conn.go, Run): TiDB reports a panic with this text, and closes the connection.
    ("runtime error: ", row(1105, Database, Final, Unknown).closes()),
    // src (client-go error.go): TiDB shuts down, or stopped waiting.
    ("tidb server shutting down", row(1105, Unavailable, Retryable, Unknown).closes()),
    ("context canceled", row(1105, Unavailable, Retryable, Unknown)),
    ("context deadline exceeded", row(1105, Unavailable, Retryable, Unknown)),
    // mariadb: a Galera node that is not ready refuses the statement before it runs.
    ("WSREP has not yet prepared node", row(1047, Unavailable, Retryable, Retryable)),
    // mariadb: these limits count for an hour, and are checked before the statement runs (the first seen).
    ("'max_queries_per_hour'", row(1226, LimitExceeded, Final, Final)),
    ("'max_updates_per_hour'", row(1226, LimitExceeded, Final, Final)),
    // mariadb: the code means an unknown trigger in CREATE TRIGGER ... FOLLOWS.
    ("Referenced trigger", row(4031, Database, Final, Final)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::outcome::{LAZY_CHECK_ABORTED, Leaves, SCHEMA_CHANGED};

    const REVIEWED: &str = include_str!("codes/reviewed.txt");

    fn reviewed() -> Vec<(u16, &'static str)> {
        let lines = REVIEWED.lines().filter(|line| !line.starts_with('#'));
        let entry = |line: &'static str| {
            let [code, servers, _] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            (code.parse().expect(line), servers)
        };
        lines.map(entry).collect()
    }

    #[test]
    fn every_code_is_in_the_table_or_in_the_list_and_once_only() {
        let listed = reviewed();
        assert!(listed.is_sorted_by(|a, b| a.0 < b.0), "the list is sorted, and has no code twice");
        assert!(listed.iter().all(|(_, servers)| ["t", "m", "tm"].contains(servers)));
        let mut seen = BTreeSet::new();
        let codes = ROWS
            .iter()
            .map(|row| row.code)
            .chain([SCHEMA_CHANGED, LAZY_CHECK_ABORTED])
            .chain(listed.iter().map(|&(code, _)| code));
        for code in codes {
            assert!(seen.insert(code), "{code} is in two places");
        }
    }

    /// `pkg/errno/errcode.go` of TiDB v8.5.3 has 1136 codes and `mysqld_error.h` of MariaDB 10.11.19 has 1218. The list
    /// has those without a row, and these are their counts.
    #[test]
    fn no_code_of_either_server_is_missing() {
        let listed = reviewed();
        let count = |server| listed.iter().filter(|(_, servers)| servers.contains(server)).count();
        let (of_tidb, of_mariadb) = (981, 1081);
        assert_eq!((count('t'), count('m')), (of_tidb, of_mariadb));
    }

    #[test]
    fn every_text_belongs_to_a_code_of_the_table() {
        for (text, row) in TEXTS {
            assert!(ROWS.iter().any(|other| other.code == row.code), "{text}");
            assert!(!text.is_empty(), "{}", row.code);
        }
    }

    #[test]
    fn what_ends_the_connection_is_unknown_at_commit_unless_the_server_read_nothing() {
        for row in ROWS.iter().filter(|row| matches!(row.leaves, Leaves::Closed)) {
            assert!(row.commit == Unknown || [1042, 1043, 1153, 1873].contains(&row.code), "{}", row.code);
        }
    }

    /// What is known of a code: outcome in a transaction, outcome at a commit, whether the whole transaction is over.
    fn of(code: u16) -> (Option<Row>, crate::Outcome, crate::Outcome, bool) {
        let row = ROWS.iter().find(|row| row.code == code).copied();
        row.map_or((row, Final, Final, false), |it| (row, it.before, it.commit, !matches!(it.leaves, Leaves::Open)))
    }

    /// The advice of TiDB's documentation and sources, gathered before the table was written: code, kind, worth another
    /// try before the commit, the same at the commit, rolled back.
    #[test]
    fn the_table_gives_the_advice_that_tidb_gives() {
        let retry = [
            (1213, Conflict, true, true, true),
            // The documentation: "only the statement". But innodb_rollback_on_timeout makes MariaDB roll back all of
            // it.
            (1205, Conflict, true, true, true),
            (8002, Conflict, true, true, false),
            (8005, Conflict, true, true, false),
            (8022, Conflict, true, true, false),
            (8027, Conflict, true, true, false),
            (8028, Conflict, true, true, false),
            (8245, Conflict, true, true, false),
            (9007, Conflict, true, true, false),
            (9001, Unavailable, true, false, false),
            (9002, Unavailable, true, false, false),
            // TiDB's tools retry a commit after 9003. The row says why we do not.
            (9003, Unavailable, true, false, false),
            (9004, Unavailable, true, true, false),
            (9005, Unavailable, true, false, false),
            (9008, Unavailable, true, false, false),
            (9010, Unavailable, true, false, false),
            (9011, Unavailable, true, false, false),
            // "Retry the read": TiDB never writes through TiFlash.
            (9012, Unavailable, true, true, false),
            (9013, Unavailable, true, true, false),
            // "Drop the connection, reconnect."
            (1053, Unavailable, true, false, true),
            // "Shrink the load": the wait between two attempts does, and the quota is refilled every second.
            (8252, LimitExceeded, true, false, false),
            // "Never retry blindly": `transaction` never repeats what timed out, and this equals our own time-out.
            (3024, TimedOut, true, true, false),
        ];
        for (code, kind, before, commit, over) in retry {
            let (row, at_first, at_commit, leaves) = of(code);
            let row = row.unwrap_or_else(|| panic!("{code} is not in the table"));
            let told = (code, row.kind, at_first == Retryable, at_commit == Retryable, leaves);
            assert_eq!(told, (code, kind, before, commit, over));
        }
        let never = [
            1044, 1045, 1049, 1062, 1142, 1153, 1235, 1264, 1295, 1305, 1317, 1390, 1406, 1451, 1452, 1461, 3159, 3572,
            8001, 8004, 8025, 8048, 8055, 8115, 8116, 8130, 8138, 8139, 8140, 8141, 8175, 8176, 8178, 8180, 8216, 8229,
            8253, 8254, 9006,
        ];
        for code in never {
            let (_, at_first, at_commit, _) = of(code);
            assert!(at_first != Retryable && at_commit != Retryable, "{code}");
        }
    }

    #[test]
    fn nothing_is_said_to_be_not_applied_where_a_part_may_be() {
        for code in [1105, 1180, 1317, 1396, 4075, 4091, 4092, 4139, 8119, 8143] {
            assert_eq!(of(code).2, Unknown, "{code}");
        }
    }
}
