//! ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2, RFC 1870, 3030, 3461, 4865, 4954, 6152,
//! 6531, 8689).

use super::command::SyntaxErrorKind;
use crate::model::dsn::{Notify, RecipientDsn, Return};
use crate::model::message::TimeMs;
use jiff::Timestamp;

/// BODY= (RFC 6152 §2, RFC 3030 §3).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Body {
    /// `7BIT`, or nothing said
    #[default]
    SevenBit,
    /// `8BITMIME`
    EightBit,
    /// `BINARYMIME`: only with BDAT
    Binary,
}

/// Not before then (RFC 4865 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// `HOLDFOR`: seconds from now.
    For(u32),
    /// `HOLDUNTIL`.
    Until(TimeMs),
}

/// Parameters of MAIL.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct MailParameters {
    /// SIZE: octets announced (RFC 1870 §4); 0: not known.
    pub size_octets: Option<u64>,
    /// BODY
    pub body: Body,
    /// SMTPUTF8 (RFC 6531 §3.4)
    pub smtp_utf8: bool,
    /// RET
    pub ret: Option<Return>,
    /// ENVID, decoded (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// REQUIRETLS (RFC 8689 §4.1)
    pub requires_tls: bool,
    /// HOLDFOR or HOLDUNTIL
    pub hold: Option<Hold>,
    /// AUTH, decoded (RFC 4954 §5): who submitted it, by what the client says.
    pub auth: Option<String>,
}

/// Parameters of MAIL we know.
const MAIL_KEYWORDS: [&str; 9] =
    ["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "REQUIRETLS", "HOLDFOR", "HOLDUNTIL", "AUTH"];

type Result<T> = std::result::Result<T, SyntaxErrorKind>;

/// Reads the parameters of MAIL: what follows the path.
///
/// # Errors
/// `UnknownParameter`, or `ParameterValue` for bad values and repeated parameters.
pub fn parse_mail_parameters(text: &str) -> Result<MailParameters> {
    let mut parameters = MailParameters::default();
    let mut has_body = false;
    for word in words(text)? {
        let (keyword, value) = split(word);
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) => set(&mut parameters.size_octets, parse_size(value)?)?,
            ("BODY", Some(value)) => {
                once(!has_body)?;
                has_body = true;
                parameters.body = parse_body(value)?;
            }
            ("SMTPUTF8", None) => {
                once(!parameters.smtp_utf8)?;
                parameters.smtp_utf8 = true;
            }
            ("RET", Some(value)) => set(&mut parameters.ret, parse_return(value)?)?,
            // RFC 3461 §4.4: at most 100 characters
            ("ENVID", Some(value)) if value.len() <= 100 => {
                set(&mut parameters.envelope_id, parse_xtext(value)?)?;
            }
            ("REQUIRETLS", None) => {
                once(!parameters.requires_tls)?;
                parameters.requires_tls = true;
            }
            ("HOLDFOR", Some(value)) => set(&mut parameters.hold, parse_hold_for(value)?)?,
            ("HOLDUNTIL", Some(value)) => set(&mut parameters.hold, parse_hold_until(value)?)?,
            // RFC 4954 §5: at most 500 characters
            ("AUTH", Some(value)) if value.len() <= 500 => {
                set(&mut parameters.auth, parse_xtext(value)?)?;
            }
            (known, _) if MAIL_KEYWORDS.contains(&known) => {
                return Err(SyntaxErrorKind::ParameterValue);
            }
            _ => return Err(SyntaxErrorKind::UnknownParameter),
        }
    }
    Ok(parameters)
}

/// Reads the parameters of RCPT: what follows the path.
///
/// # Errors
/// As for MAIL.
pub fn parse_rcpt_parameters(text: &str) -> Result<RecipientDsn> {
    let mut parameters = RecipientDsn::default();
    for word in words(text)? {
        let (keyword, value) = split(word);
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("NOTIFY", Some(value)) => set(&mut parameters.notify, parse_notify(value)?)?,
            // RFC 3461 §4.2: at most 500 characters
            ("ORCPT", Some(value)) if value.len() <= 500 => {
                let (kind, address) =
                    value.split_once(';').ok_or(SyntaxErrorKind::ParameterValue)?;
                set(&mut parameters.original, (kind.to_owned(), parse_xtext(address)?))?;
            }
            ("NOTIFY" | "ORCPT", _) => return Err(SyntaxErrorKind::ParameterValue),
            _ => return Err(SyntaxErrorKind::UnknownParameter),
        }
    }
    Ok(parameters)
}

/// Parameters are set off from the path, and from each other, by spaces.
fn words(text: &str) -> Result<impl Iterator<Item = &str>> {
    if !text.is_empty() && !text.starts_with(' ') {
        return Err(SyntaxErrorKind::Arguments);
    }
    Ok(text.split(' ').filter(|word| !word.is_empty()))
}

fn split(word: &str) -> (&str, Option<&str>) {
    word.split_once('=').map_or((word, None), |(keyword, value)| (keyword, Some(value)))
}

