use std::future::pending;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::fault::{Fault, Faults};
use crate::greeting::HideTls;
use crate::packet::PacketReader;
use crate::protocol::Conversation;
use crate::proxy::{Control, once, silence_after_stop};
use crate::session::{CLIENT_DEPRECATE_EOF, Next, Session};
use crate::{Answer, lock};

const BUFFER_LEN: usize = 1 << 14;

/// How many bytes of a piece that is [sliced](Fault::Slice) are sent with a pause between them, so that even a reader who
/// is late gets them one by one. Longer pieces would take too long.
const PAUSED: usize = 32;
const PAUSE: Duration = Duration::from_millis(1);

/// Passes on what a client and its server say to each other, and lets faults strike.
pub(crate) struct Relay<'a> {
    client: TcpStream,
    /// `None` for a client whom no server sees.
    server: Option<TcpStream>,
    conversation: &'a Mutex<Conversation>,
    control: &'a watch::Receiver<Control>,
    faults: &'a Faults,
    /// Takes the offer of TLS out of what the server says, where the proxy is to.
    hide_tls: Option<HideTls>,
    sliced: bool,
    /// What the client has sent after the request that met a fault.
    unread: Vec<u8>,
}

/// Why passing on in one direction came to an end before both had.
enum Stopped {
    /// The proxy is to stop, and the direction has been silent since.
    Silent,
    /// This request of the client's meets a fault.
    Met(Fault, Vec<u8>),
}

impl<'a> Relay<'a> {
    pub(crate) fn new(
        client: TcpStream,
        server: Option<TcpStream>,
        conversation: &'a Mutex<Conversation>,
        control: &'a watch::Receiver<Control>,
        faults: &'a Faults,
    ) -> Self {
        Self { client, server, conversation, control, faults, hide_tls: None, sliced: false, unread: Vec::new() }
    }

    /// Takes the server's offer of TLS out of its greeting.
    pub(crate) fn hiding_tls(mut self) -> Self {
        self.hide_tls = Some(HideTls::default());
        self
    }

