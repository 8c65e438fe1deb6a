//! The milter protocol, version 6, as the mail server speaks it (libmilter's `mfapi`, `mfdef.h`).
//!
//! A packet is a length (32 bits, network order, counting what follows), a command octet and data.
//! Pure: no socket.

/// Largest packet that is taken from a milter; they send header fields and words.
pub const PACKET_OCTETS_MAX: usize = 1024 * 1024;
/// Octets of the body in one packet (`MILTER_CHUNK_SIZE`).
pub const CHUNK_OCTETS: usize = 65_535;
const VERSION: u32 = 6;

/// What a milter may do: add and change header fields, quarantine. Not: bodies, envelopes.
const ACTIONS: u32 = 0x01 | 0x10 | 0x20;

/// Steps a milter may leave out, and replies it may leave out (`SMFIP_…`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Protocol(u32);

impl Protocol {
    const NO_CONNECT: u32 = 0x01;
    const NO_HELO: u32 = 0x02;
    const NO_MAIL: u32 = 0x04;
    const NO_RCPT: u32 = 0x08;
    const NO_BODY: u32 = 0x10;
    const NO_HEADERS: u32 = 0x20;
    const NO_END_OF_HEADERS: u32 = 0x40;
    const NO_DATA: u32 = 0x200;
    /// Replies: to header, connect, HELO, MAIL, RCPT, DATA, end of header, body.
    const SILENT_HEADER: u32 = 0x80;
    const SILENT_CONNECT: u32 = 0x1000;
    const SILENT_HELO: u32 = 0x2000;
    const SILENT_MAIL: u32 = 0x4000;
    const SILENT_RCPT: u32 = 0x8000;
    const SILENT_DATA: u32 = 0x1_0000;
    const SILENT_END_OF_HEADERS: u32 = 0x4_0000;
    const SILENT_BODY: u32 = 0x8_0000;
    /// Header values with the white space in front.
    const LEADING_SPACE: u32 = 0x10_0000;
    /// `SMFIR_SKIP` may be said about bodies.
    const SKIP: u32 = 0x400;

    /// All of them but those we do not know.
    const OFFERED: u32 = 0x1f_f7ff & !0x100 & !0x2_0000;

    fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// Whether the milter wants to hear of a step.
    pub fn wants(self, step: Step) -> bool {
        !self.has(step.bits().0)
    }

    /// Whether the milter answers to a step.
    pub fn answers(self, step: Step) -> bool {
        !self.has(step.bits().1)
    }

    /// Whether header values keep the white space in front.
    pub fn keeps_leading_space(self) -> bool {
        self.has(Self::LEADING_SPACE)
    }
}

/// A step of the conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The client has connected.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// One header field.
    Header,
    /// The header is at its end.
    EndOfHeaders,
    /// Some of the body.
    Body,
    /// The message is at its end.
    EndOfMessage,
}

impl Step {
    /// The command octet (`SMFIC_…`).
    pub const fn command(self) -> u8 {
        match self {
            Self::Connect => b'C',
            Self::Helo => b'H',
            Self::Mail => b'M',
            Self::Rcpt => b'R',
            Self::Data => b'T',
            Self::Header => b'L',
            Self::EndOfHeaders => b'N',
            Self::Body => b'B',
            Self::EndOfMessage => b'E',
        }
    }

    /// The bits that leave out the step, and its answer.
    const fn bits(self) -> (u32, u32) {
        match self {
            Self::Connect => (Protocol::NO_CONNECT, Protocol::SILENT_CONNECT),
            Self::Helo => (Protocol::NO_HELO, Protocol::SILENT_HELO),
            Self::Mail => (Protocol::NO_MAIL, Protocol::SILENT_MAIL),
            Self::Rcpt => (Protocol::NO_RCPT, Protocol::SILENT_RCPT),
            Self::Data => (Protocol::NO_DATA, Protocol::SILENT_DATA),
            Self::Header => (Protocol::NO_HEADERS, Protocol::SILENT_HEADER),
            Self::EndOfHeaders => (Protocol::NO_END_OF_HEADERS, Protocol::SILENT_END_OF_HEADERS),
            Self::Body => (Protocol::NO_BODY, Protocol::SILENT_BODY),
            Self::EndOfMessage => (0, 0),
        }
    }
}

