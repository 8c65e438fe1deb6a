//! Commands of SMTP and LMTP (RFC 5321 §4.1.1, RFC 2033 §4.1, RFC 3030, RFC 3207). All roles share
//! them.

use super::parameters::{
    MailParameters, parse_mail_parameters, parse_rcpt_parameters, parse_xtext,
};
use super::path::{Path, is_domain, parse_path};
use crate::model::dsn::RecipientDsn;

/// One command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// `LHLO`: the client's name
    Lhlo(String),
    /// `EHLO`
    Ehlo(String),
    /// `HELO`
    Helo(String),
    /// `MAIL FROM:<…>`
    Mail {
        /// Never `Postmaster`.
        path: Path,
        /// Its parameters.
        parameters: MailParameters,
    },
    /// `RCPT TO:<…>`
    Rcpt {
        /// Never `Null`.
        path: Path,
        /// Its parameters.
        parameters: RecipientDsn,
    },
    /// `DATA`
    Data,
    /// `BDAT`: as many octets follow (RFC 3030 §2)
    Bdat {
        /// Octets of the chunk.
        octets: u64,
        /// The message ends with it.
        is_last: bool,
    },
    /// `BURL`: the message, or a piece of it, is fetched (RFC 4468 §3)
    Burl {
        /// Where.
        url: String,
        /// The message ends with it.
        is_last: bool,
    },
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
    /// `VRFY`
    Vrfy,
    /// `EXPN`
    Expn,
    /// `HELP`
    Help,
    /// `STARTTLS`
    StartTls,
    /// `AUTH` (RFC 4954 §4)
    Auth {
        /// As the client wrote it.
        mechanism: String,
        /// The initial response, not yet decoded; `=` is an empty one.
        initial: Option<String>,
    },
    /// `XCLIENT`: who the client of this trusted client is (Postfix's XCLIENT_README)
    Xclient(Vec<(Attribute, Option<String>)>),
}

/// What XCLIENT tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attribute {
    /// The client's name in the DNS.
    Name,
    /// Its address; IPv6 with `IPV6:` in front.
    Addr,
    /// Its port.
    Port,
    /// What it said in its greeting.
    Helo,
    /// `SMTP` or `ESMTP`.
    Proto,
}

impl Attribute {
    /// All of them, in the order of the capability.
    pub const EVERY: [Self; 5] = [Self::Name, Self::Addr, Self::Port, Self::Proto, Self::Helo];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Addr => "ADDR",
            Self::Port => "PORT",
            Self::Helo => "HELO",
            Self::Proto => "PROTO",
        }
    }
}

impl Command {
    /// The verb, for logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Lhlo(_) => "LHLO",
            Self::Ehlo(_) => "EHLO",
            Self::Helo(_) => "HELO",
            Self::Mail { .. } => "MAIL",
            Self::Rcpt { .. } => "RCPT",
            Self::Data => "DATA",
            Self::Bdat { .. } => "BDAT",
            Self::Burl { .. } => "BURL",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::StartTls => "STARTTLS",
            Self::Auth { .. } => "AUTH",
            Self::Xclient(_) => "XCLIENT",
        }
    }
}

/// Why a line is not a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyntaxErrorKind {
    /// No such verb, or not UTF-8.
    UnknownCommand,
    /// Arguments missing, unexpected or malformed.
    Arguments,
    /// The argument of MAIL is not a reverse-path.
    ReversePath,
    /// The argument of RCPT is not a forward-path.
    ForwardPath,
    /// A parameter nobody knows.
    UnknownParameter,
    /// A parameter's value is wrong, or it is there twice.
    ParameterValue,
}

/// Why, and at which octet of the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyntaxError {
    /// Why.
    pub kind: SyntaxErrorKind,
    /// Offset of the argument that is wrong.
    pub position: usize,
}