    /// Passes everything on until the end of the connection.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        while let Some((fault, request)) = self.pass_on().await {
            if !self.meet(&fault, &request).await? {
                break;
            }
        }
        Ok(())
    }

    /// Passes bytes on in both directions until the end of both, or up to a request that meets a fault.
    async fn pass_on(&mut self) -> Option<(Fault, Vec<u8>)> {
        let Self { client, server, conversation, control, faults, hide_tls, sliced, unread } = self;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.as_mut()?.split();
        let first = std::mem::take(unread);
        // The start of a packet whose end has not come.
        let mut held = Vec::new();
        let note_up = |bytes: &mut Vec<u8>| {
            let mut conversation = lock(conversation);
            if !bytes.is_empty() && held.is_empty() && !faults.are_armed() {
                conversation.client_sent(bytes);
                return None;
            }
            let read = std::mem::replace(bytes, std::mem::take(&mut held));
            if read.is_empty() {
                conversation.closed();
                return None;
            }
            let (mut rest, mut start) = (&read[..], 0);
            while !rest.is_empty() {
                let before = rest;
                let request = conversation.next_request(&mut rest);
                bytes.extend_from_slice(&before[..before.len() - rest.len()]);
                let Some(request) = request else { break };
                if let Some(fault) = faults.strike(&request) {
                    *unread = rest.to_vec();
                    return Some(Stopped::Met(fault, bytes.split_off(start)));
                }
                start = bytes.len();
            }
            if faults.are_armed() && !conversation.is_opaque() {
                held = bytes.split_off(start);
            }
            None
        };
        let note_down = |bytes: &mut Vec<u8>| {
            if let Some(hide) = hide_tls {
                hide.pass(bytes);
            }
            if !bytes.is_empty() {
                lock(conversation).server_sent(bytes);
            }
            None
        };
        let up = pump(from_client, to_server, control, *sliced, first, note_up, || silence_after_stop(control));
        let down = pump(from_server, to_client, control, *sliced, Vec::new(), note_down, pending);
        // Either both directions come to their ends, or the connection is cut.
        match tokio::try_join!(up, down) {
            Err(Stopped::Met(fault, request)) => Some((fault, request)),
            Err(Stopped::Silent) | Ok(_) => None,
        }
    }

    /// Lets `fault` strike at `request`. Whether the connection goes on.
    pub(crate) async fn meet(&mut self, fault: &Fault, request: &[u8]) -> io::Result<bool> {
        let control = self.control;
        tokio::select! {
            goes_on = self.strike(fault, request) => goes_on,
            () = silence_after_stop(control) => Ok(false),
        }
    }

    async fn strike(&mut self, fault: &Fault, request: &[u8]) -> io::Result<bool> {
        let (next, in_step) = match fault {
            Fault::Slice => {
                self.sliced = true;
                self.send(request).await?;
                return Ok(true);
            }
            Fault::Delay(after, time) => {
                self.send(request).await?;
                let (_, rest) = self.pass_answer(*after, false).await?;
                sleep(*time).await;
                lock(self.conversation).server_sent(&rest);
                self.client.write_all(&rest).await?;
                return Ok(true);
            }
            Fault::AfterRequest(after, answer) => {
                let part = &request[..request.len().min(*after as usize)];
                self.send(part).await?;
                let sequence = lock(self.conversation).next_sequence();
                // The server waits for the rest of what has begun.
                (self.say(answer, sequence).await?, part.is_empty())
            }
            Fault::AfterAnswer(after, answer) => {
                self.send(request).await?;
                let in_packets = !matches!(answer, Answer::Close | Answer::Silence);
                let (passed, rest) = self.pass_answer(*after, in_packets).await?;
                let next = self.say(answer, passed.sequence).await?;
                if next == Next::Packet {
                    self.skip_answer(passed, rest).await?;
                }
                (next, true)
            }
        };
        // Without a command, the login is not over on one side.
        let logged_in = !lock(self.conversation).report().commands.is_empty();
        if next == Next::Packet && in_step && logged_in {
            return Ok(true);
        }
        self.end(next).await
    }

    /// Gives `answer` to a client whom no server sees, and ends the connection.
    pub(crate) async fn answer(mut self, answer: &Answer) -> io::Result<()> {
        let control = self.control;
        let talk = async {
            let next = self.say(answer, 0).await?;
            self.end(next).await.map(drop)
        };
        tokio::select! {
            ended = talk => ended,
            () = silence_after_stop(control) => Ok(()),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.server {
            Some(server) => write(server, bytes, self.sliced).await,
            None => Ok(()),
        }
    }

    /// What the server says next.
    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let Some(server) = &mut self.server else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut bytes = Vec::with_capacity(BUFFER_LEN);
        while bytes.is_empty() {
            if server.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(hide) = &mut self.hide_tls {
                hide.pass(&mut bytes);
            }
        }
        Ok(bytes)
    }

    /// Waits for the server's answer and passes `len` bytes of it on: up to the end of a packet if asked to. Returns what
    /// else has come.
    async fn pass_answer(&mut self, len: u64, to_the_end_of_a_packet: bool) -> io::Result<(AnswerReader, Vec<u8>)> {
        let (mut reader, mut left) = (AnswerReader::new(&lock(self.conversation)), len);
        loop {
            let bytes = self.receive().await?;
            let mut rest = &bytes[..];
            while left > 0 && !rest.is_empty() {
                let before = rest;
                let complete = reader.read(&mut rest);
                let read = before.len() - rest.len();
                let part = if to_the_end_of_a_packet { read } else { read.min(left as usize) };
                lock(self.conversation).server_sent(&before[..part]);
                self.client.write_all(&before[..part]).await?;
                left = left.saturating_sub(part as u64);
                if to_the_end_of_a_packet && !complete {
                    left = left.max(1);
                }
                rest = &before[part..];
            }
            if left == 0 {
                return Ok((reader, rest.to_vec()));
            }
        }
    }

    /// Takes the rest of the server's answer, of which `bytes` have come, and passes nothing on.
    async fn skip_answer(&mut self, mut reader: AnswerReader, mut bytes: Vec<u8>) -> io::Result<()> {
        loop {
            let mut rest = &bytes[..];
            while reader.read(&mut rest) {}
            if reader.ends_left == 0 {
                return Ok(());
            }
            bytes = self.receive().await?;
        }
    }

    fn session<'s>(&'s mut self, sequence: u8, heard: &'s (dyn Fn(&[u8]) + Sync)) -> Session<'s> {
        let capabilities = lock(self.conversation).capabilities();
        Session { stream: Box::new(&mut self.client), heard, sequence, capabilities, in_transaction: false }
    }

    async fn say(&mut self, answer: &Answer, sequence: u8) -> io::Result<Next> {
        let conversation = self.conversation;
        let to = lock(conversation).report().commands.last().map(|command| command.kind);
        let heard = |bytes: &[u8]| lock(conversation).client_sent(bytes);
        self.session(sequence, &heard).say(answer, to).await
    }

    /// Ends the connection with the client, and only then the server's: a client that is told nothing more may stay.
    async fn end(&mut self, next: Next) -> io::Result<bool> {
        let conversation = self.conversation;
        let heard = |bytes: &[u8]| lock(conversation).client_sent(bytes);
        self.session(0, &heard).end(next).await?;
        Ok(false)
    }
}

