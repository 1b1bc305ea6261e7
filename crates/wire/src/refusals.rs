//! What servers say when they refuse a connection, word for word, each with where it is known from.
//!
//! `tidb` is `pkg/errno/errname.go` and `pkg/server/conn.go` of TiDB, `mysql` the error reference of MySQL. The texts of
//! TiDB Cloud's gateway are known from reports of its users; its documentation does not give them.

/// An error packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The server's error number.
    pub code: u16,
    /// SQLSTATE, which follows a `#` in the packet. `None` for a packet without: a server sends none as long as it does
    /// not know what its client can do.
    pub sqlstate: Option<&'static str>,
    /// The server's text.
    pub text: &'static str,
}

impl Refusal {
    /// The same refusal in a packet without SQLSTATE.
    #[must_use]
    pub const fn without_sqlstate(self) -> Self {
        Self { sqlstate: None, ..self }
    }

    /// The payload of the packet.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut payload = vec![0xff];
        payload.extend(self.code.to_le_bytes());
        if let Some(sqlstate) = self.sqlstate {
            payload.push(b'#');
            payload.extend_from_slice(sqlstate.as_bytes());
        }
        payload.extend_from_slice(self.text.as_bytes());
        payload
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal $sqlstate:expr, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Refusal = Refusal { code: $code, sqlstate: $sqlstate, text: $text };)*

        /// All of them, by name.
        pub const ALL: &[(&str, Refusal)] = &[$((stringify!($name), $name)),*];
    };
}

refusals! {
    /// TiDB Cloud's gateway, to a login without TLS: t8y2/dbx#906, MartialBE/one-hub#333, pingcap/tidb#45628.
    INSECURE_AT_GATEWAY = 1105 Some("HY000"), "Connections using insecure transport are prohibited. \
        See https://docs.pingcap.com/tidbcloud/secure-connections-to-serverless-tier-clusters";
    /// tidb: `require_secure_transport` on a server of one's own, sent before it has read what the client can do.
    INSECURE = 3159 None, "Connections using insecure transport are prohibited while --require_secure_transport=ON.";
    /// TiDB Cloud's gateway, to a user name without the cluster's prefix. Its code is not on record; 1105 is that of its
    /// other texts.
    MISSING_PREFIX = 1105 Some("HY000"), "Missing user name prefix. \
        See https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix";
    /// TiDB Cloud's gateway, to a wrong prefix or password. Its code is not on record either.
    DENIED_AT_GATEWAY = 1105 Some("HY000"), "Access denied. Please check your user name and password. \
        See https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix";
    /// tidb and mysql: a wrong user or password, and a user who must use TLS and does not.
    DENIED = 1045 Some("28000"), "Access denied for user 'teller'@'127.0.0.1' (using password: YES)";
    /// TiDB Cloud's gateway, when the free quota of the month is used up.
    QUOTA_EXHAUSTED = 1105 Some("HY000"), "Due to the usage quota being exhausted, access to the cluster \
        '10140739565160310000' has been restricted. Try increasing spending limits to gain full access. For more \
        information, see https://docs.pingcap.com/tidbcloud/serverless-limitations#usage-quota";
    /// TiDB Cloud's gateway: the name that its FAQ gives to the error. Its code is not on record.
    CONNECTION_LIMIT = 1105 Some("HY000"), "Connection limit exceeded";
    /// tidb and mysql: `max_connections`.
    TOO_MANY_CONNECTIONS = 1040 Some("08004"), "Too many connections";
    /// mysql: `max_user_connections` for all users.
    TOO_MANY_OF_USER = 1203 Some("42000"), "User teller already has more than 'max_user_connections' active connections";
    /// mysql: `MAX_USER_CONNECTIONS` of this user.
    USER_LIMIT = 1226 Some("42000"), "User 'teller' has exceeded the 'max_user_connections' resource (current value: 2)";
    /// tidb and mysql: a node that shuts down.
    SHUTTING_DOWN = 1053 Some("08S01"), "Server shutdown in progress";
    /// tidb and mysql: a database that is not there.
    UNKNOWN_DATABASE = 1049 Some("42000"), "Unknown database 'test'";
    /// tidb and mysql: a database that the user may not use.
    DATABASE_DENIED = 1044 Some("42000"), "Access denied for user 'teller'@'127.0.0.1' to database 'test'";
    /// mysql: `max_connect_errors`.
    HOST_BLOCKED = 1129 Some("HY000"), "Host '127.0.0.1' is blocked because of many connection errors; \
        unblock with 'mysqladmin flush-hosts'";
    /// mysql: no user may come from this host.
    HOST_NOT_ALLOWED = 1130 Some("HY000"), "Host '127.0.0.1' is not allowed to connect to this MySQL server";
    /// tidb and mysql: an expired password, to every statement after a login that works.
    MUST_RESET_PASSWORD = 1820 Some("HY000"), "You must reset your password using ALTER USER statement before executing \
        this statement.";
    /// tidb and mysql: `ALTER USER … ACCOUNT LOCK`.
    ACCOUNT_LOCKED = 3118 Some("HY000"), "Access denied for user 'teller'@'127.0.0.1'. Account is locked.";
}
