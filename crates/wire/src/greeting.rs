use crate::protocol::SSL_REQUEST_LEN;

/// The capability by which a server offers TLS, and a client asks for it.
pub(crate) const CLIENT_SSL: u16 = 1 << 11;

/// The capabilities of every client since MySQL 4.1: `LONG_PASSWORD`, `PROTOCOL_41`, `SECURE_CONNECTION`.
const CLIENT_41: u16 = 1 | 1 << 9 | 1 << 15;

/// The collation that a client asks for at login: `utf8mb4_general_ci`.
const UTF8MB4: u8 = 45;

/// The first packet of a connection, which the server sends unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// The server is ready for a login.
    Greeting(Greeting),
    /// The server wants no connection now.
    Refusal {
        /// The server's error number, such as 1040.
        code: u16,
        /// The five characters of SQLSTATE. Empty where there are none, as before MySQL 5.5 and in MariaDB.
        sqlstate: String,
        /// The server's text.
        message: String,
    },
}

impl Hello {
    /// Reads the payload of the packet. `None` when it is neither a greeting of protocol 10, the only one in use since
    /// MySQL 3.21, nor an error packet.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        match payload {
            [10, ..] => Greeting::parse(payload).map(Self::Greeting),
            [0xff, low, high, text @ ..] => {
                let (sqlstate, text) = match text {
                    [b'#', rest @ ..] => rest.split_at_checked(5)?,
                    _ => text.split_at(0),
                };
                let owned = |bytes| String::from_utf8_lossy(bytes).into_owned();
                let code = u16::from_le_bytes([*low, *high]);
                Some(Self::Refusal { code, sqlstate: owned(sqlstate), message: owned(text) })
            }
            _ => None,
        }
    }
}

/// What a server says of itself before anybody has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The version as it stands there, such as `8.0.11-TiDB-v8.5.3` or `5.5.5-10.11.14-MariaDB`.
    pub version: String,
    /// The lower half of the server's capabilities.
    capabilities: u16,
}

impl Greeting {
    fn parse(payload: &[u8]) -> Option<Self> {
        let at = capabilities_at(payload)?;
        let version = String::from_utf8_lossy(&payload[1..at - 14]).into_owned();
        Some(Self { version, capabilities: u16::from_le_bytes([payload[at], payload[at + 1]]) })
    }

    /// Whether the server offers TLS.
    #[must_use]
    pub fn offers_tls(&self) -> bool {
        self.capabilities & CLIENT_SSL != 0
    }
}

/// Clears the offer of TLS in a server's first packet. Holds that packet back until it is complete.
#[derive(Debug, Default)]
pub(crate) struct HideTls {
    read: Vec<u8>,
    done: bool,
}

impl HideTls {
    /// Replaces what has come from the server by what to pass on. No bytes are the end of the connection.
    pub(crate) fn pass(&mut self, bytes: &mut Vec<u8>) {
        const HEADER_LEN: usize = 4;

        if self.done {
            return;
        }
        let ended = bytes.is_empty();
        self.read.append(bytes);
        if let Some(&[low, middle, high, _]) = self.read.first_chunk() {
            let len = u32::from_le_bytes([low, middle, high, 0]) as usize;
            if let Some(payload) = self.read.get_mut(HEADER_LEN..HEADER_LEN + len) {
                self.done = true;
                if let Some(at) = capabilities_at(payload) {
                    payload[at + 1] &= !(CLIENT_SSL.to_le_bytes()[1]);
                }
            }
        }
        if self.done || ended {
            *bytes = std::mem::take(&mut self.read);
        }
    }
}

/// Where the lower half of the capabilities is in the payload of a greeting of protocol 10.
fn capabilities_at(payload: &[u8]) -> Option<usize> {
    let [10, rest @ ..] = payload else { return None };
    // Behind the version's end: the connection's id, half of the salt, and a zero.
    let at = 1 + rest.iter().position(|&byte| byte == 0)? + 14;
    (payload.len() >= at + 2).then_some(at)
}

/// The packet by which a client asks for TLS, header included; the client's hello follows it.
#[must_use]
pub fn tls_request() -> [u8; 36] {
    let mut packet = [0; 36];
    // The second packet of the connection.
    (packet[0], packet[3]) = (SSL_REQUEST_LEN as u8, 1);
    packet[4..6].copy_from_slice(&(CLIENT_41 | CLIENT_SSL).to_le_bytes());
    packet[8..12].copy_from_slice(&(1_u32 << 24).to_le_bytes());
    packet[12] = UTF8MB4;
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version, connection id, half of the salt, zero, capabilities.
    const TIDB: &[u8] = b"\x0a8.0.11-TiDB-v8.5.3\0\x01\0\0\0saltsalt\0\x00\x8a";

    #[test]
    fn a_greeting_says_the_version_and_whether_there_is_tls() {
        let Some(Hello::Greeting(greeting)) = Hello::parse(TIDB) else { panic!("a greeting") };
        assert_eq!((greeting.version.as_str(), greeting.offers_tls()), ("8.0.11-TiDB-v8.5.3", true));
        let mut plain = TIDB.to_vec();
        *plain.last_mut().expect("not empty") &= !8;
        let Some(Hello::Greeting(greeting)) = Hello::parse(&plain) else { panic!("a greeting") };
        assert!(!greeting.offers_tls());
    }

    #[test]
    fn the_offer_of_tls_is_hidden_however_the_greeting_arrives() {
        let packet = [&[TIDB.len() as u8, 0, 0, 0], TIDB, b"more"].concat();
        let mut hidden = packet.clone();
        hidden[4 + TIDB.len() - 1] &= !8;
        for step in 1..=packet.len() {
            let (mut hide, mut passed) = (HideTls::default(), Vec::new());
            for part in packet.chunks(step) {
                let mut part = part.to_vec();
                hide.pass(&mut part);
                passed.extend(part);
            }
            assert_eq!(passed, hidden, "{step}");
        }
    }

    #[test]
    fn a_first_packet_that_is_not_a_greeting_passes_as_it_is() {
        for packet in [&b"\x0b\0\0\0\xff\x10\x04Too many"[..], b"\x01\0\0\0\x0a", b"\x09\0\0\0cut"] {
            let (mut hide, mut bytes, mut end) = (HideTls::default(), packet.to_vec(), Vec::new());
            hide.pass(&mut bytes);
            hide.pass(&mut end);
            assert_eq!([bytes, end].concat(), packet);
        }
    }

    #[test]
    fn a_refusal_has_an_sqlstate_or_none() {
        for (text, sqlstate) in [(&b"#08004Too many connections"[..], "08004"), (b"Too many connections", "")] {
            let payload = [&b"\xff\x10\x04"[..], text].concat();
            let refusal =
                Hello::Refusal { code: 1040, sqlstate: sqlstate.into(), message: "Too many connections".into() };
            assert_eq!(Hello::parse(&payload), Some(refusal));
        }
    }

    #[test]
    fn what_is_cut_short_is_nothing() {
        for end in 0..TIDB.len() {
            assert_eq!(Hello::parse(&TIDB[..end]), None, "{end}");
        }
        assert_eq!(Hello::parse(b"\xff\x10\x04#080"), None);
    }
}
