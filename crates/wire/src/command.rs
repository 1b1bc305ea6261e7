use std::fmt;

use crate::packet::Packet;

/// How many bytes of a statement a [`Command`] keeps. Longer statements are cut at a character boundary.
pub const MAX_TEXT_LEN: usize = 1024;

/// A command that a client sent after its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Which command it is.
    pub kind: CommandKind,
    /// The SQL of a [`Query`](CommandKind::Query) or a [`Prepare`](CommandKind::Prepare), at most [`MAX_TEXT_LEN`] bytes
    /// of what the client sent. `None` for every other command. Bytes that are not UTF-8 become `U+FFFD`.
    pub text: Option<String>,
}

impl Command {
    /// How many bytes of a packet [`Command::parse`] looks at: the command byte and the text.
    pub(crate) const HEAD_LEN: usize = 1 + MAX_TEXT_LEN;

    /// Reads the command in a client's packet. `None` when the packet is empty.
    pub(crate) fn parse(packet: &Packet) -> Option<Self> {
        let (&byte, text) = packet.head.split_first()?;
        let kind = CommandKind::from(byte);
        let text = matches!(kind, CommandKind::Query | CommandKind::Prepare).then(|| {
            let whole = match std::str::from_utf8(text) {
                Err(error) if error.error_len().is_none() => &text[..error.valid_up_to()],
                _ => text,
            };
            String::from_utf8_lossy(whole).into_owned()
        });
        Some(Self { kind, text })
    }
}

impl fmt::Display for Command {
    /// The protocol's name of the command, then its SQL: `COM_QUERY SELECT 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{} {text}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

macro_rules! command_kinds {
    ($($byte:literal $kind:ident $name:literal)*) => {
        /// The kinds of command, told apart by the first byte of a packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CommandKind {
            $(#[doc = concat!("`", $name, "`")] $kind,)*
            /// A command without a name here: its byte.
            Other(u8),
        }

        impl From<u8> for CommandKind {
            fn from(byte: u8) -> Self {
                match byte {
                    $($byte => Self::$kind,)*
                    other => Self::Other(other),
                }
            }
        }

        impl fmt::Display for CommandKind {
            /// The protocol's name of the command: `COM_QUERY`, or its byte in hexadecimal: `0x2a`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$kind => f.write_str($name),)*
                    Self::Other(byte) => write!(f, "{byte:#04x}"),
                }
            }
        }
    };
}

command_kinds! {
    0x01 Quit "COM_QUIT"
    0x02 InitDb "COM_INIT_DB"
    0x03 Query "COM_QUERY"
    0x04 FieldList "COM_FIELD_LIST"
    0x09 Statistics "COM_STATISTICS"
    0x0c ProcessKill "COM_PROCESS_KILL"
    0x0e Ping "COM_PING"
    0x11 ChangeUser "COM_CHANGE_USER"
    0x16 Prepare "COM_STMT_PREPARE"
    0x17 Execute "COM_STMT_EXECUTE"
    0x18 SendLongData "COM_STMT_SEND_LONG_DATA"
    0x19 CloseStatement "COM_STMT_CLOSE"
    0x1a ResetStatement "COM_STMT_RESET"
    0x1b SetOption "COM_SET_OPTION"
    0x1c Fetch "COM_STMT_FETCH"
    0x1f ResetConnection "COM_RESET_CONNECTION"
}
