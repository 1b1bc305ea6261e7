use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::packet::{Packet, PacketReader, frame};
use crate::{Answer, Break, Command, CommandKind, Place, Then};

const BUFFER_LEN: usize = 1 << 14;

pub(crate) const CLIENT_DEPRECATE_EOF: u32 = 1 << 24;

/// `utf8mb4_bin`, and the status of a session that commits each statement.
pub(crate) const COLLATION: u8 = 46;
pub(crate) const AUTOCOMMIT: u8 = 2;
const IN_TRANSACTION: u8 = 1;

/// The random bytes that a client hashes its password with. These are the same for all.
pub(crate) const SCRAMBLE: &[u8; 20] = b"tidb-connect standin";

/// The text of each row without end.
const ROW_LEN: usize = 1 << 14;

/// Whether there is more to say on a connection.
#[derive(PartialEq)]
pub(crate) enum Next {
    Packet,
    Nothing,
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to a client, on which a server's part is spoken.
pub(crate) struct Session<'a> {
    pub(crate) stream: Box<dyn Stream + 'a>,
    /// Is told all that the client sends.
    pub(crate) heard: &'a (dyn Fn(&[u8]) + Sync),
    /// The number of the next packet.
    pub(crate) sequence: u8,
    /// What the client can do.
    pub(crate) capabilities: u32,
    /// Whether the client has begun a transaction and not ended it.
    pub(crate) in_transaction: bool,
}

