use crate::fault::Request;
use crate::packet::{Packet, PacketReader};
use crate::{Command, ConnectionReport};

/// The first packet of a client that asks for TLS is its handshake response, ended before the user name.
pub(crate) const SSL_REQUEST_LEN: u64 = 32;

/// The capability flags, zlib's and zstd's, by which a client says that it compresses what follows the login.
const CLIENT_COMPRESS: u32 = 1 << 5 | 1 << 26;

/// Follows one connection from the bytes of both sides, and writes its report.
#[derive(Debug)]
pub(crate) struct Conversation {
    report: ConnectionReport,
    phase: Phase,
    client: PacketReader,
    /// What the client can do: its capability flags.
    capabilities: u32,
    /// The number of the client's last packet.
    sequence: u8,
    server_spoke_last: bool,
    /// The client's last packet had the highest sequence number: its next goes on with 0, and is no command.
    sequence_wraps: bool,
}

#[derive(Debug)]
enum Phase {
    /// The client has not yet sent its handshake response.
    Greeting,
    /// Packets with sequence 0 are commands. The rest of the login is none: its numbers go on from the greeting's.
    Command,
    /// What the client sends cannot be read: it is encrypted or compressed.
    Opaque,
}

impl Conversation {
    pub(crate) fn new() -> Self {
        Self {
            report: ConnectionReport { open: true, ..ConnectionReport::default() },
            phase: Phase::Greeting,
            client: PacketReader::new(Command::HEAD_LEN),
            capabilities: 0,
            sequence: 0,
            server_spoke_last: true,
            sequence_wraps: false,
        }
    }

    pub(crate) fn report(&self) -> &ConnectionReport {
        &self.report
    }

    /// Takes note that the client has nothing more to say, or is not heard any more.
    pub(crate) fn closed(&mut self) {
        self.report.open = false;
    }

    /// Takes note of bytes from the server.
    pub(crate) fn server_sent(&mut self, bytes: &[u8]) {
        self.report.bytes_down += bytes.len() as u64;
        self.server_spoke_last = true;
        self.sequence_wraps = false;
    }

    /// What the client can do: its capability flags, known from its login on.
    pub(crate) fn capabilities(&self) -> u32 {
        self.capabilities
    }

    /// The number of the packet that answers the client's last.
    pub(crate) fn next_sequence(&self) -> u8 {
        // The greeting is the first of all.
        if matches!(self.phase, Phase::Greeting) { 0 } else { self.sequence.wrapping_add(1) }
    }

    /// Whether what the client sends cannot be read.
    pub(crate) fn is_opaque(&self) -> bool {
        matches!(self.phase, Phase::Opaque)
    }