/// Follows the server's answer to a command up to its end.
struct AnswerReader {
    packets: PacketReader,
    is_first: bool,
    /// The number of the next packet.
    sequence: u8,
    /// How many packets that end something are still to come: columns, unless the client does without, and rows.
    ends_left: usize,
}

impl AnswerReader {
    fn new(conversation: &Conversation) -> Self {
        let ends = if conversation.capabilities() & CLIENT_DEPRECATE_EOF == 0 { 2 } else { 1 };
        Self { packets: PacketReader::new(1), is_first: true, sequence: conversation.next_sequence(), ends_left: ends }
    }

    /// Takes bytes up to the end of a packet. Whether there was one.
    fn read(&mut self, bytes: &mut &[u8]) -> bool {
        const OK: [u8; 1] = [0];
        const ERROR: [u8; 1] = [0xff];
        const END: [u8; 1] = [0xfe];

        let Some(packet) = self.packets.read(bytes) else { return false };
        self.sequence = packet.sequence.wrapping_add(1);
        if packet.head == ERROR || (self.is_first && packet.head == OK) {
            self.ends_left = 0;
        } else if packet.head == END {
            self.ends_left = self.ends_left.saturating_sub(1);
        }
        self.is_first = false;
        true
    }
}

/// Passes bytes on in one direction until its end, and passes that on too. Asks `note` first, of the end as of no bytes:
/// it says what to pass on, and whether to stop then. `first` has been read already.
///
/// Broken connections are ends like any other: the opposite direction finds out by itself, after it has passed on what
/// is left in it.
async fn pump<F: Future<Output = ()>>(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    control: &watch::Receiver<Control>,
    sliced: bool,
    first: Vec<u8>,
    mut note: impl FnMut(&mut Vec<u8>) -> Option<Stopped>,
    silence: impl Fn() -> F,
) -> Result<(), Stopped> {
    let mut bytes = first;
    loop {
        let mut ended = false;
        if bytes.is_empty() {
            bytes.reserve(BUFFER_LEN);
            let read = tokio::select! {
                biased;
                read = from.read_buf(&mut bytes) => read,
                () = silence() => return Err(Stopped::Silent),
            };
            ended = !read.is_ok_and(|read| read > 0);
        }
        let stopped = note(&mut bytes);
        once(control, |control| !control.hold).await;
        ended |= write(&mut to, &bytes, sliced).await.is_err();
        if let Some(stopped) = stopped {
            return Err(stopped);
        }
        if ended {
            break;
        }
        bytes.clear();
    }
    // It fails where the peer is gone, who then needs no telling.
    let _ = to.shutdown().await;
    Ok(())
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], sliced: bool) -> io::Result<()> {
    if !sliced {
        return to.write_all(bytes).await;
    }
    for (number, byte) in bytes.iter().enumerate() {
        to.write_all(&[*byte]).await?;
        if number < PAUSED {
            sleep(PAUSE).await;
        } else {
            yield_now().await;
        }
    }
    Ok(())
}
