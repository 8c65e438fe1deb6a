//! XCLIENT: a trusted client tells whose mail it brings (Postfix's XCLIENT_README).

use super::reply_line::bad_sequence;
use super::session::Session;
use crate::codec::smtp::command::Attribute;
use crate::codec::smtp::path::is_domain;
use crate::codec::smtp::reply::Reply;
use crate::net::network::any_contains;
use std::net::IpAddr;

impl Session {
    /// Whether the client may speak for others. What it has told does not end that: the same
    /// connection brings the mail of many.
    pub(super) fn is_trusted(&self) -> bool {
        any_contains(&self.context.settings.xclient_from, self.origin)
    }

    /// Takes what the client tells; the session begins anew, with its greeting.
    pub(super) async fn xclient(&mut self, told: Vec<(Attribute, Option<String>)>) -> Reply {
        if !self.is_trusted() {
            return Reply::new(550, (5, 7, 0), "you may not speak for others");
        }
        if self.transaction.is_some() {
            return bad_sequence("a transaction has begun already");
        }
        let mut peer = self.stream.peer();
        for (attribute, value) in told {
            match (attribute, value) {
                (Attribute::Addr, Some(value)) => match address(&value) {
                    Some(address) => peer.set_ip(address),
                    None => return Reply::new(501, (5, 5, 4), "ADDR is not an address"),
                },
                (Attribute::Port, Some(value)) => match value.parse() {
                    Ok(port) => peer.set_port(port),
                    Err(_) => return Reply::new(501, (5, 5, 4), "PORT is not a port"),
                },
                (Attribute::Helo, value) => self.told_helo = value.filter(|name| is_domain(name)),
                // names are looked up anew, and the protocol is that of this connection
                _ => {}
            }
        }
        self.stream.set_peer(peer);
        (self.helo, self.user) = (None, None);
        let refusal = self.screen_connection().await;
        self.is_sent_away |= refusal.is_some();
        refusal.unwrap_or_else(|| self.greeting())
    }
}

/// `IPV6:` stands in front of an IPv6 address.
fn address(text: &str) -> Option<IpAddr> {
    match text.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("IPV6:") => rest.parse().ok(),
        _ => text.parse().ok(),
    }
}
