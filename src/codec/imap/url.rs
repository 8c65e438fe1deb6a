//! IMAP URLs (RFC 5092) with the parts of URLAUTH (RFC 4467 §2), as CATENATE and URLFETCH take
//! them.

use super::date_time::Day;
use super::fetch::read_section_spec;
use super::lexer::Lexer;
use crate::codec::mime::section::{Section, SectionText};
use crate::model::message::TimeMs;
use bytes::Bytes;

/// Octets of a URL.
pub const URL_OCTETS_MAX: usize = 8 * 1024;

/// A URL that names a message or a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    /// The user of `imap://user@host/`; not in a relative URL.
    pub user: Option<String>,
    /// Whether it begins with `imap://`: only such a URL can be authorised.
    pub is_absolute: bool,
    /// The mailbox in Unicode; `None`: the selected one.
    pub mailbox: Option<String>,
    /// `;UIDVALIDITY=`
    pub uid_validity: Option<u32>,
    /// `;UID=`
    pub uid: u32,
    /// `;SECTION=`; without it the whole message.
    pub section: Section,
    /// `;PARTIAL=`: offset and count (RFC 5092 §6.2.2, RFC 5550 §3.2).
    pub partial: Option<(u64, Option<u64>)>,
    /// `;EXPIRE=`
    pub expires: Option<TimeMs>,
    /// `;URLAUTH=`
    pub access: Option<Access>,
    /// The mechanism and token behind `;URLAUTH=access`.
    pub token: Option<Token>,
}

/// Who may use an authorised URL (RFC 4467 §3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Access {
    /// `submit+user`: a submission server on behalf of the user.
    Submit(String),
    /// `user+user`: that user.
    User(String),
    /// `authuser`: anybody who has logged in.
    AuthUser,
    /// `anonymous`: anybody.
    Anonymous,
}

/// What proves the authorisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// Uppercase; `INTERNAL` is the only one defined.
    pub mechanism: String,
    /// Lowercase hex digits.
    pub value: String,
    /// Octets of the URL before `:mechanism:token`, which the token signs ("rump").
    pub rump_octets: usize,
}

impl Url {
    /// Reads a URL: `imap://[user[;AUTH=…]@]host[:port]/mailbox…`, `/mailbox…`, or
    /// `[/];UID=…` in the selected mailbox. `None` if it is not one, or names no message.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > URL_OCTETS_MAX || !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return None;
        }
        let mut user = None;
        let mut rest = text;
        let is_absolute = strip(text, "imap://").is_some();
        if let Some(server) = strip(text, "imap://") {
            let (authority, path) = server.split_at(server.find('/')?);
            user = user_of(authority)?;
            rest = path;
        }
        // Only the mailbox may hold no `;`: it is percent-encoded there (RFC 5092 §11 bchar)
        let (mailbox, parameters) = rest.split_at(rest.find(';')?);
        let mailbox = mailbox.trim_end_matches('/');
        let mailbox = match mailbox.strip_prefix('/').unwrap_or(mailbox) {
            "" if is_absolute => return None,
            "" => None,
            // another scheme, not a name
            name if name.contains("://") => return None,
            name => Some(decoded(name)?),
        };
        let url = Self {
            user,
            is_absolute,
            mailbox,
            uid_validity: None,
            uid: 0,
            section: Section { path: Vec::new(), text: SectionText::All },
            partial: None,
            expires: None,
            access: None,
            token: None,
        };
        url.with_parameters(parameters, text.len() - parameters.len())
    }

    /// `*( "/" ";" parameter / ";" parameter )`; `offset`: where the text begins in the URL.
    fn with_parameters(mut self, text: &str, offset: usize) -> Option<Self> {
        let mut at = offset;
        for piece in text.split(';') {
            let end = at + piece.len();
            at = end + 1;
            let parameter = piece.trim_end_matches('/');
            if piece.is_empty() && end == offset {
                continue;
            }
            let (name, value) = parameter.split_once('=')?;
            // each once, in the order of RFC 5092 §11
            match name.to_ascii_uppercase().as_str() {
                "UIDVALIDITY" if self.uid == 0 => self.uid_validity = Some(number(value)?),
                "UID" if self.uid == 0 => self.uid = number(value)?,
                _ if self.uid == 0 => return None,
                "SECTION" if self.access.is_none() => self.section = section_of(value)?,
                "PARTIAL" if self.access.is_none() => self.partial = Some(partial_of(value)?),
                "EXPIRE" if self.access.is_none() => self.expires = Some(date_time_of(value)?),
                "URLAUTH" if self.access.is_none() && piece == parameter => {
                    self.read_urlauth(value, end - value.len())?;
                }
                _ => return None,
            }
        }
        (self.uid > 0).then_some(self)
    }

    /// `access [":" mechanism ":" token]`
    fn read_urlauth(&mut self, value: &str, offset: usize) -> Option<()> {
        let mut fields = value.splitn(3, ':');
        let access = fields.next()?;
        self.access = Some(Access::parse(access)?);
        if let Some(mechanism) = fields.next() {
            self.token = Some(Token {
                mechanism: mechanism.to_ascii_uppercase(),
                value: fields.next()?.to_ascii_lowercase(),
                rump_octets: offset + access.len(),
            });
        }
        Some(())
    }
}

