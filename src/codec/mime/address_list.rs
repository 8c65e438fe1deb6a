//! Address lists of header fields (RFC 5322 §3.4 and §4.4), read with forgiveness.
//!
//! Words stay as written: RFC 2047 words are not decoded here.

use super::header::is_space;

/// One element of a list as ENVELOPE shows it (RFC 9051 §7.5.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// An address.
    Address(Address),
    /// A group begins.
    GroupStart(Vec<u8>),
    /// The group ends.
    GroupEnd,
}

/// One address; an absent mailbox or host is empty.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Address {
    /// Display name, unquoted; empty if none.
    pub name: Vec<u8>,
    /// Source route; empty if none.
    pub route: Vec<u8>,
    /// Local part, unquoted.
    pub mailbox: Vec<u8>,
    /// Domain.
    pub host: Vec<u8>,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Word,
    Quoted,
    Special(u8),
}

struct Piece {
    kind: Kind,
    octets: Vec<u8>,
    space_before: bool,
}

/// Reads a list; linear in its length.
pub fn parse(raw: &[u8]) -> Vec<Item> {
    let mut parser = Parser { rest: raw, items: Vec::new(), in_group: false };
    parser.run();
    parser.items
}

struct Parser<'a> {
    rest: &'a [u8],
    items: Vec<Item>,
    in_group: bool,
}

#[derive(Default)]
struct Pending {
    pieces: Vec<Piece>,
    comment: Vec<u8>,
    angle: Option<Vec<Piece>>,
}

impl Parser<'_> {
    fn run(&mut self) {
        let mut pending = Pending::default();
        let mut space = false;
        while let Some((first, after)) = self.rest.split_first() {
            match *first {
                b',' | b';' => {
                    self.rest = after;
                    self.finish(std::mem::take(&mut pending));
                    if *first == b';' && self.in_group {
                        self.in_group = false;
                        self.items.push(Item::GroupEnd);
                    }
                }
                b':' if self.starts_group(&pending) => {
                    self.rest = after;
                    self.in_group = true;
                    self.items.push(Item::GroupStart(phrase(&pending.pieces)));
                    pending = Pending::default();
                }
                b'<' => {
                    self.rest = after;
                    pending.angle = Some(self.angle());
                }
                _ => self.token(&mut space, &mut pending.pieces, &mut pending.comment),
            }
        }
        self.finish(pending);
        if self.in_group {
            self.items.push(Item::GroupEnd);
        }
    }

    fn starts_group(&self, pending: &Pending) -> bool {
        !self.in_group
            && pending.angle.is_none()
            && !pending.pieces.is_empty()
            && !pending.pieces.iter().any(|piece| piece.kind == Kind::Special(b'@'))
    }

    /// Takes white space, a comment, a quoted string or one word.
    fn token(&mut self, space: &mut bool, pieces: &mut Vec<Piece>, comment: &mut Vec<u8>) {
        let Some((first, after)) = self.rest.split_first() else { return };
        let (kind, octets) = match *first {
            octet if is_space(octet) => {
                self.rest = after;
                *space = true;
                return;
            }
            b'(' => {
                self.rest = after;
                *comment = self.enclosed(b')');
                *space = true;
                return;
            }
            b'"' => {
                self.rest = after;
                (Kind::Quoted, self.enclosed(b'"'))
            }
            b'[' => {
                self.rest = after;
                let mut literal = vec![b'['];
                literal.extend(self.enclosed(b']'));
                literal.push(b']');
                (Kind::Word, literal)
            }
            octet @ (b'@' | b'.' | b':' | b'<' | b'>' | b',' | b';') => {
                self.rest = after;
                (Kind::Special(octet), vec![octet])
            }
            _ => {
                let end = self
                    .rest
                    .iter()
                    .position(|octet| is_space(*octet) || b"(\"[@.:<>,;".contains(octet))
                    .unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
                self.rest = rest;
                (Kind::Word, word.to_vec())
            }
        };
        pieces.push(Piece { kind, octets, space_before: std::mem::take(space) });
    }

    /// The inside of a quoted string, comment or literal up to its end, escapes removed, unfolded.
    fn enclosed(&mut self, end: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let mut depth = 0usize;
        while let Some((first, after)) = self.rest.split_first() {
            self.rest = after;
            match *first {
                b'\\' => {
                    if let Some((escaped, after)) = after.split_first() {
                        out.push(*escaped);
                        self.rest = after;
                    }
                    continue;
                }
                b'(' if end == b')' => depth += 1,
                octet if octet == end && depth > 0 => depth -= 1,
                octet if octet == end => return out,
                b'\r' | b'\n' => continue,
                _ => {}
            }
            out.push(*first);
        }
        out
    }

    /// The pieces of `<...>`; ends early at a comma if it cannot be a route.
    fn angle(&mut self) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut space = false;
        while let Some((first, after)) = self.rest.split_first() {
            let is_route =
                matches!(pieces.first(), Some(piece) if piece.kind == Kind::Special(b'@'));
            match *first {
                b'>' => {
                    self.rest = after;
                    break;
                }
                b',' if !is_route => break,
                b'<' => break,
                _ => self.token(&mut space, &mut pieces, &mut Vec::new()),
            }
        }
        pieces
    }

    fn finish(&mut self, pending: Pending) {
        let Pending { mut pieces, comment, angle } = pending;
        let mut address = match angle {
            Some(inside) => {
                let mut address = angle_address(inside);
                address.name = phrase(&pieces);
                address
            }
            None if pieces.is_empty() => return,
            None => {
                let spec = take_spec(&mut pieces);
                let mut address = Address::default();
                set_spec(&mut address, &spec);
                address.name = phrase(&pieces);
                address
            }
        };
        // RFC 5322 §3.4: older programs put the name into a comment.
        if address.name.is_empty() {
            address.name = super::header::unfold(&comment);
        }
        self.items.push(Item::Address(address));
    }
}