impl Session<'_> {
    /// The client's next packet. Nothing of what follows it is taken from the stream: that may be TLS.
    pub(crate) async fn receive(&mut self) -> io::Result<Packet> {
        let (mut reader, mut buffer) = (PacketReader::new(Command::HEAD_LEN), [0; BUFFER_LEN]);
        loop {
            let wanted = reader.missing().min(BUFFER_LEN);
            let mut bytes = match self.stream.read(&mut buffer[..wanted]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => &buffer[..read],
            };
            (self.heard)(bytes);
            if let Some(packet) = reader.read(&mut bytes) {
                self.sequence = packet.sequence.wrapping_add(1);
                return Ok(packet);
            }
        }
    }

    /// Sends packets at once.
    pub(crate) async fn send(&mut self, payloads: impl IntoIterator<Item = Vec<u8>>) -> io::Result<u64> {
        let mut bytes = Vec::new();
        for payload in payloads {
            frame(self.sequence, &payload, &mut bytes);
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.send_raw(&bytes).await?;
        Ok(bytes.len() as u64)
    }

    async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    fn status(&self) -> u8 {
        if self.in_transaction { AUTOCOMMIT | IN_TRANSACTION } else { AUTOCOMMIT }
    }

    /// An OK packet, which begins with this byte: no rows affected, no id, no warnings.
    fn ok(&self, header: u8) -> Vec<u8> {
        vec![header, 0, 0, self.status(), 0, 0, 0]
    }

    /// Gives `answer` to a command of a kind, or before the first of them.
    pub(crate) async fn say(&mut self, answer: &Answer, to: Option<CommandKind>) -> io::Result<Next> {
        match answer {
            Answer::Ok if to == Some(CommandKind::Prepare) => self.send([prepared()]).await.map(drop)?,
            Answer::Ok => self.send([self.ok(0)]).await.map(drop)?,
            Answer::Error(refusal) => self.send([refusal.payload()]).await.map(drop)?,
            Answer::Row(text) => {
                let rows = self.columns().into_iter().chain([string(text.as_bytes()), self.end_of_rows()]);
                self.send(rows).await.map(drop)?;
            }
            Answer::Rows(limit) => {
                let (mut sent, row) = (self.send(self.columns()).await?, string(&[b'x'; ROW_LEN]));
                while sent < *limit {
                    sent += self.send([row.clone()]).await?;
                }
                return self.close().await;
            }
            // What breaks off is the answer to its execution.
            Answer::Broken(..) if to == Some(CommandKind::Prepare) => self.send([prepared()]).await.map(drop)?,
            Answer::Broken(place, end) => {
                let row = match to {
                    // As a prepared statement's: a header, and no NULL.
                    Some(CommandKind::Execute) => [&b"\0\0"[..], &string(b"one")].concat(),
                    _ => string(b"one"),
                };
                let mut columns = self.columns();
                let packets: Vec<Vec<u8>> = match place {
                    Place::Start => Vec::new(),
                    Place::Columns => {
                        columns.truncate(1);
                        columns
                    }
                    Place::FirstRow => columns,
                    Place::LaterRow => columns.into_iter().chain([row]).collect(),
                    Place::End => columns.into_iter().chain([row.clone(), row]).collect(),
                };
                self.send(packets).await?;
                match end {
                    Break::Error(refusal) => self.send([refusal.payload()]).await.map(drop)?,
                    Break::Close => return self.close().await,
                    Break::Silence => return Ok(Next::Nothing),
                }
            }
            Answer::LocalInfile(name) => {
                self.send([[b"\xfb", name.as_bytes()].concat()]).await?;
                while self.receive().await?.len > 0 {}
                self.send([self.ok(0)]).await?;
            }
            Answer::AuthSwitch(plugin) => {
                self.send([[b"\xfe", plugin.as_bytes(), b"\0", SCRAMBLE, b"\0"].concat()]).await?;
                self.receive().await?;
                self.send([self.ok(0)]).await?;
            }
            Answer::Bytes(bytes, then) => {
                self.send_raw(bytes).await?;
                return match then {
                    Then::Next => Ok(Next::Packet),
                    Then::Silence => Ok(Next::Nothing),
                    Then::Close => self.close().await,
                };
            }
            Answer::Header(len) => {
                let [a, b, c, _] = len.to_le_bytes();
                self.send_raw(&[a, b, c, self.sequence]).await?;
                return Ok(Next::Nothing);
            }
            Answer::Silence => return Ok(Next::Nothing),
            Answer::Close => return self.close().await,
        }
        Ok(Next::Packet)
    }

    /// The start of a result set of one column of text.
    fn columns(&self) -> Vec<Vec<u8>> {
        const VAR_STRING: u8 = 0xfd;

        // Catalog, schema, table twice, column twice; then the length of what follows, the collation, the longest text,
        // the type, and no flags and decimals.
        let mut column: Vec<u8> = [&b"def"[..], b"", b"", b"", b"text", b"text"].into_iter().flat_map(string).collect();
        column.extend([0x0c, COLLATION, 0, 0, 0, 1, 0, VAR_STRING, 0, 0, 0, 0, 0]);
        let end = (self.capabilities & CLIENT_DEPRECATE_EOF == 0).then(|| vec![0xfe, 0, 0, self.status(), 0]);
        [vec![1], column].into_iter().chain(end).collect()
    }

    fn end_of_rows(&self) -> Vec<u8> {
        if self.capabilities & CLIENT_DEPRECATE_EOF == 0 { vec![0xfe, 0, 0, self.status(), 0] } else { self.ok(0xfe) }
    }

    async fn close(&mut self) -> io::Result<Next> {
        self.stream.shutdown().await.map(|()| Next::Nothing)
    }

    /// Closes the connection unless it is closed or to stay open, and listens to what the client still sends: closed
    /// before that is read, the connection would be reset, and the client could lose what it has not read yet.
    pub(crate) async fn end(mut self, next: Next) -> io::Result<()> {
        if next == Next::Packet {
            self.close().await?;
        }
        let mut buffer = [0; BUFFER_LEN];
        loop {
            match self.stream.read(&mut buffer).await? {
                0 => return Ok(()),
                read => (self.heard)(&buffer[..read]),
            }
        }
    }
}

/// The OK to a `COM_STMT_PREPARE`: statement 1, without columns, parameters and warnings.
fn prepared() -> Vec<u8> {
    vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// A string with its length in front.
fn string(text: &[u8]) -> Vec<u8> {
    let length = text.len() as u32;
    let mut bytes = match length {
        0..0xfb => vec![length as u8],
        _ => [&[0xfd], &length.to_le_bytes()[..3]].concat(),
    };
    bytes.extend_from_slice(text);
    bytes
}
