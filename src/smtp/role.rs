//! The three roles of a session and what each offers (RFC 5321, RFC 6409, RFC 2033).

use super::session::Session;
use crate::codec::smtp::command::Attribute;
use crate::codec::smtp::reply::Reply;
use crate::model::limits::RECIPIENTS_MAX;
use jiff::Timestamp;
use std::borrow::Cow;

/// Seconds a message may be held back for its sender (RFC 4865 §3): a month.
pub const HOLD_S_MAX: u32 = 30 * 24 * 60 * 60;

/// Who is at the other end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Anybody's server, with mail for our users (RFC 5321).
    Relay,
    /// A user, with mail for anybody (RFC 6409).
    Submission,
    /// A mail system of the operator, with mail for our users (RFC 2033).
    Lmtp,
}

impl Role {
    /// Its name in logs and metrics, and its section of the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relay => "smtp",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
        }
    }

    /// The protocol in the Received line (RFC 3848, RFC 6531 §4.3).
    pub(super) fn with_protocol(self, session: &Session, is_utf8: bool) -> &'static str {
        let (is_tls, is_known) = (session.stream.is_tls(), session.user.is_some());
        match (self, is_utf8, is_tls, is_known) {
            (Self::Lmtp, false, false, _) => "LMTP",
            (Self::Lmtp, false, true, _) => "LMTPS",
            (Self::Lmtp, true, false, _) => "UTF8LMTP",
            (Self::Lmtp, true, true, _) => "UTF8LMTPS",
            (_, false, false, false) if !session.is_extended => "SMTP",
            (_, false, false, false) => "ESMTP",
            (_, false, true, false) => "ESMTPS",
            (_, false, false, true) => "ESMTPA",
            (_, false, true, true) => "ESMTPSA",
            (_, true, false, false) => "UTF8SMTP",
            (_, true, true, false) => "UTF8SMTPS",
            (_, true, false, true) => "UTF8SMTPA",
            (_, true, true, true) => "UTF8SMTPSA",
        }
    }
}

impl Session {
    /// The first line.
    pub(super) fn greeting(&self) -> Reply {
        let hostname = &self.context.hostname;
        let protocol = if self.context.role == Role::Lmtp { "LMTP" } else { "ESMTP" };
        Reply::plain(220, format!("{hostname} {protocol} Eider ready"))
    }

    /// The reply to EHLO or LHLO (RFC 5321 §4.1.1.1, RFC 2033 §4.1).
    pub(super) fn capabilities(&self) -> Reply {
        let (context, role) = (&self.context, self.context.role);
        let mut lines: Vec<Cow<'static, str>> = vec![
            context.hostname.to_string().into(),
            "PIPELINING".into(),
            "ENHANCEDSTATUSCODES".into(),
            "8BITMIME".into(),
            "SMTPUTF8".into(),
            "CHUNKING".into(),
            format!("SIZE {}", context.settings.message_octets_max).into(),
        ];
        if self.offers_binary() {
            lines.push("BINARYMIME".into());
        }
        if self.offers_dsn() {
            lines.push("DSN".into());
            lines.push(format!("LIMITS RCPTMAX={RECIPIENTS_MAX}").into());
        }
        if self.offers_require_tls() {
            lines.push("REQUIRETLS".into());
        }
        if role == Role::Submission {
            let latest = context.clock.now_ms() / 1000 + i64::from(HOLD_S_MAX);
            let latest = Timestamp::from_second(latest).unwrap_or(Timestamp::UNIX_EPOCH);
            lines.push(format!("FUTURERELEASE {HOLD_S_MAX} {latest}").into());
            // RFC 4468 §3.2: which URLs are taken is said to who has logged in
            lines.push(if self.user.is_some() { "BURL imap" } else { "BURL" }.into());
            if let Some(mechanisms) = self.mechanisms() {
                lines.push(format!("AUTH {}", mechanisms.join(" ")).into());
            }
        }
        // RFC 3207 §4.2: not offered once TLS is in force
        if context.tls.is_some() && !self.stream.is_tls() {
            lines.push("STARTTLS".into());
        }
        if self.is_trusted() {
            let names = Attribute::EVERY.map(Attribute::name);
            lines.push(format!("XCLIENT {}", names.join(" ")).into());
        }
        Reply::multiline(250, lines)
    }

    /// RFC 3030 §3: not where mail may have to leave again: the next server may not take it.
    pub(super) fn offers_binary(&self) -> bool {
        self.context.role != Role::Submission
    }

    /// RFC 3461: a server in front of LMTP reports for us.
    pub(super) fn offers_dsn(&self) -> bool {
        self.context.role != Role::Lmtp
    }

    /// RFC 8689 §2: only once TLS is in force.
    pub(super) fn offers_require_tls(&self) -> bool {
        self.context.role != Role::Lmtp && self.stream.is_tls()
    }

    /// RFC 2033 §4.1: with LMTP, HELO and EHLO never succeed; LHLO does nowhere else.
    pub(super) fn wrong_greeting(&self) -> Reply {
        let text = match self.context.role {
            Role::Lmtp => "this is LMTP: use LHLO",
            Role::Relay | Role::Submission => "this is SMTP: use EHLO",
        };
        Reply::new(500, (5, 5, 1), text)
    }
}
