use std::borrow::Cow;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::{Command, CommandKind, Refusal};

/// What a [`StandIn`](crate::StandIn) says. Without more, it accepts every login and answers OK to every command.
#[derive(Clone, Debug)]
#[must_use = "a script does nothing until a stand-in is started with it"]
pub struct Script {
    pub(crate) version: Cow<'static, str>,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) plugins: Cow<'static, [&'static str]>,
    pub(crate) connect: Option<Answer>,
    pub(crate) login: Answer,
    statements: Vec<(Cow<'static, str>, Answer)>,
    commands: Vec<(CommandKind, Answer)>,
}

/// What is said at one point of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// An OK packet; to a `COM_STMT_PREPARE`, the OK of a statement without parameters and columns.
    Ok,
    /// An error packet. In place of the greeting and to a login, the connection is closed after it.
    Error(Refusal),
    /// A result set: one row of one column of text.
    Row(Cow<'static, str>),
    /// A result set of one column of text whose rows do not end. Once this many bytes are sent, the connection is closed.
    Rows(u64),
    /// A result set of one column and two rows that is broken off at a place: by an error packet, after which the connection
    /// goes on, or by what comes in its stead.
    Broken(Place, Break),
    /// A request for the contents of the client's file of this name, and OK once they, or nothing, have come.
    LocalInfile(Cow<'static, str>),
    /// To a login: a request to log in by this plug-in, and OK to whatever is answered.
    AuthSwitch(Cow<'static, str>),
    /// These bytes as they are.
    Bytes(Cow<'static, [u8]>, Then),
    /// The header of a packet of this many bytes, at most 16 MiB - 1, and nothing of it: the connection stays open.
    Header(u32),
    /// Nothing, and nothing after it: the connection stays open.
    Silence,
    /// The connection is closed.
    Close,
}

/// Where a result set is [broken off](Answer::Broken).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In place of the number of columns.
    Start,
    /// In place of the column's definition.
    Columns,
    /// In place of the first row.
    FirstRow,
    /// In place of the second row.
    LaterRow,
    /// In place of the end of the rows.
    End,
}

impl Place {
    /// All, in the order of the protocol.
    pub const ALL: [Self; 5] = [Self::Start, Self::Columns, Self::FirstRow, Self::LaterRow, Self::End];
}

/// What [breaks off](Answer::Broken) a result set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// An error packet.
    Error(Refusal),
    /// The connection is closed.
    Close,
    /// Nothing comes any more, and the connection stays open.
    Silence,
}

/// What follows [`Bytes`](Answer::Bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// The answer to what the client sends next, as after any other answer.
    Next,
    /// Nothing: the connection stays open until the client closes it.
    Silence,
    /// The connection is closed.
    Close,
}

impl Script {
    /// Accepts every login, and answers OK to every command.
    pub fn new() -> Self {
        Self {
            version: "8.0.11-TiDB-v8.5.3".into(),
            tls: None,
            plugins: Cow::Borrowed(&["mysql_native_password"]),
            connect: None,
            login: Answer::Ok,
            statements: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// The version in the greeting: that of a TiDB unless it is given.
    pub fn with_version(mut self, version: impl Into<Cow<'static, str>>) -> Self {
        self.version = version.into();
        self
    }

    /// Offers TLS in the greeting, and speaks it with clients that ask for it.
    pub fn with_tls(mut self, tls: Arc<ServerConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The login methods that the greetings name: that of the first connection, of the second, and so on, the last one for all
    /// that follow. `mysql_native_password` unless they are given.
    ///
    /// # Panics
    ///
    /// When there are none.
    pub fn with_plugins(mut self, plugins: impl Into<Cow<'static, [&'static str]>>) -> Self {
        self.plugins = plugins.into();
        assert!(!self.plugins.is_empty(), "a greeting names a login method");
        self
    }

    /// What is said in place of the greeting. The connection goes no further.
    pub fn on_connect(mut self, answer: Answer) -> Self {
        self.connect = Some(answer);
        self
    }

    /// The answer to a login, which has come over TLS if the client asked for it.
    pub fn on_login(mut self, answer: Answer) -> Self {
        self.login = answer;
        self
    }

    /// The answer to every command of a kind. Of a `COM_QUERY`, it is also the `SET` by which a driver begins.
    pub fn on_command(mut self, kind: CommandKind, answer: Answer) -> Self {
        self.commands.push((kind, answer));
        self
    }

    /// The answer to this statement, sent as text or to be prepared, whatever the [kind's](Self::on_command) is.
    pub fn on_statement(mut self, statement: impl Into<Cow<'static, str>>, answer: Answer) -> Self {
        self.statements.push((statement.into(), answer));
        self
    }

    pub(crate) fn answer_to(&self, command: &Command) -> &Answer {
        let statement = self.statements.iter().find(|(text, _)| command.text.as_deref() == Some(text));
        let kind = || self.commands.iter().find(|(kind, _)| *kind == command.kind);
        statement.map(|(_, answer)| answer).or_else(|| kind().map(|(_, answer)| answer)).unwrap_or(&Answer::Ok)
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}
