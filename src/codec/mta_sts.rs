//! What a domain says about TLS of its mail servers: the TXT record and the policy of MTA-STS
//! (RFC 8461 §3).

/// Seconds a policy is kept at most (RFC 8461 §3.2).
const MAX_AGE_S_MAX: u64 = 31_557_600;
/// Patterns read of one policy.
const PATTERNS_MAX: usize = 100;

/// How a policy is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Servers that do not follow it get no mail.
    Enforce,
    /// Failures are only reported.
    Testing,
    /// There is no policy any more.
    None,
}

impl Mode {
    /// The word in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Enforce, Self::Testing, Self::None].into_iter().find(|mode| mode.name() == word)
    }
}

/// A policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StsPolicy {
    /// How it is meant.
    pub mode: Mode,
    /// Names of servers; `*.` stands for one label.
    pub patterns: Vec<String>,
    /// How long it may be kept.
    pub max_age_s: u64,
}

impl StsPolicy {
    /// Whether it names a host (RFC 8461 §4.1: `*.` stands for one label).
    pub fn has_host(&self, host: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, host))
    }

    /// Its lines (RFC 8460 §4.4 wants them in reports).
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec!["version: STSv1".to_owned(), format!("mode: {}", self.mode.name())];
        lines.extend(self.patterns.iter().map(|pattern| format!("mx: {pattern}")));
        lines.push(format!("max_age: {}", self.max_age_s));
        lines
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// The id in a TXT record; `None`: the record is not about MTA-STS.
///
/// `sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]`
pub fn parse_record(record: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(record).ok()?;
    let mut fields = text.split(';').map(str::trim);
    if fields.next()? != "v=STSv1" {
        return None;
    }
    let id = fields.find_map(|field| field.strip_prefix("id="))?.trim();
    let is_good = (1..=32).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric());
    is_good.then(|| id.to_owned())
}

/// Reads a policy; `None`: it cannot be followed.
pub fn parse_policy(text: &str) -> Option<StsPolicy> {
    let (mut version, mut mode, mut max_age_s, mut patterns) = (None, None, None, Vec::new());
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key.trim() {
            // RFC 8461 §3.2: of repeated fields but `mx`, the first counts
            "version" => version = version.or(Some(value)),
            "mode" => mode = mode.or(Some(value)),
            "max_age" => max_age_s = max_age_s.or_else(|| value.parse::<u64>().ok()),
            "mx" if patterns.len() < PATTERNS_MAX => patterns.push(value.to_ascii_lowercase()),
            _ => {}
        }
    }
    let mode = Mode::named(mode?)?;
    let is_good = version? == "STSv1" && (mode == Mode::None || !patterns.is_empty());
    let max_age_s = max_age_s?.min(MAX_AGE_S_MAX);
    is_good.then_some(StsPolicy { mode, patterns, max_age_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 8461 §3.1 and §3.2
        let record = parse_record(b"v=STSv1; id=20160831085700Z;");
        assert_eq!(record.as_deref(), Some("20160831085700Z"));
        let text = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n\
            mx: backupmx.example.com\nmax_age: 604800\n";
        let policy = parse_policy(&text.replace('\n', "\r\n")).unwrap();
        assert_eq!((policy.mode, policy.max_age_s), (Mode::Enforce, 604_800));
        assert_eq!(policy.patterns, ["mail.example.com", "*.example.net", "backupmx.example.com"]);
        assert_eq!(parse_policy(text), Some(policy));
    }

    #[test]
    fn patterns_stand_for_one_label() {
        let patterns = vec!["mx.b.example".to_owned(), "*.c.example".to_owned()];
        let policy = StsPolicy { mode: Mode::Enforce, patterns, max_age_s: 1 };
        assert!(policy.has_host("MX.b.example") && policy.has_host("x.c.example"));
        for host in ["b.example", "x.b.example", "c.example", "y.x.c.example", ".c.example"] {
            assert!(!policy.has_host(host), "{host}");
        }
        assert_eq!(parse_policy(&policy.lines().join("\r\n")), Some(policy));
    }

    #[test]
    fn others_are_not() {
        for bad in ["", "v=spf1 -all", "v=STSv1;", "v=STSv1; id=a b", "id=1; v=STSv1"] {
            assert_eq!(parse_record(bad.as_bytes()), None, "{bad}");
        }
        let none = "version: STSv1\nmode: none\nmax_age: 99999999999\n";
        assert_eq!(parse_policy(none).unwrap().max_age_s, MAX_AGE_S_MAX);
        for bad in [
            "",
            "version: STSv1\nmode: enforce\nmax_age: 1\n",
            "version: STSv2\nmode: none\nmax_age: 1\n",
            "version: STSv1\nmode: odd\nmx: a\nmax_age: 1\n",
            "version: STSv1\nmode: none\n",
        ] {
            assert_eq!(parse_policy(bad), None, "{bad}");
        }
    }
}