/// Parses one line; its CRLF may be there or not.
///
/// # Errors
/// The line is not a command; for BDAT the caller must end the connection, since it cannot know how
/// many octets follow.
pub fn parse(line: &[u8]) -> Result<Command, SyntaxError> {
    let line = line.strip_suffix(b"\r\n").unwrap_or(line);
    let at = |position: usize| move |kind| SyntaxError { kind, position };
    let text = std::str::from_utf8(line)
        .map_err(|error| at(error.valid_up_to())(SyntaxErrorKind::UnknownCommand))?;
    if let Some(position) = text.find(|c: char| c.is_control() && c != '\t') {
        return Err(at(position)(SyntaxErrorKind::UnknownCommand));
    }
    // Trailing white space "SHOULD be tolerated" (RFC 5321 §4.1.1)
    let text = text.trim_end_matches([' ', '\t']);
    let (verb, arguments) = text.split_once(' ').unwrap_or((text, ""));
    let position = (verb.len() + 1).min(text.len());
    parse_verb(verb, arguments).map_err(at(position))
}

fn parse_verb(verb: &str, arguments: &str) -> Result<Command, SyntaxErrorKind> {
    let none = |command: Command| {
        if arguments.is_empty() { Ok(command) } else { Err(SyntaxErrorKind::Arguments) }
    };
    match verb.to_ascii_uppercase().as_str() {
        "LHLO" => parse_name(arguments).map(Command::Lhlo),
        "EHLO" => parse_name(arguments).map(Command::Ehlo),
        "HELO" => parse_name(arguments).map(Command::Helo),
        "MAIL" => parse_mail(arguments),
        "RCPT" => parse_rcpt(arguments),
        "DATA" => none(Command::Data),
        "BDAT" => parse_bdat(arguments),
        "BURL" => parse_burl(arguments),
        "RSET" => none(Command::Rset),
        "NOOP" => Ok(Command::Noop),
        "QUIT" => none(Command::Quit),
        "VRFY" => Ok(Command::Vrfy),
        "EXPN" => Ok(Command::Expn),
        "HELP" => Ok(Command::Help),
        "STARTTLS" => none(Command::StartTls),
        "AUTH" => parse_auth(arguments),
        "XCLIENT" => parse_xclient(arguments),
        _ => Err(SyntaxErrorKind::UnknownCommand),
    }
}

/// `ehlo = "EHLO" SP ( Domain / address-literal ) CRLF`; what follows the name is ignored.
fn parse_name(arguments: &str) -> Result<String, SyntaxErrorKind> {
    let name = arguments.split(' ').find(|word| !word.is_empty()).unwrap_or_default();
    // Names like `[fe80::1%eth0]` or `my host_1.` occur; only what would break the Received line is
    // refused.
    let is_word = name.chars().all(|c| c.is_alphanumeric() || "-._:[]%".contains(c));
    if is_domain(name) || (!name.is_empty() && name.len() <= 255 && is_word) {
        Ok(name.to_owned())
    } else {
        Err(SyntaxErrorKind::Arguments)
    }
}

/// `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`
fn parse_mail(arguments: &str) -> Result<Command, SyntaxErrorKind> {
    let path = after_keyword(arguments, "FROM:").ok_or(SyntaxErrorKind::Arguments)?;
    let (path, rest) = parse_path(path).ok_or(SyntaxErrorKind::ReversePath)?;
    if path == Path::Postmaster {
        return Err(SyntaxErrorKind::ReversePath);
    }
    Ok(Command::Mail { path, parameters: parse_mail_parameters(rest)? })
}

/// `rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP
/// Rcpt-parameters] CRLF`
fn parse_rcpt(arguments: &str) -> Result<Command, SyntaxErrorKind> {
    let path = after_keyword(arguments, "TO:").ok_or(SyntaxErrorKind::Arguments)?;
    let (path, rest) = parse_path(path).ok_or(SyntaxErrorKind::ForwardPath)?;
    if path == Path::Null {
        return Err(SyntaxErrorKind::ForwardPath);
    }
    Ok(Command::Rcpt { path, parameters: parse_rcpt_parameters(rest)? })
}