    /// Takes note of bytes from the client.
    pub(crate) fn client_sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.next_request(&mut bytes);
        }
    }

    /// Takes note of bytes from the client, off the front of `bytes` and up to the end of a packet; `None` when there is no
    /// such end.
    pub(crate) fn next_request(&mut self, bytes: &mut &[u8]) -> Option<Request> {
        let before = bytes.len();
        let packet = if self.is_opaque() {
            *bytes = &[];
            None
        } else {
            self.client.read(bytes)
        };
        self.report.bytes_up += (before - bytes.len()) as u64;
        if self.server_spoke_last {
            self.report.round_trips += 1;
            self.server_spoke_last = false;
        }
        packet.map(|packet| self.client_packet(&packet))
    }

    fn client_packet(&mut self, packet: &Packet) -> Request {
        self.sequence = packet.sequence;
        match self.phase {
            Phase::Greeting => {
                self.report.tls = packet.sequence == 1 && packet.len == SSL_REQUEST_LEN;
                self.capabilities = packet.head.first_chunk().map_or(0, |flags| u32::from_le_bytes(*flags));
                let opaque = self.report.tls || self.capabilities & CLIENT_COMPRESS != 0;
                self.phase = if opaque { Phase::Opaque } else { Phase::Command };
                if opaque { Request::Other } else { Request::Login }
            }
            Phase::Command => {
                // The file of a LOAD DATA LOCAL can be long enough for its numbers to come round to 0.
                let begins = packet.sequence == 0 && !self.sequence_wraps;
                self.sequence_wraps = packet.sequence == u8::MAX;
                match begins.then(|| Command::parse(packet)).flatten() {
                    Some(command) => {
                        self.report.commands.push(command.clone());
                        Request::Command(command)
                    }
                    None => Request::Other,
                }
            }
            Phase::Opaque => Request::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommandKind, MAX_TEXT_LEN};

    /// A handshake response without capabilities that matter here.
    const LOGIN: &[u8] = b"\x00\x82\x08\x00\x00\x00\x00\x01\x2d\x00root\0\x08password";

    fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = (payload.len() as u32).to_le_bytes().to_vec();
        packet[3] = sequence;
        packet.extend_from_slice(payload);
        packet
    }

    /// A conversation whose client has logged in.
    fn logged_in() -> Conversation {
        let mut conversation = Conversation::new();
        conversation.server_sent(b"greeting");
        conversation.client_sent(&packet(1, LOGIN));
        conversation.server_sent(b"ok");
        conversation
    }

    fn commands(conversation: &Conversation) -> Vec<String> {
        let commands = &conversation.report().commands;
        commands.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_round_trip_is_a_client_burst_after_server_bytes() {
        let mut conversation = logged_in();
        assert_eq!(conversation.report().round_trips, 1);

        let query = packet(0, b"\x03SELECT 1");
        let (front, back) = query.split_at(7);
        conversation.client_sent(front);
        conversation.client_sent(back);
        assert_eq!(conversation.report().round_trips, 2);
        conversation.server_sent(b"rows");
        conversation.server_sent(b"more rows");
        assert_eq!(conversation.report().round_trips, 2);

        let mut pipelined = packet(0, b"\x19\x01\0\0\0");
        pipelined.extend(packet(0, b"\x01"));
        conversation.client_sent(&pipelined);
        assert_eq!(conversation.report().round_trips, 3);
        assert_eq!(commands(&conversation), ["COM_QUERY SELECT 1", "COM_STMT_CLOSE", "COM_QUIT"]);
    }

    #[test]
    fn a_client_that_does_not_wait_for_the_greeting_makes_a_round_trip() {
        let mut conversation = Conversation::new();
        conversation.client_sent(&packet(1, LOGIN));
        conversation.server_sent(b"greeting");
        assert_eq!(conversation.report().round_trips, 1);
    }

    #[test]
    fn bytes_are_counted_in_both_directions() {
        let conversation = logged_in();
        let report = conversation.report();
        assert_eq!(report.bytes_up, 4 + LOGIN.len() as u64);
        assert_eq!(report.bytes_down, "greetingok".len() as u64);
    }

    #[test]
    fn nothing_of_the_login_is_a_command() {
        let mut conversation = logged_in();
        // caching_sha2_password asks for the server's public key, then sends the password.
        conversation.client_sent(&packet(3, b"\x02"));
        conversation.server_sent(b"public key");
        conversation.client_sent(&packet(5, b"\x03secret"));
        conversation.server_sent(b"ok");
        assert_eq!(conversation.report().round_trips, 3);
        assert_eq!(commands(&conversation), [""; 0]);

        conversation.client_sent(&packet(0, b"\x0e"));
        assert_eq!(commands(&conversation), ["COM_PING"]);
    }

    #[test]
    fn the_file_of_a_load_data_local_is_not_a_command() {
        let mut conversation = logged_in();
        conversation.client_sent(&packet(0, b"\x03LOAD DATA LOCAL ..."));
        conversation.server_sent(b"send it");
        for sequence in (2..=u8::MAX).chain(0..=1) {
            conversation.client_sent(&packet(sequence, b"\x03DROP TABLE t"));
        }
        conversation.client_sent(&packet(2, b""));
        conversation.server_sent(b"ok");
        conversation.client_sent(&packet(0, b"\x1f"));
        assert_eq!(commands(&conversation), ["COM_QUERY LOAD DATA LOCAL ...", "COM_RESET_CONNECTION"]);
    }

    #[test]
    fn a_command_after_the_highest_sequence_number_is_a_command() {
        let mut conversation = logged_in();
        conversation.client_sent(&packet(u8::MAX, b"end of a file"));
        conversation.server_sent(b"ok");
        conversation.client_sent(&packet(0, b"\x0e"));
        assert_eq!(commands(&conversation), ["COM_PING"]);
    }

    #[test]
    fn after_a_request_for_tls_only_bursts_are_counted() {
        let mut conversation = Conversation::new();
        conversation.server_sent(b"greeting");
        let mut bytes = packet(1, &[0; SSL_REQUEST_LEN as usize]);
        bytes.extend(packet(0, b"\x03SELECT 1"));
        conversation.client_sent(&bytes);
        conversation.server_sent(b"server hello");
        conversation.client_sent(&packet(0, b"\x03SELECT 1"));
        let report = conversation.report();
        assert!(report.tls);
        assert_eq!(report.round_trips, 2);
        assert_eq!(report.commands, []);
    }

    #[test]
    fn a_compressing_client_is_not_misread() {
        for flags in [1u32 << 5, 1 << 26] {
            let mut conversation = Conversation::new();
            let mut login = LOGIN.to_vec();
            login[..4].copy_from_slice(&flags.to_le_bytes());
            conversation.client_sent(&packet(1, &login));
            conversation.server_sent(b"ok");
            conversation.client_sent(b"\x0d\0\0\x00\0\0\0\x09\0\0\0\x03SELECT 1");
            assert_eq!(conversation.report().commands, []);
            assert!(!conversation.report().tls);
        }
    }

    #[test]
    fn a_long_statement_is_cut_at_a_character() {
        let mut conversation = logged_in();
        let mut sql = "x".repeat(MAX_TEXT_LEN - 1);
        sql.push_str("\u{e9}tc.");
        conversation.client_sent(&packet(0, format!("\x16{sql}").as_bytes()));
        let command = &conversation.report().commands[0];
        assert_eq!(command.kind, CommandKind::Prepare);
        let expected = &sql[..MAX_TEXT_LEN - 1];
        assert_eq!(command.text.as_deref(), Some(expected));
    }

    #[test]
    fn what_is_not_sql_is_not_kept() {
        let mut conversation = logged_in();
        conversation.client_sent(&packet(0, b"\x11root\0secret"));
        conversation.client_sent(&packet(0, b""));
        conversation.client_sent(&packet(0, b"\x03\xff"));
        conversation.client_sent(&packet(0, b"\x2asecret"));
        assert_eq!(commands(&conversation), ["COM_CHANGE_USER", "COM_QUERY \u{fffd}", "0x2a"]);
    }
}
