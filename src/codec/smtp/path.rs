//! Reverse-paths and forward-paths (RFC 5321 §4.1.2, RFC 6531 §3.3).
//!
//! Local parts are taken a little more widely than the grammar: dots may stand anywhere, since
//! addresses like
//! `a..b@example.com` exist and their mail was accepted by somebody already.

use crate::model::address::EmailAddress;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Octets of a path with its brackets (RFC 5321 §4.5.3.1.3), doubled for Unicode.
const PATH_OCTETS_MAX: usize = 512;

/// What stands between the angle brackets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Path {
    /// `<>`
    Null,
    /// `<postmaster>` without a domain, in any case (RFC 5321 §4.1.1.3).
    Postmaster,
    /// `<local@domain>`
    Address(EmailAddress),
}

/// Reads a path at the start of the text. Returns it and what follows; `None`: not a path.
///
/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`
pub fn parse_path(text: &str) -> Option<(Path, &str)> {
    let inside = text.strip_prefix('<')?;
    if let Some(rest) = inside.strip_prefix('>') {
        return Some((Path::Null, rest));
    }
    // RFC 5321 §4.1.2: source routes "SHOULD be ignored"
    let mailbox = match inside.strip_prefix('@') {
        Some(route) => skip_source_route(route)?,
        None => inside,
    };
    let (local, rest) = parse_local_part(mailbox)?;
    if let Some(rest) = rest.strip_prefix('>') {
        return local.eq_ignore_ascii_case("postmaster").then_some((Path::Postmaster, rest));
    }
    let rest = rest.strip_prefix('@')?;
    let (domain, rest) = rest.split_once('>')?;
    if !is_domain(domain) || text.len() - rest.len() > PATH_OCTETS_MAX {
        return None;
    }
    let address = EmailAddress::new(&format!("{local}@{domain}")).ok()?;
    Some((Path::Address(address), rest))
}

/// `A-d-l = At-domain *( "," At-domain )`, after its first `@`; what follows the colon.
fn skip_source_route(route: &str) -> Option<&str> {
    let (domains, mailbox) = route.split_once(':')?;
    let mut domains = domains.split(',');
    let first = is_domain(domains.next()?);
    let all = domains.all(|domain| domain.strip_prefix('@').is_some_and(is_domain));
    (first && all).then_some(mailbox)
}

/// `Local-part = Dot-string / Quoted-string`; a quoted one that needs no quotes loses them.
fn parse_local_part(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, rest) = parse_quoted(quoted)?;
        if !value.is_empty() && value.chars().all(is_dot_atom_char) {
            return Some((value, rest));
        }
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        return Some((format!("\"{escaped}\""), rest));
    }
    let end = text.find(|c| !is_dot_atom_char(c)).unwrap_or(text.len());
    let (local, rest) = text.split_at_checked(end)?;
    (!local.is_empty()).then(|| (local.to_owned(), rest))
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`, after its first quote.
fn parse_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => match characters.next()? {
                c if c.is_control() => return None,
                c => value.push(c),
            },
            c if c.is_control() => return None,
            c => value.push(c),
        }
    }
}

/// `atext` (RFC 5322 §3.2.3, RFC 6532 §3.2) or a dot.
fn is_dot_atom_char(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~.".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

/// `Domain / address-literal` (RFC 5321 §4.1.2, §4.1.3); underscores occur in real names.
pub fn is_domain(text: &str) -> bool {
    if let Some(literal) = text.strip_prefix('[') {
        return literal.strip_suffix(']').is_some_and(is_literal);
    }
    text.len() <= 255
        && text.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && label.chars().all(|c| {
                    c.is_ascii_alphanumeric()
                        || matches!(c, '-' | '_')
                        || (!c.is_ascii() && c.is_alphanumeric())
                })
        })
}

fn is_literal(text: &str) -> bool {
    match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            text.get(5..).is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
        }
        _ => text.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<String> {
        match parse_path(text)? {
            (Path::Address(address), "") => Some(address.to_string()),
            _ => None,
        }
    }

    #[test]
    fn good_paths() {
        let cases = [
            ("<a@b.example>", "a@b.example"),
            ("<A.b+c@B.Example>", "A.b+c@b.example"),
            ("<a..b@example.com>", "a..b@example.com"),
            ("<@x.example,@y.example:a@b.example>", "a@b.example"),
            ("<\"plain\"@b.example>", "plain@b.example"),
            ("<\"with space\"@b.example>", "\"with space\"@b.example"),
            ("<\"a@b\"@b.example>", "\"a@b\"@b.example"),
            ("<\"q\\\"\\x\"@b.example>", "\"q\\\"x\"@b.example"),
            ("<a@[127.0.0.1]>", "a@[127.0.0.1]"),
            ("<a@[IPv6:::1]>", "a@[ipv6:::1]"),
            ("<用户@例え.jp>", "用户@例え.jp"),
        ];
        for (text, expected) in cases {
            assert_eq!(address(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(parse_path("<> SIZE=1"), Some((Path::Null, " SIZE=1")));
        assert_eq!(parse_path("<PostMaster>"), Some((Path::Postmaster, "")));
    }

    #[test]
    fn bad_paths() {
        let long = format!("<{}@b.example>", "a".repeat(65));
        let cases = [
            "",
            "a@b.example",
            "<a@b.example",
            "<a>",
            "<@b.example>",
            "<a@>",
            "<a b@c.example>",
            "<a@b..c>",
            "<a@-b>",
            "<a@b,c>",
            "<a@[1.2.3]>",
            "<a@[::1]>",
            "<\"a@b.example>",
            "<\"a\\",
            "<@x:>",
            "<a@b@c>",
            "<a@b\u{0}>",
            "<\"\u{7}\"@b>",
            &long,
        ];
        for text in cases {
            assert_eq!(parse_path(text), None, "{text:?}");
        }
    }
}
