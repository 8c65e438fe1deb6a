//! Replies: one line, with a response code where there is one (RFC 2449 §8, RFC 3206).

/// Octets of text in one line; with status, code and CRLF it stays below 512 (RFC 2449 §4).
const TEXT_OCTETS_MAX: usize = 480;

/// What a program can act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResponseCode {
    /// The credentials are wrong or not accepted (RFC 3206 §6).
    Auth,
    /// The maildrop is open in another session (RFC 2449 §8.1.2).
    InUse,
    /// Too early after the last login (RFC 2449 §8.1.1).
    LoginDelay,
    /// A problem of the server that will go away (RFC 3206 §4).
    SysTemp,
    /// A problem of the server that somebody has to solve (RFC 3206 §4).
    SysPerm,
}

impl ResponseCode {
    /// As it stands between brackets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "AUTH",
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
        }
    }
}

/// Appends `+OK text`.
pub fn write_ok(text: &str, output: &mut Vec<u8>) {
    output.extend_from_slice(b"+OK");
    if !text.is_empty() {
        output.push(b' ');
        write_text(text, output);
    }
    output.extend_from_slice(b"\r\n");
}

/// Appends `-ERR [code] text`.
pub fn write_err(code: Option<ResponseCode>, text: &str, output: &mut Vec<u8>) {
    output.extend_from_slice(b"-ERR ");
    if let Some(code) = code {
        output.extend_from_slice(format!("[{}] ", code.name()).as_bytes());
    }
    write_text(text, output);
    output.extend_from_slice(b"\r\n");
}

/// Appends `+ challenge` (RFC 5034 §4).
pub fn write_challenge(challenge: &str, output: &mut Vec<u8>) {
    output.extend_from_slice(b"+ ");
    output.extend_from_slice(challenge.as_bytes());
    output.extend_from_slice(b"\r\n");
}

/// Text may repeat what a client sent: nothing in it may end the line, or look like a code.
fn write_text(text: &str, output: &mut Vec<u8>) {
    let mut room = TEXT_OCTETS_MAX;
    for (index, character) in text.chars().enumerate() {
        let is_bad = character.is_control() || (index == 0 && character == '[');
        let character = if is_bad { '?' } else { character };
        let Some(rest) = room.checked_sub(character.len_utf8()) else { return };
        room = rest;
        output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_status_code_and_text() {
        let mut output = Vec::new();
        write_ok("", &mut output);
        write_ok("2 320", &mut output);
        write_err(None, "no such message", &mut output);
        write_err(Some(ResponseCode::InUse), "busy", &mut output);
        write_err(None, "[AUTH] a\r\n+OK", &mut output);
        write_challenge("", &mut output);
        let expected = "+OK\r\n+OK 2 320\r\n-ERR no such message\r\n-ERR [IN-USE] busy\r\n\
                        -ERR ?AUTH] a??+OK\r\n+ \r\n";
        assert_eq!(String::from_utf8(output).unwrap(), expected);
        let mut long = Vec::new();
        write_err(Some(ResponseCode::LoginDelay), &"é".repeat(600), &mut long);
        assert!(long.len() <= 512);
    }
}