/// Space after the colon is not in the grammar, but many clients send it.
fn after_keyword<'a>(arguments: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = arguments.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

/// `bdat-cmd ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF` (RFC 3030 §2)
fn parse_bdat(arguments: &str) -> Result<Command, SyntaxErrorKind> {
    let mut words = arguments.split(' ').filter(|word| !word.is_empty());
    let digits = words.next().unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err(SyntaxErrorKind::Arguments);
    }
    let octets = digits.parse().map_err(|_| SyntaxErrorKind::Arguments)?;
    let is_last = parse_end_marker(words)?;
    Ok(Command::Bdat { octets, is_last })
}

/// `burl-cmd = "BURL" SP absolute-URI [SP end-marker] CRLF` (RFC 4468 §3.1)
fn parse_burl(arguments: &str) -> Result<Command, SyntaxErrorKind> {
    let mut words = arguments.split(' ').filter(|word| !word.is_empty());
    let url = words.next().ok_or(SyntaxErrorKind::Arguments)?.to_owned();
    Ok(Command::Burl { url, is_last: parse_end_marker(words)? })
}

/// `end-marker ::= "LAST"`, or nothing.
fn parse_end_marker<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<bool, SyntaxErrorKind> {
    match (words.next(), words.next()) {
        (None, _) => Ok(false),
        (Some(marker), None) if marker.eq_ignore_ascii_case("LAST") => Ok(true),
        _ => Err(SyntaxErrorKind::Arguments),
    }
}

/// `auth-command = "AUTH" SP sasl-mech [SP initial-response]` (RFC 4954 §8)
fn parse_auth(arguments: &str) -> Result<Command, SyntaxErrorKind> {
    let mut words = arguments.split(' ').filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or(SyntaxErrorKind::Arguments)?.to_owned();
    let initial = words.next().map(str::to_owned);
    if words.next().is_some() {
        return Err(SyntaxErrorKind::Arguments);
    }
    Ok(Command::Auth { mechanism, initial })
}

