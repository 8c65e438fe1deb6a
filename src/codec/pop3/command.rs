//! Commands (RFC 1939 §9, RFC 2449 §5, RFC 2595 §4, RFC 5034 §4, RFC 6856 §2, §3).

use crate::codec::sasl::decode_line;

/// One command.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// `CAPA`
    Capa,
    /// `USER name`
    User(String),
    /// `PASS string`
    Pass(String),
    /// `AUTH`: which mechanisms are there? Before RFC 1734 and CAPA clients asked so.
    Mechanisms,
    /// `AUTH mechanism [initial-response]`
    Auth {
        /// Its name as given.
        mechanism: String,
        /// After base64.
        initial: Option<Vec<u8>>,
    },
    /// `STLS`
    Stls,
    /// `UTF8`
    Utf8,
    /// `LANG [lang-tag]`
    Lang(Option<String>),
    /// `STAT`
    Stat,
    /// `LIST [msg]`
    List(Option<u32>),
    /// `UIDL [msg]`
    Uidl(Option<u32>),
    /// `RETR msg`
    Retr(u32),
    /// `TOP msg n`
    Top {
        /// Which message.
        number: u32,
        /// Lines of its body.
        lines: u32,
    },
    /// `DELE msg`
    Dele(u32),
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Command {
    /// The keyword, for logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capa => "CAPA",
            Self::User(_) => "USER",
            Self::Pass(_) => "PASS",
            Self::Mechanisms | Self::Auth { .. } => "AUTH",
            Self::Stls => "STLS",
            Self::Utf8 => "UTF8",
            Self::Lang(_) => "LANG",
            Self::Stat => "STAT",
            Self::List(_) => "LIST",
            Self::Uidl(_) => "UIDL",
            Self::Retr(_) => "RETR",
            Self::Top { .. } => "TOP",
            Self::Dele(_) => "DELE",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
        }
    }
}

/// Why a line is not a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyntaxError {
    /// No such keyword, or not UTF-8.
    UnknownCommand,
    /// Arguments missing, unexpected or malformed.
    Arguments,
}

/// Parses one line; its line end may be there or not.
///
/// `command = keyword *(SP param) CRLF`, keywords in any case (RFC 2449 §4).
///
/// # Errors
/// The line is not a command.
pub fn parse(line: &[u8]) -> Result<Command, SyntaxError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| SyntaxError::UnknownCommand)?;
    if text.contains(['\0', '\r', '\n']) {
        return Err(SyntaxError::UnknownCommand);
    }
    let (keyword, arguments) = text.split_once(' ').unwrap_or((text, ""));
    let keyword = keyword.to_ascii_uppercase();
    if keyword == "PASS" {
        // RFC 1939 §7: one argument, so that spaces are characters of the password
        return not_empty(arguments).map(|password| Command::Pass(password.to_owned()));
    }
    let words: Vec<&str> = arguments.split(' ').filter(|word| !word.is_empty()).collect();
    match (keyword.as_str(), words.as_slice()) {
        ("USER", _) => not_empty(arguments.trim()).map(|name| Command::User(name.to_owned())),
        ("CAPA", []) => Ok(Command::Capa),
        ("AUTH", []) => Ok(Command::Mechanisms),
        ("AUTH", [mechanism]) => {
            Ok(Command::Auth { mechanism: (*mechanism).to_owned(), initial: None })
        }
        ("AUTH", [mechanism, initial]) => read_auth(mechanism, initial),
        ("STLS", []) => Ok(Command::Stls),
        ("UTF8", []) => Ok(Command::Utf8),
        ("LANG", []) => Ok(Command::Lang(None)),
        ("LANG", [tag]) => Ok(Command::Lang(Some((*tag).to_owned()))),
        ("STAT", []) => Ok(Command::Stat),
        ("LIST", []) => Ok(Command::List(None)),
        ("LIST", [number]) => read_number(number).map(|number| Command::List(Some(number))),
        ("UIDL", []) => Ok(Command::Uidl(None)),
        ("UIDL", [number]) => read_number(number).map(|number| Command::Uidl(Some(number))),
        ("RETR", [number]) => read_number(number).map(Command::Retr),
        ("TOP", [number, lines]) => {
            Ok(Command::Top { number: read_number(number)?, lines: read_number(lines)? })
        }
        ("DELE", [number]) => read_number(number).map(Command::Dele),
        ("RSET", []) => Ok(Command::Rset),
        ("NOOP", []) => Ok(Command::Noop),
        ("QUIT", []) => Ok(Command::Quit),
        (
            "CAPA" | "AUTH" | "STLS" | "UTF8" | "LANG" | "STAT" | "LIST" | "UIDL" | "RETR" | "TOP"
            | "DELE" | "RSET" | "NOOP" | "QUIT",
            _,
        ) => Err(SyntaxError::Arguments),
        _ => Err(SyntaxError::UnknownCommand),
    }
}