impl Access {
    /// `access = ("submit+" enc-user) / ("user+" enc-user) / "authuser" / "anonymous"`
    fn parse(text: &str) -> Option<Self> {
        // RFC 5092 §11 enc-user: a slash would have to be encoded
        let user = |name: &str| decoded(name).filter(|_| !name.is_empty() && !name.contains('/'));
        if let Some(name) = strip(text, "submit+") {
            return user(name).map(Self::Submit);
        }
        if let Some(name) = strip(text, "user+") {
            return user(name).map(Self::User);
        }
        let plain = [("authuser", Self::AuthUser), ("anonymous", Self::Anonymous)];
        plain.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|found| found.1)
    }
}

/// The text behind a prefix in any case.
fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix) { text.get(prefix.len()..) } else { None }
}

/// The user of `[enc-user [";AUTH=" …] "@"] host [":" port]`.
fn user_of(authority: &str) -> Option<Option<String>> {
    let Some((login, host)) = authority.rsplit_once('@') else {
        return (!authority.is_empty()).then_some(None);
    };
    let user = login.split_once(';').map_or(login, |(user, _)| user);
    if host.is_empty() {
        None
    } else {
        decoded(user).map(|user| Some(user).filter(|u| !u.is_empty()))
    }
}

/// Percent-decoded UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        octets.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(octets).ok()
}

/// `nz-number`
fn number(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number > 0)
}

/// `enc-section`: what stands between the brackets of `BODY[…]`, percent-encoded.
fn section_of(text: &str) -> Option<Section> {
    let octets = Bytes::from(decoded(text)?);
    let mut lexer = Lexer::new(&octets, true);
    let section = read_section_spec(&mut lexer).ok()?;
    lexer.rest().is_empty().then_some(section)
}

/// `partial-range = number64 ["." nz-number64]`
fn partial_of(text: &str) -> Option<(u64, Option<u64>)> {
    let digits = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        if is_number { text.parse::<u64>().ok() } else { None }
    };
    match text.split_once('.') {
        Some((offset, count)) => {
            let count = digits(count).filter(|count| *count > 0)?;
            Some((digits(offset)?, Some(count)))
        }
        None => Some((digits(text)?, None)),
    }
}