/// What a milter says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Goes on.
    Continue,
    /// Accepts; it wants to hear no more of this connection or message.
    Accept,
    /// 550.
    Reject,
    /// 451.
    TempFail,
    /// Acknowledged and dropped.
    Discard,
    /// A reply of its own: `550 5.7.1 words`.
    Code(String),
    /// 421: the connection is to be closed.
    Shutdown,
    /// It has seen enough of the body.
    Skip,
    /// It is still working.
    Progress,
    /// A change of the message.
    Change(Change),
    /// Something else, which is not negotiated.
    Other(u8),
}

/// What a milter wants changed at the end of the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A new field.
    Add {
        /// Its name.
        name: String,
        /// Its value, lines joined by LF.
        value: Vec<u8>,
    },
    /// The `index`-th field of a name, from 1; an empty value removes it.
    Replace {
        /// Which of them.
        index: u32,
        /// Their name.
        name: String,
        /// The new value.
        value: Vec<u8>,
    },
    /// Held back; for us: taken for spam.
    Quarantine(String),
}

/// Puts a packet into a buffer.
pub fn write(out: &mut Vec<u8>, command: u8, parts: &[&[u8]]) {
    let octets = parts.iter().fold(1_usize, |sum, part| sum.saturating_add(part.len()));
    out.extend_from_slice(&u32::try_from(octets).unwrap_or(u32::MAX).to_be_bytes());
    out.push(command);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// The opening: our version, what milters may do, and all they may leave out.
pub fn write_negotiation(out: &mut Vec<u8>) {
    let [version, actions, steps] =
        [VERSION, ACTIONS, Protocol::OFFERED | Protocol::SKIP].map(u32::to_be_bytes);
    write(out, b'O', &[&version, &actions, &steps]);
}

/// Macros for a step: names and values.
pub fn write_macros(out: &mut Vec<u8>, step: Step, macros: &[(&str, &str)]) {
    let mut data = vec![step.command()];
    for text in macros.iter().flat_map(|(name, value)| [name, value]) {
        data.extend(text.bytes().filter(|octet| *octet != 0));
        data.push(0);
    }
    write(out, b'D', &[&data]);
}

/// What a milter answers to the opening; `None`: it speaks something else.
pub fn read_negotiation(command: u8, data: &[u8]) -> Option<Protocol> {
    let number = |at: usize| {
        let octets: [u8; 4] = data.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(u32::from_be_bytes(octets))
    };
    let version = number(0).filter(|version| (2..=VERSION).contains(version))?;
    // What it wants to do must be what we offered
    let actions = number(4).filter(|actions| actions & !ACTIONS == 0)?;
    let steps = number(8)?;
    (command == b'O' && version >= 2 && actions <= ACTIONS).then_some(Protocol(steps))
}

/// Reads a reply; `None`: it is malformed.
pub fn read_reply(command: u8, data: &[u8]) -> Option<Reply> {
    Some(match command {
        b'c' => Reply::Continue,
        b'a' => Reply::Accept,
        b'r' => Reply::Reject,
        b't' => Reply::TempFail,
        b'd' => Reply::Discard,
        b'4' | b'f' => Reply::Shutdown,
        b's' => Reply::Skip,
        b'p' => Reply::Progress,
        b'y' => Reply::Code(text(data.strip_suffix(&[0]).unwrap_or(data))),
        b'q' => Reply::Change(Change::Quarantine(text(data.strip_suffix(&[0]).unwrap_or(data)))),
        b'h' => {
            let (name, value) = pair(data)?;
            Reply::Change(Change::Add { name, value })
        }
        // The place is not kept: our fields are in front
        b'i' => {
            let (name, value) = pair(data.get(4..)?)?;
            Reply::Change(Change::Add { name, value })
        }
        b'm' => {
            let index = u32::from_be_bytes(data.get(..4)?.try_into().ok()?);
            let (name, value) = pair(data.get(4..)?)?;
            Reply::Change(Change::Replace { index, name, value })
        }
        other => Reply::Other(other),
    })
}

/// `name NUL value NUL`
fn pair(data: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = memchr::memchr(0, data)?;
    let (name, rest) = data.split_at_checked(end)?;
    let value = rest.get(1..)?;
    let value = value.strip_suffix(&[0]).unwrap_or(value);
    Some((field_name(name)?, value.to_vec()))
}

/// `field-name` (RFC 5322 §3.6.8)
fn field_name(name: &[u8]) -> Option<String> {
    let is_good = |octet: &u8| matches!(octet, 33..=126) && *octet != b':';
    (!name.is_empty() && name.iter().all(is_good)).then(|| text(name))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A field of ours from a name and a value whose lines are joined by LF: it ends with CRLF, and no
/// value breaks out of it.
pub fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let mut field = name.as_bytes().to_vec();
    field.push(b':');
    for (number, line) in value.split(|octet| *octet == b'\n').enumerate() {
        if number > 0 {
            field.extend_from_slice(b"\r\n");
        }
        if !line.first().is_some_and(|octet| matches!(octet, b' ' | b'\t')) {
            field.push(if number == 0 { b' ' } else { b'\t' });
        }
        field.extend(line.iter().filter(|octet| !matches!(octet, b'\r' | 0)));
    }
    field.extend_from_slice(b"\r\n");
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_framed() {
        let mut out = Vec::new();
        write(&mut out, b'H', &[b"mx.example", b"\0"]);
        assert_eq!(out, b"\0\0\0\x0cHmx.example\0");
        out.clear();
        write_macros(&mut out, Step::Mail, &[("i", "4A\0B"), ("{x}", "")]);
        assert_eq!(out, b"\0\0\0\x0dDMi\x004AB\0{x}\0\0");
        out.clear();
        write_negotiation(&mut out);
        assert_eq!(out.get(..13).unwrap(), b"\0\0\0\x0dO\0\0\0\x06\0\0\0\x31");
    }

    #[test]
    fn what_a_milter_leaves_out_is_known() {
        let data = |actions: u32, steps: u32| {
            [6_u32.to_be_bytes(), actions.to_be_bytes(), steps.to_be_bytes()].concat()
        };
        let protocol = read_negotiation(b'O', &data(0x11, 0x02 | 0x80)).unwrap();
        assert!(!protocol.wants(Step::Helo) && protocol.wants(Step::Mail));
        assert!(!protocol.answers(Step::Header) && protocol.answers(Step::Body));
        assert!(protocol.wants(Step::EndOfMessage) && protocol.answers(Step::EndOfMessage));
        assert_eq!(read_negotiation(b'O', &data(0x02, 0)), None, "it wants to change bodies");
        assert_eq!(read_negotiation(b'c', &data(0, 0)), None);
        assert_eq!(read_negotiation(b'O', &[0; 11]), None);
    }

    #[test]
    fn replies_are_read_and_bad_ones_are_not() {
        assert_eq!(read_reply(b'y', b"550 5.7.1 no\0"), Some(Reply::Code("550 5.7.1 no".into())));
        let add = Change::Add { name: "X-A".into(), value: b"b".to_vec() };
        assert_eq!(read_reply(b'h', b"X-A\0b\0"), Some(Reply::Change(add.clone())));
        assert_eq!(read_reply(b'i', b"\0\0\0\x01X-A\0b\0"), Some(Reply::Change(add)));
        let replace = Change::Replace { index: 2, name: "S".into(), value: Vec::new() };
        assert_eq!(read_reply(b'm', b"\0\0\0\x02S\0\0"), Some(Reply::Change(replace)));
        for (command, data) in
            [(b'h', &b"X"[..]), (b'h', b"\0\0"), (b'h', b"a b\0\0"), (b'm', b"\0")]
        {
            assert_eq!(read_reply(command, data), None, "{data:?}");
        }
        assert_eq!(read_reply(b'z', b""), Some(Reply::Other(b'z')));
    }

    #[test]
    fn no_value_breaks_out_of_its_field() {
        assert_eq!(field("X-A", b"b"), b"X-A: b\r\n");
        assert_eq!(field("X-A", b" b\n c\nX-B: d\r\n\0"), b"X-A: b\r\n c\r\n\tX-B: d\r\n\t\r\n");
    }
}
