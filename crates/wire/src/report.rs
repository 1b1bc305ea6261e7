use crate::{Command, CommandKind};

/// What a [`Proxy`](crate::Proxy) has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry per accepted connection, in the order of acceptance. Ended connections stay.
    pub connections: Vec<ConnectionReport>,
}

impl Report {
    /// The round trips of all connections together.
    pub fn round_trips(&self) -> u64 {
        self.connections.iter().map(|c| c.round_trips).sum()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.connections.iter().filter(|c| c.open).count()
    }

    /// How often the clients sent a command of `kind`, on all connections together.
    pub fn count(&self, kind: CommandKind) -> usize {
        self.connections.iter().flat_map(|c| &c.commands).filter(|command| command.kind == kind).count()
    }
}

/// What the proxy has seen of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionReport {
    /// Bursts of client bytes that follow server bytes, the login included.
    pub round_trips: u64,
    /// The commands in the order the client sent them. The login is not among them.
    ///
    /// Empty when the client asked for TLS or for compression: the proxy cannot read either.
    pub commands: Vec<Command>,
    /// Bytes from the client to the server.
    pub bytes_up: u64,
    /// Bytes from the server to the client.
    pub bytes_down: u64,
    /// Whether the client asked for TLS.
    pub tls: bool,
    /// Whether the connection is open: neither closed by the client nor [cut](crate::Proxy::cut).
    pub open: bool,
}
