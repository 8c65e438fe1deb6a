//! What one user or address may do in a fixed window of time (`reference/behaviours.md` §8).
//!
//! The windows are counted for all nodes in `storage::rate_limits`, under [`Window::key`]; a window
//! begins with the first count. Who acts asks first and counts afterwards, so that one large
//! transfer may overshoot.

use super::profile::UserNumber;
use super::setting::Setting;

/// One kind of counted thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// Recipients sent to.
    Recipients,
    /// Messages forwarded, by a user or an address.
    Forwards,
    /// Messages received from elsewhere.
    Received,
    /// Octets appended over IMAP.
    ImapUpload,
    /// Octets fetched over IMAP.
    ImapDownload,
    /// Octets retrieved over POP3.
    Pop3Download,
}

/// Messages a user receives in a minute, where nothing else is said.
const RECEIVED_MAX: u64 = 60;
const MINUTE_MS: i64 = 60_000;

impl Window {
    /// All of them.
    pub const EVERY: [Self; 6] = [
        Self::Recipients,
        Self::Forwards,
        Self::Received,
        Self::ImapUpload,
        Self::ImapDownload,
        Self::Pop3Download,
    ];

    /// The key its count has: of a user's or address's identifier.
    pub fn key(self, id: impl std::fmt::Display) -> String {
        let name = match self {
            Self::Recipients => "recipients",
            Self::Forwards => "forward",
            Self::Received => "received",
            Self::ImapUpload => "imap-upload",
            Self::ImapDownload => "imap-download",
            Self::Pop3Download => "pop3-download",
        };
        format!("{name}:{id}")
    }

    /// How long the window is.
    pub const fn length_ms(self) -> i64 {
        match self {
            Self::Received => MINUTE_MS,
            _ => 24 * 60 * MINUTE_MS,
        }
    }

    /// The user's own limit.
    pub const fn number(self) -> UserNumber {
        match self {
            Self::Recipients => UserNumber::Recipients,
            Self::Forwards => UserNumber::Forwards,
            Self::Received => UserNumber::ReceivedMax,
            Self::ImapUpload => UserNumber::ImapMaxUpload,
            Self::ImapDownload => UserNumber::ImapMaxDownload,
            Self::Pop3Download => UserNumber::Pop3MaxDownload,
        }
    }

    /// The limit of a user who has none of his own: a setting, or a number.
    pub const fn default_limit(self) -> Result<Setting, u64> {
        match self {
            Self::Recipients => Ok(Setting::MaxRecipients),
            Self::Forwards => Ok(Setting::MaxForwards),
            Self::Received => Err(RECEIVED_MAX),
            Self::ImapUpload => Ok(Setting::ImapUpload),
            Self::ImapDownload => Ok(Setting::ImapDownload),
            Self::Pop3Download => Ok(Setting::Pop3Download),
        }
    }
}

/// How much of a window is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowUse {
    /// How much is allowed.
    pub allowed: u64,
    /// How much is used.
    pub used: u64,
    /// Seconds until it begins anew; `None`: it has not begun.
    pub ttl_s: Option<u64>,
}

impl WindowUse {
    /// Whether nothing more is allowed now.
    pub const fn is_full(&self) -> bool {
        self.used >= self.allowed
    }
}
