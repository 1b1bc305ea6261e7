/// The length of a packet's header: three bytes of payload length, little-endian, and the sequence number.
const HEADER_LEN: usize = 4;

/// A payload of this length is continued in the next packet.
const MAX_PAYLOAD_LEN: usize = 0xff_ffff;

/// A packet of the MySQL protocol, put together from all its continuations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The sequence number of its first part. A command starts at 0.
    pub(crate) sequence: u8,
    /// The length of its payload in bytes.
    pub(crate) len: u64,
    /// The start of its payload, as much of it as the reader keeps.
    pub(crate) head: Vec<u8>,
}

/// Finds the packets in a stream of bytes that arrives in arbitrary pieces.
#[derive(Debug)]
pub(crate) struct PacketReader {
    head_len: usize,
    header: [u8; HEADER_LEN],
    header_read: usize,
    payload_left: usize,
    continued: bool,
    packet: Packet,
}

impl PacketReader {
    /// A reader that keeps the first `head_len` bytes of each payload, and passes over the rest.
    pub(crate) fn new(head_len: usize) -> Self {
        Self {
            head_len,
            header: [0; HEADER_LEN],
            header_read: 0,
            payload_left: 0,
            continued: false,
            packet: Packet::default(),
        }
    }

    /// Takes bytes off the front of `bytes` up to the end of a packet, and returns that packet.
    ///
    /// `None` when `bytes` is used up before the packet's end: the next call goes on from there.
    pub(crate) fn read(&mut self, bytes: &mut &[u8]) -> Option<Packet> {
        while !bytes.is_empty() {
            if self.header_read < HEADER_LEN {
                let part = take(bytes, HEADER_LEN - self.header_read);
                self.header[self.header_read..][..part.len()].copy_from_slice(part);
                self.header_read += part.len();
                if self.header_read < HEADER_LEN {
                    return None;
                }
                self.payload_left = self.payload_len();
                if !self.continued {
                    self.packet.sequence = self.header[3];
                }
            }

            let part = take(bytes, self.payload_left);
            self.payload_left -= part.len();
            self.packet.len += part.len() as u64;
            let kept = part.len().min(self.head_len - self.packet.head.len());
            self.packet.head.extend_from_slice(&part[..kept]);
            if self.payload_left > 0 {
                return None;
            }

            self.header_read = 0;
            self.continued = self.payload_len() == MAX_PAYLOAD_LEN;
            if !self.continued {
                return Some(std::mem::take(&mut self.packet));
            }
        }
        None
    }

    /// How many bytes there are at least up to the end of the packet: reading no more takes nothing of what follows it.
    pub(crate) fn missing(&self) -> usize {
        if self.header_read < HEADER_LEN { HEADER_LEN - self.header_read } else { self.payload_left }
    }

    fn payload_len(&self) -> usize {
        let [a, b, c, _] = self.header;
        u32::from_le_bytes([a, b, c, 0]) as usize
    }
}

/// Appends `payload` as one packet with its header.
pub(crate) fn frame(sequence: u8, payload: &[u8], bytes: &mut Vec<u8>) {
    debug_assert!(payload.len() < MAX_PAYLOAD_LEN, "no continuations are made");
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    bytes.extend([a, b, c, sequence]);
    bytes.extend_from_slice(payload);
}

/// Splits at most `len` bytes off the front of `bytes`.
fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (front, rest) = bytes.split_at(len.min(bytes.len()));
    *bytes = rest;
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_LEN: usize = 8;

    fn packet(sequence: u8, len: u64, head: &[u8]) -> Packet {
        Packet { sequence, len, head: head.to_vec() }
    }

    fn read_all<'a>(reader: &mut PacketReader, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Packet> {
        let mut packets = Vec::new();
        for mut piece in pieces {
            while let Some(packet) = reader.read(&mut piece) {
                packets.push(packet);
            }
            assert!(piece.is_empty());
        }
        packets
    }

    #[test]
    fn packets_are_the_same_wherever_the_stream_is_split() {
        let stream = b"\x01\0\0\x00\x0e\0\0\0\x05\x0b\0\0\x02hello world\x02\0\0\x03hi";
        let expected = [packet(0, 1, b"\x0e"), packet(5, 0, b""), packet(2, 11, b"hello wo"), packet(3, 2, b"hi")];
        for at in 0..=stream.len() {
            let (front, back) = stream.split_at(at);
            let packets = read_all(&mut PacketReader::new(HEAD_LEN), [front, back]);
            assert_eq!(packets, expected, "split at byte {at}");
        }
        let packets = read_all(&mut PacketReader::new(HEAD_LEN), stream.chunks(1));
        assert_eq!(packets, expected, "one byte at a time");
    }

    #[test]
    fn a_reader_that_is_given_what_is_missing_reads_one_packet() {
        let mut stream = Vec::new();
        for (sequence, payload) in [(0, &b"hello"[..]), (1, b""), (2, b"!")] {
            frame(sequence, payload, &mut stream);
        }
        let mut bytes = &stream[..];
        for expected in [packet(0, 5, b"hello"), packet(1, 0, b""), packet(2, 1, b"!")] {
            let mut reader = PacketReader::new(HEAD_LEN);
            let read = loop {
                let mut part = take(&mut bytes, reader.missing());
                if let Some(packet) = reader.read(&mut part) {
                    break packet;
                }
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_packet_ends_where_the_bytes_of_the_next_begin() {
        let mut bytes: &[u8] = b"\x01\0\0\x00\x0e\x01\0";
        let first = PacketReader::new(HEAD_LEN).read(&mut bytes);
        assert_eq!(first, Some(packet(0, 1, b"\x0e")));
        assert_eq!(bytes, b"\x01\0");
    }

    #[test]
    fn an_unfinished_packet_is_not_returned() {
        let mut reader = PacketReader::new(HEAD_LEN);
        assert_eq!(reader.read(&mut &b"\xff\xff\xff\x00abc"[..]), None);
        assert_eq!(reader.read(&mut &b"\x01\0\0\x00\x0e"[..]), None);
    }

    #[test]
    fn continuations_belong_to_one_packet_of_which_only_the_head_is_kept() {
        let full = vec![b'x'; MAX_PAYLOAD_LEN];
        let mut stream = b"\xff\xff\xff\x00".to_vec();
        stream.extend_from_slice(&full);
        stream.extend_from_slice(b"\xff\xff\xff\x01");
        stream.extend_from_slice(&full);
        // A payload of exactly a multiple of the maximum ends in an empty continuation.
        stream.extend_from_slice(b"\0\0\0\x02");
        stream.extend_from_slice(b"\x01\0\0\x00\x0e");

        let mut reader = PacketReader::new(HEAD_LEN);
        let packets = read_all(&mut reader, stream.chunks(1 << 16));
        let whole = packet(0, 2 * MAX_PAYLOAD_LEN as u64, b"xxxxxxxx");
        assert_eq!(packets, [whole, packet(0, 1, b"\x0e")]);
        assert!(packets[0].head.capacity() <= 2 * HEAD_LEN);
    }
}