fn not_empty(text: &str) -> Result<&str, SyntaxError> {
    if text.is_empty() { Err(SyntaxError::Arguments) } else { Ok(text) }
}

/// `"AUTH" SP sasl-mech [SP initial-response]`, where `=` is an empty one (RFC 5034 §4).
fn read_auth(mechanism: &str, initial: &str) -> Result<Command, SyntaxError> {
    let initial = if initial == "=" {
        Vec::new()
    } else {
        decode_line(initial.as_bytes()).map_err(|_| SyntaxError::Arguments)?
    };
    Ok(Command::Auth { mechanism: mechanism.to_owned(), initial: Some(initial) })
}

/// Digits only; numbers beyond 32 bits are those of no message, and of more lines than any has.
fn read_number(text: &str) -> Result<u32, SyntaxError> {
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(SyntaxError::Arguments);
    }
    Ok(text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_lines() {
        let auth = |initial: Option<&[u8]>| Command::Auth {
            mechanism: "PLAIN".into(),
            initial: initial.map(<[u8]>::to_vec),
        };
        let cases = [
            ("USER frated", Command::User("frated".into())),
            ("user  anna b ", Command::User("anna b".into())),
            ("PASS  se cret ", Command::Pass(" se cret ".into())),
            ("AUTH", Command::Mechanisms),
            ("AUTH PLAIN", auth(None)),
            ("AUTH PLAIN =", auth(Some(b""))),
            ("auth PLAIN AGEAYg==", auth(Some(b"\0a\0b"))),
            ("LANG", Command::Lang(None)),
            ("LANG MUL", Command::Lang(Some("MUL".into()))),
            ("LIST", Command::List(None)),
            ("list 2", Command::List(Some(2))),
            ("UIDL 99999999999", Command::Uidl(Some(u32::MAX))),
            ("RETR 1", Command::Retr(1)),
            ("TOP 1 10", Command::Top { number: 1, lines: 10 }),
            ("TOP 1 0", Command::Top { number: 1, lines: 0 }),
            ("DELE 1 ", Command::Dele(1)),
            ("QUIT", Command::Quit),
        ];
        for (line, command) in cases {
            assert!(parse(format!("{line}\r\n").as_bytes()) == Ok(command), "{line}");
        }
        assert_eq!(parse(b"NOOP\n"), Ok(Command::Noop));
    }

    #[test]
    fn bad_lines() {
        for line in ["", " ", "FOO", "APOP a b", "RETR\x001", " NOOP"] {
            assert_eq!(parse(line.as_bytes()), Err(SyntaxError::UnknownCommand), "{line:?}");
        }
        let arguments = [
            "USER",
            "USER  ",
            "PASS",
            "AUTH PLAIN *",
            "AUTH PLAIN a b",
            "STAT 1",
            "LIST x",
            "LIST -1",
            "RETR",
            "RETR 1 2",
            "RETR +1",
            "TOP 1",
            "TOP 1 -1",
            "DELE",
            "QUIT now",
            "UTF8 x",
        ];
        for line in arguments {
            assert_eq!(parse(line.as_bytes()), Err(SyntaxError::Arguments), "{line:?}");
        }
        assert_eq!(parse(b"USER \xff"), Err(SyntaxError::UnknownCommand));
    }

    #[test]
    fn no_input_panics() {
        let alphabet = *b"TOP 1x=*\r\n\0\xc3";
        for number in 0..alphabet.len().pow(4) {
            let pick = |place| alphabet[number / alphabet.len().pow(place) % alphabet.len()];
            let _ = parse(&[b'T', b'O', b'P', pick(0), pick(1), pick(2), pick(3)]);
        }
    }
}