/// Words joined by single spaces where there was white space.
fn phrase(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        if piece.space_before && !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(&piece.octets);
    }
    super::header::unfold(&out)
}

/// Cuts `local@domain` out of pieces without angle brackets; the rest is a name.
fn take_spec(pieces: &mut Vec<Piece>) -> Vec<Piece> {
    let Some(at) = pieces.iter().rposition(|piece| piece.kind == Kind::Special(b'@')) else {
        return std::mem::take(pieces);
    };
    let is_dot =
        |index: usize| pieces.get(index).is_some_and(|piece| piece.kind == Kind::Special(b'.'));
    let space_before = |index: usize| pieces.get(index).is_some_and(|piece| piece.space_before);
    let mut start = at.saturating_sub(1);
    while start > 0 && (!space_before(start) || is_dot(start) || is_dot(start - 1)) {
        start -= 1;
    }
    let mut end = (at + 2).min(pieces.len());
    while end < pieces.len() && (!space_before(end) || is_dot(end) || is_dot(end - 1)) {
        end += 1;
    }
    pieces.drain(start..end).collect()
}

fn set_spec(address: &mut Address, pieces: &[Piece]) {
    let join = |pieces: &[Piece]| -> Vec<u8> {
        pieces.iter().flat_map(|piece| piece.octets.iter().copied()).collect()
    };
    match pieces.iter().rposition(|piece| piece.kind == Kind::Special(b'@')) {
        Some(at) => {
            address.mailbox = join(pieces.get(..at).unwrap_or_default());
            address.host = join(pieces.get(at + 1..).unwrap_or_default());
        }
        None => address.mailbox = phrase(pieces),
    }
}

fn angle_address(pieces: Vec<Piece>) -> Address {
    let mut address = Address::default();
    let is_route = matches!(pieces.first(), Some(piece) if piece.kind == Kind::Special(b'@'));
    let colon = pieces.iter().position(|piece| piece.kind == Kind::Special(b':'));
    match colon.filter(|_| is_route) {
        // RFC 5322 §4.4: obs-route.
        Some(colon) => {
            let route = pieces.get(..colon).unwrap_or_default();
            address.route = route.iter().flat_map(|piece| piece.octets.iter().copied()).collect();
            set_spec(&mut address, pieces.get(colon + 1..).unwrap_or_default());
        }
        None => set_spec(&mut address, &pieces),
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(raw: &str) -> Vec<String> {
        parse(raw.as_bytes())
            .into_iter()
            .map(|item| match item {
                Item::GroupStart(name) => format!("{}:", String::from_utf8_lossy(&name)),
                Item::GroupEnd => ";".to_owned(),
                Item::Address(a) => [a.name, a.route, a.mailbox, a.host]
                    .map(|part| String::from_utf8_lossy(&part).into_owned())
                    .join("|"),
            })
            .collect()
    }

    #[test]
    fn addresses_of_rfc5322_examples() {
        // RFC 5322 appendix A.1 and A.6
        assert_eq!(
            show("\"Joe Q. Public\" <john.q.public@example.com>"),
            ["Joe Q. Public||john.q.public|example.com"]
        );
        assert_eq!(
            show("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"),
            ["Mary Smith||mary|x.test", "||jdoe|example.org", "Who?||one|y.test"]
        );
        assert_eq!(
            show("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>"),
            ["||boss|nil.test", "Giant; \"Big\" Box||sysservices|example.net"]
        );
        assert_eq!(
            show("A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;"),
            [
                "A Group:",
                "Ed Jones||joe|where.test",
                "||joe|where.test",
                "John||jdoe|one.test",
                ";"
            ]
        );
        assert_eq!(show("Undisclosed recipients:;"), ["Undisclosed recipients:", ";"]);
        assert_eq!(
            show("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
            ["Pete||pete|silly.test"]
        );
        assert_eq!(
            show("Joe Q. Public <john . q . public@example.com>"),
            ["Joe Q. Public||john.q.public|example.com"]
        );
        assert_eq!(
            show("Mary <@node.test,@b.test:mary@example.net>, , jdoe@test  . example"),
            ["Mary|@node.test,@b.test|mary|example.net", "||jdoe|test.example"]
        );
    }

    #[test]
    fn broken_addresses_are_read() {
        assert_eq!(show(""), Vec::<String>::new());
        assert_eq!(show("<>"), ["|||"]);
        assert_eq!(show("root"), ["||root|"]);
        assert_eq!(show("a@b.c (Ann (x) B)"), ["Ann (x) B||a|b.c"]);
        assert_eq!(show("Ann a@b.c"), ["Ann||a|b.c"]);
        assert_eq!(show("x <a@b, c@d"), ["x||a|b", "||c|d"]);
        assert_eq!(show("\"a b\"@[1.2.3.4]"), ["||a b|[1.2.3.4]"]);
        assert_eq!(show("g:a@b"), ["g:", "||a|b", ";"]);
        assert_eq!(show("=?utf-8?q?J=C3=B6rg?= <j@x>"), ["=?utf-8?q?J=C3=B6rg?=||j|x"]);
        assert_eq!(show("\"open <a@b>"), ["||open <a@b>|"]);
    }
}