/// `XCLIENT 1*( SP attribute-name "=" xtext )`; `[UNAVAILABLE]` and `[TEMPUNAVAIL]` are `None`.
fn parse_xclient(arguments: &str) -> Result<Command, SyntaxErrorKind> {
    let mut told = Vec::new();
    for word in arguments.split(' ').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').ok_or(SyntaxErrorKind::Arguments)?;
        let attribute = Attribute::EVERY
            .into_iter()
            .find(|attribute| attribute.name().eq_ignore_ascii_case(name))
            .ok_or(SyntaxErrorKind::Arguments)?;
        let is_unknown =
            ["[UNAVAILABLE]", "[TEMPUNAVAIL]"].iter().any(|word| word.eq_ignore_ascii_case(value));
        let value = if is_unknown { None } else { Some(parse_xtext(value)?) };
        told.push((attribute, value));
    }
    if told.is_empty() { Err(SyntaxErrorKind::Arguments) } else { Ok(Command::Xclient(told)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::EmailAddress;

    fn kind(line: &str) -> SyntaxErrorKind {
        parse(line.as_bytes()).unwrap_err().kind
    }

    #[test]
    fn good_lines() {
        let address = || Path::Address(EmailAddress::new("a@b.example").unwrap());
        assert_eq!(parse(b"lhlo mx.example\r\n"), Ok(Command::Lhlo("mx.example".into())));
        assert_eq!(parse(b"LHLO [127.0.0.1]"), Ok(Command::Lhlo("[127.0.0.1]".into())));
        let parameters = MailParameters::default();
        assert_eq!(parse(b"MAIL FROM:<>"), Ok(Command::Mail { path: Path::Null, parameters }));
        let parameters = MailParameters { size_octets: Some(5), ..MailParameters::default() };
        let mail = Command::Mail { path: address(), parameters };
        assert_eq!(parse(b"mail from: <a@b.example>  SIZE=5 \r\n"), Ok(mail));
        let parameters = RecipientDsn::default();
        let rcpt = Command::Rcpt { path: address(), parameters };
        assert_eq!(parse(b"RCPT TO:<a@b.example>\r\n"), Ok(rcpt));
        assert_eq!(parse(b"BDAT 86 LAST"), Ok(Command::Bdat { octets: 86, is_last: true }));
        let url = "imap://a@b/INBOX;UID=1".to_owned();
        let burl = Command::Burl { url, is_last: true };
        assert_eq!(parse(b"BURL imap://a@b/INBOX;UID=1 last"), Ok(burl));
        assert_eq!(kind("BURL"), SyntaxErrorKind::Arguments);
        assert_eq!(kind("BURL x LAST LAST"), SyntaxErrorKind::Arguments);
        assert_eq!(parse(b"bdat 0"), Ok(Command::Bdat { octets: 0, is_last: false }));
        assert_eq!(parse(b"NOOP whatever\r\n"), Ok(Command::Noop));
        assert_eq!(parse(b"DATA \r\n"), Ok(Command::Data));
    }

    #[test]
    fn authentication_and_trusted_clients() {
        let auth = |mechanism: &str, initial: Option<&str>| {
            let (mechanism, initial) = (mechanism.to_owned(), initial.map(str::to_owned));
            Ok(Command::Auth { mechanism, initial })
        };
        assert_eq!(parse(b"AUTH LOGIN"), auth("LOGIN", None));
        assert_eq!(parse(b"auth PLAIN ="), auth("PLAIN", Some("=")));
        assert_eq!(kind("AUTH"), SyntaxErrorKind::Arguments);
        assert_eq!(kind("AUTH PLAIN a b"), SyntaxErrorKind::Arguments);
        let told = vec![
            (Attribute::Addr, Some("192.0.2.1".to_owned())),
            (Attribute::Name, None),
            (Attribute::Helo, Some("a b".to_owned())),
        ];
        let line = b"XCLIENT ADDR=192.0.2.1 name=[unavailable] HELO=a+20b";
        assert_eq!(parse(line), Ok(Command::Xclient(told)));
        assert_eq!(kind("XCLIENT"), SyntaxErrorKind::Arguments);
        assert_eq!(kind("XCLIENT LOGIN=anna"), SyntaxErrorKind::Arguments);
        assert_eq!(kind("XCLIENT ADDR=+"), SyntaxErrorKind::ParameterValue);
    }

    #[test]
    fn bad_lines() {
        for line in ["", "FOO", " NOOP", "DATA\r", "NO\0OP", "MAILFROM:<>"] {
            assert_eq!(kind(line), SyntaxErrorKind::UnknownCommand, "{line:?}");
        }
        let arguments = [
            "LHLO",
            "LHLO a(b)",
            "DATA x",
            "MAIL <a@b>",
            "RCPT",
            "BDAT",
            "BDAT -1",
            "BDAT 1 x",
            "BDAT 1 LAST x",
        ];
        for line in arguments {
            assert_eq!(kind(line), SyntaxErrorKind::Arguments, "{line:?}");
        }
        assert_eq!(kind("MAIL FROM:a@b"), SyntaxErrorKind::ReversePath);
        assert_eq!(kind("RCPT TO:<>"), SyntaxErrorKind::ForwardPath);
        assert_eq!(kind("MAIL FROM:<> X=1"), SyntaxErrorKind::UnknownParameter);
        assert_eq!(parse(b"NOOP \xff").unwrap_err().kind, SyntaxErrorKind::UnknownCommand);
        assert_eq!(parse(b"BDAT 99999999999999999999").unwrap_err().position, 5);
    }
}