/// `date-time` of RFC 3339 §5.6: `2030-01-02T03:04:05[.6](Z/+01:00)`.
fn date_time_of(text: &str) -> Option<TimeMs> {
    let text = decoded(text)?;
    let field = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        let is_number = digits.bytes().all(|octet| octet.is_ascii_digit());
        if is_number { digits.parse::<u32>().ok() } else { None }
    };
    let marks = [(4, '-'), (7, '-'), (10, 't'), (13, ':'), (16, ':')];
    let has = |(at, mark): (usize, char)| {
        text.as_bytes().get(at).is_some_and(|octet| octet.to_ascii_lowercase() == mark as u8)
    };
    if !marks.into_iter().all(has) {
        return None;
    }
    let year = i32::try_from(field(0..4)?).ok()?;
    let day = Day::from_date(year, field(5..7)?, field(8..10)?)?;
    let (hour, minute, second) = (field(11..13)?, field(14..16)?, field(17..19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut zone = text.get(19..)?;
    if let Some(fraction) = zone.strip_prefix('.') {
        zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let offset_minutes = match zone.get(..1)? {
        "z" | "Z" if zone.len() == 1 => 0,
        sign @ ("+" | "-") if zone.len() == 6 => {
            let at = text.len() - 5;
            let minutes = field(at..at + 2)? * 60 + field(at + 3..at + 5)?;
            if sign == "+" { i64::from(minutes) } else { -i64::from(minutes) }
        }
        _ => return None,
    };
    let minutes = i64::from(hour * 60 + minute) - offset_minutes;
    Some(day.start() + (minutes * 60 + i64::from(second)) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn urls_of_the_rfcs() {
        // RFC 4469 §4
        let url = parse("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.5.9");
        assert_eq!(url.mailbox.as_deref(), Some("Drafts"));
        assert_eq!((url.uid_validity, url.uid), (Some(385_759_045), 20));
        assert_eq!(url.section.path, [1, 5, 9]);
        assert!(!url.is_absolute);
        // RFC 4467 §9
        let text = "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:\
            internal:91354a473744909de610943775f92038";
        let url = parse(text);
        assert_eq!((url.user.as_deref(), url.uid), (Some("joe"), 20));
        assert_eq!(url.access, Some(Access::Submit("fred".into())));
        let token = url.token.unwrap();
        assert_eq!(token.mechanism, "INTERNAL");
        assert_eq!(token.value, "91354a473744909de610943775f92038");
        assert!(text[..token.rump_octets].ends_with(";urlauth=submit+fred"));
        let url = parse(
            "imap://joe@example.com/INBOX/;uid=20;expire=2030-05-28T00:00:00-00:30;urlauth=anonymous",
        );
        assert_eq!(url.expires, Some(1_906_158_600_000));
        assert_eq!((url.access, url.token), (Some(Access::Anonymous), None));
    }

    #[test]
    fn parts_are_decoded() {
        let url = parse(
            "imap://a%40b;AUTH=*@host:143/A%20%C3%A9%3B%2F;UID=1/;SECTION=HEADER.FIELDS%20(To%20X)/;PARTIAL=3.1024",
        );
        assert_eq!(url.user.as_deref(), Some("a@b"));
        assert_eq!(url.mailbox.as_deref(), Some("A é;/"));
        assert_eq!(url.section.text, SectionText::HeaderFields(vec!["To".into(), "X".into()]));
        assert_eq!(url.partial, Some((3, Some(1024))));
        let url = parse(";UID=7/;SECTION=TEXT/;PARTIAL=5");
        assert_eq!((url.mailbox, url.uid, url.partial), (None, 7, Some((5, None))));
        assert_eq!(parse("/;UID=7").mailbox, None);
        assert_eq!(parse("/a/b/;UID=7").mailbox.as_deref(), Some("a/b"));
    }

    #[test]
    fn others_are_none() {
        for text in [
            "",
            "x",
            "/INBOX",
            "imap://host",
            "imap://host/",
            "imap://host/;UID=1",
            "imap:///INBOX;UID=1",
            "/INBOX;UID=0",
            "/INBOX;UID=4294967296",
            "/INBOX;UID=x",
            "/INBOX;UID=1;UID=2",
            "/INBOX;SECTION=1;UID=1",
            "/INBOX;UID=1/;SECTION=0",
            "/INBOX;UID=1/;SECTION=1]",
            "/INBOX;UID=1/;PARTIAL=1.0",
            "/INBOX;UID=1/;PARTIAL=.1",
            "/INBOX;UID=1/;FOO=1",
            "/%ff;UID=1",
            "/%4;UID=1",
            "/a b;UID=1",
            "/INBOX;UID=1;EXPIRE=2030-13-01T00:00:00Z",
            "/INBOX;UID=1;EXPIRE=2030-01-01",
            "/INBOX;UID=1;URLAUTH=root",
            "/INBOX;UID=1;URLAUTH=user+",
            "/INBOX;UID=1;URLAUTH=user+a/:internal:ab",
            "/INBOX;UID=1;URLAUTH=authuser:internal",
            "/INBOX;UID=1;URLAUTH=authuser/",
            "/INBOX;UID=1;URLAUTH=anonymous;SECTION=1",
            "http://host/INBOX;UID=1",
        ] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }
}
