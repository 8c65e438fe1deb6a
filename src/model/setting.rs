//! Settings that operators change while the store runs (`reference/behaviours.md` §16).
//!
//! Their values are data of the whole cluster; who owns a limit asks for the value where it
//! applies it.

use SettingKind::{Boolean, Duration, Number, Size, Text};

/// One setting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "described in the table below")]
pub enum Setting {
    ArchiveTime,
    AspLimit,
    AuthLogTime,
    AutoreplyInterval,
    DomainCache,
    WorkerChannels,
    BulkBatchSize,
    MaxFilters,
    MaxForwards,
    ImapDownload,
    ImapUpload,
    MaxMailboxes,
    Pop3Download,
    MaxRcptTo,
    MaxRecipients,
    MaxStorage,
    DeferTimes,
}

/// What kind of value a setting has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettingKind {
    /// Milliseconds.
    Duration,
    /// Octets.
    Size,
    /// A count.
    Number,
    /// Text.
    Text,
    /// Yes or no.
    Boolean,
}

/// A setting's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingValue {
    /// A number, also of milliseconds or octets.
    Number(i64),
    /// Text.
    Text(String),
    /// Yes or no.
    Boolean(bool),
}

impl SettingKind {
    /// Its name in the HTTP API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Number => "number",
            Self::Text => "string",
            Self::Boolean => "boolean",
        }
    }
}

/// A row of the table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Which.
    pub setting: Setting,
    /// Its key in the HTTP API and in documents.
    pub key: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What it does.
    pub text: &'static str,
    /// What kind of value it has.
    pub kind: SettingKind,
    /// The value nobody has set: a number, or for text the constant of that setting.
    default: i64,
}

const DAY_MS: i64 = 24 * 3_600_000;
const GIB: i64 = 1 << 30;
/// Pauses between attempts to send.
const DEFER_TIMES: &str = "5m, 7m, 8m, 25m, 75m, 2h, 4h, 4h, 4h, 4h, 4h, 4h, 4h, 4h, 4h, 4h, 4h";

const fn row(
    setting: Setting,
    key: &'static str,
    name: &'static str,
    text: &'static str,
    kind: SettingKind,
    default: i64,
) -> Description {
    Description { setting, key, name, text, kind, default }
}

/// All settings in order of their keys.
pub const SETTINGS: &[Description] = &[
    row(
        Setting::ArchiveTime,
        "const:archive:time",
        "Archive retention time",
        "Time until deleted messages are removed for good",
        Duration,
        25 * DAY_MS,
    ),
    row(
        Setting::AspLimit,
        "const:asp:limit",
        "Application passwords",
        "Application passwords of one user",
        Number,
        50,
    ),
    row(
        Setting::AuthLogTime,
        "const:authlog:time",
        "Auth log retention time",
        "Time until logged authentication events are removed; 0 logs nothing",
        Duration,
        30 * DAY_MS,
    ),
    row(
        Setting::AutoreplyInterval,
        "const:autoreply:interval",
        "Autoreply interval",
        "Time between two autoreplies to one sender",
        Duration,
        4 * 3_600_000,
    ),
    row(
        Setting::DomainCache,
        "const:domaincache:enabled",
        "Domain cache",
        "Kept for compatibility; recipients are always looked up",
        Boolean,
        0,
    ),
    row(
        Setting::WorkerChannels,
        "const:imap:use_wd_worker_channels",
        "Worker channels",
        "Kept for compatibility; nodes wake each other by the change stream",
        Boolean,
        0,
    ),
    row(
        Setting::BulkBatchSize,
        "const:max:bulk_batch_size",
        "Batch size",
        "Operations written to the database at once",
        Number,
        150,
    ),
    row(Setting::MaxFilters, "const:max:filters", "Filters", "Filters of one user", Number, 400),
    row(
        Setting::MaxForwards,
        "const:max:forwards",
        "Forwards",
        "Messages one user or address forwards in 24 hours",
        Number,
        2000,
    ),
    row(
        Setting::ImapDownload,
        "const:max:imap:download",
        "IMAP download",
        "Octets one user downloads over IMAP in 24 hours",
        Size,
        10 * GIB,
    ),
    row(
        Setting::ImapUpload,
        "const:max:imap:upload",
        "IMAP upload",
        "Octets one user uploads over IMAP in 24 hours",
        Size,
        10 * GIB,
    ),
    row(
        Setting::MaxMailboxes,
        "const:max:mailboxes",
        "Mailboxes",
        "Mailboxes of one user",
        Number,
        1500,
    ),
    row(
        Setting::Pop3Download,
        "const:max:pop3:download",
        "POP3 download",
        "Octets one user downloads over POP3 in 24 hours",
        Size,
        10 * GIB,
    ),
    row(
        Setting::MaxRcptTo,
        "const:max:rcpt_to",
        "Recipients of a message",
        "Recipients of one submitted message",
        Number,
        400,
    ),
    row(
        Setting::MaxRecipients,
        "const:max:recipients",
        "Recipients",
        "Recipients one user sends to in 24 hours",
        Number,
        2000,
    ),
    row(
        Setting::MaxStorage,
        "const:max:storage",
        "Storage",
        "Octets of a user without a quota of his own; 0 is no limit",
        Size,
        GIB,
    ),
    row(
        Setting::DeferTimes,
        "const:sender:defer_times",
        "Defer times",
        "Pauses between attempts to send: a comma list of durations",
        Text,
        0,
    ),
];

impl Setting {
    /// The setting of a key.
    pub fn of(key: &str) -> Option<&'static Description> {
        SETTINGS.iter().find(|row| row.key == key)
    }

    /// Its row of the table.
    pub fn description(self) -> Option<&'static Description> {
        SETTINGS.iter().find(|row| row.setting == self)
    }
}

impl Description {
    /// The value nobody has set.
    pub fn default_value(&self) -> SettingValue {
        match self.kind {
            Text => SettingValue::Text(DEFER_TIMES.to_owned()),
            Boolean => SettingValue::Boolean(self.default != 0),
            Duration | Size | Number => SettingValue::Number(self.default),
        }
    }

    /// Whether a value is of this setting's kind and within its bounds.
    pub fn accepts(&self, value: &SettingValue) -> bool {
        match (self.kind, value) {
            (Boolean, SettingValue::Boolean(_)) => true,
            (Duration | Size | Number, SettingValue::Number(number)) => *number >= 0,
            (Text, SettingValue::Text(text)) => durations_ms(text).is_some(),
            _ => false,
        }
    }
}

/// A comma list of durations (`5m`, `2h`, `30s`, `1d`, or milliseconds) in milliseconds; `None`
/// where it is not one.
pub fn durations_ms(text: &str) -> Option<Vec<i64>> {
    text.split(',').map(|item| duration_ms(item.trim())).collect()
}

fn duration_ms(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_acceptable_and_keys_are_sorted() {
        for row in SETTINGS {
            assert!(row.accepts(&row.default_value()), "{}", row.key);
            assert_eq!(row.setting.description().unwrap().key, row.key);
        }
        assert!(SETTINGS.is_sorted_by_key(|row| row.key));
    }

    #[test]
    fn durations_have_units() {
        let expected = [300_000, 7_200_000, 86_400_000, 250];
        assert_eq!(durations_ms("5m, 2H,1d , 250").unwrap(), expected);
        for bad in ["", "5x", "m", "1m,,2m", "99999999999999999999d"] {
            assert_eq!(durations_ms(bad), None, "{bad}");
        }
    }
}