fn once(is_first: bool) -> Result<()> {
    if is_first { Ok(()) } else { Err(SyntaxErrorKind::ParameterValue) }
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<()> {
    once(slot.is_none())?;
    *slot = Some(value);
    Ok(())
}

/// `size-value ::= 1*20DIGIT` (RFC 1870 §4)
fn parse_size(value: &str) -> Result<u64> {
    if value.is_empty() || value.len() > 20 || !value.bytes().all(|c| c.is_ascii_digit()) {
        return Err(SyntaxErrorKind::ParameterValue);
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn parse_body(value: &str) -> Result<Body> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(Body::SevenBit),
        "8BITMIME" => Ok(Body::EightBit),
        "BINARYMIME" => Ok(Body::Binary),
        _ => Err(SyntaxErrorKind::ParameterValue),
    }
}

/// `future-release-integer = 1*9DIGIT`, seconds (RFC 4865 §4)
fn parse_hold_for(value: &str) -> Result<Hold> {
    let is_number = (1..=9).contains(&value.len()) && value.bytes().all(|c| c.is_ascii_digit());
    let seconds = value.parse().ok().filter(|_| is_number);
    seconds.map(Hold::For).ok_or(SyntaxErrorKind::ParameterValue)
}

/// A date-time of RFC 3339 (RFC 4865 §4).
fn parse_hold_until(value: &str) -> Result<Hold> {
    let at: Timestamp = value.parse().map_err(|_| SyntaxErrorKind::ParameterValue)?;
    Ok(Hold::Until(at.as_millisecond()))
}

fn parse_return(value: &str) -> Result<Return> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Ok(Return::Full),
        "HDRS" => Ok(Return::Headers),
        _ => Err(SyntaxErrorKind::ParameterValue),
    }
}

fn parse_notify(value: &str) -> Result<Notify> {
    let mut notify = Notify::default();
    if value.eq_ignore_ascii_case("NEVER") {
        return Ok(notify);
    }
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return Err(SyntaxErrorKind::ParameterValue),
        }
    }
    Ok(notify)
}

/// `xtext = *( xchar / hexchar )`, `hexchar = "+" 2HEXDIG` (RFC 3461 §4), decoded.
pub(super) fn parse_xtext(value: &str) -> Result<String> {
    let bad = SyntaxErrorKind::ParameterValue;
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    loop {
        rest = match rest {
            [] => break,
            [b'+', high, low, after @ ..] => {
                let digit = |octet: u8| char::from(octet).to_digit(16).ok_or(bad);
                octets.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).map_err(|_| bad)?);
                after
            }
            [b'+' | b'=', ..] => return Err(bad),
            [octet, after @ ..] if !octet.is_ascii_control() => {
                octets.push(*octet);
                after
            }
            _ => return Err(bad),
        };
    }
    String::from_utf8(octets).map_err(|_| bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_parameters() {
        let parameters =
            parse_mail_parameters(" SIZE=1000 body=8bitmime SMTPUTF8 RET=HDRS ENVID=a+2Bb")
                .unwrap();
        assert_eq!(parameters.size_octets, Some(1000));
        assert_eq!(parameters.body, Body::EightBit);
        assert!(parameters.smtp_utf8);
        assert_eq!(parameters.ret, Some(Return::Headers));
        assert_eq!(parameters.envelope_id.as_deref(), Some("a+b"));
        let unknown = SyntaxErrorKind::UnknownParameter;
        assert_eq!(parse_mail_parameters(" FUTURE=1"), Err(unknown));
        assert_eq!(parse_mail_parameters("SIZE=1"), Err(SyntaxErrorKind::Arguments));
        let bad = ["SIZE=x", "SIZE=", "SIZE", "SIZE=1 SIZE=2", "BODY=9BIT", "SMTPUTF8=1", "RET=A"];
        for text in bad {
            let parsed = parse_mail_parameters(&format!(" {text}"));
            assert_eq!(parsed, Err(SyntaxErrorKind::ParameterValue), "{text}");
        }
        let most = parse_mail_parameters(" SIZE=99999999999999999999").unwrap();
        assert_eq!(most.size_octets, Some(u64::MAX));
    }

    #[test]
    fn later_and_safely() {
        let read = |text: &str| parse_mail_parameters(&format!(" {text}"));
        let parameters = read("REQUIRETLS HOLDFOR=3600 AUTH=<>").unwrap();
        assert!(parameters.requires_tls && parameters.hold == Some(Hold::For(3600)));
        assert_eq!(parameters.auth.as_deref(), Some("<>"));
        let until = read("HOLDUNTIL=2021-02-23T05:06:07Z").unwrap().hold;
        assert_eq!(until, Some(Hold::Until(1_614_056_767_000)));
        let bad = [
            "REQUIRETLS=1",
            "HOLDFOR=",
            "HOLDFOR=1000000000",
            "HOLDFOR=-1",
            "HOLDFOR=+1",
            "HOLDUNTIL=tomorrow",
            "HOLDFOR=1 HOLDUNTIL=2021-02-23T05:06:07Z",
            "AUTH",
        ];
        for text in bad {
            assert_eq!(read(text), Err(SyntaxErrorKind::ParameterValue), "{text}");
        }
    }

    #[test]
    fn rcpt_parameters() {
        let parameters =
            parse_rcpt_parameters(" NOTIFY=SUCCESS,delay ORCPT=rfc822;a+40b.example").unwrap();
        assert_eq!(parameters.notify, Some(Notify { success: true, failure: false, delay: true }));
        let original = Some(("rfc822".to_owned(), "a@b.example".to_owned()));
        assert_eq!(parameters.original, original);
        assert_eq!(parse_rcpt_parameters(" NOTIFY=NEVER").unwrap().notify, Some(Notify::default()));
        for text in
            ["NOTIFY=NEVER,SUCCESS", "NOTIFY=", "ORCPT=a", "ORCPT=rfc822;a+4", "ORCPT=x;a=b"]
        {
            let parsed = parse_rcpt_parameters(&format!(" {text}"));
            assert_eq!(parsed, Err(SyntaxErrorKind::ParameterValue), "{text}");
        }
    }
}
