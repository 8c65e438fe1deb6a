//! Times as operators write them: an instant, or so long ago.

use std::str::FromStr;

/// A time on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// Milliseconds since 1970.
    At(i64),
    /// So many milliseconds before now.
    Ago(i64),
}

impl FromStr for When {
    type Err = String;

    /// `2026-01-31T12:00:00Z`, `30m`, `12h`, `7d`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(instant.as_millisecond()));
        }
        let wrong =
            || format!("{text:?} is neither a time (2026-01-31T12:00:00Z) nor 30m, 12h, 7d");
        let units = [('s', 1000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000_i64)];
        let unit = units.iter().find(|(letter, _)| text.ends_with(*letter)).ok_or_else(wrong)?;
        let number = text.strip_suffix(unit.0).and_then(|number| number.parse::<u32>().ok());
        Ok(Self::Ago(i64::from(number.ok_or_else(wrong)?).saturating_mul(unit.1)))
    }
}

/// The instant, in milliseconds since 1970.
pub(super) const fn at_ms(when: When, now: i64) -> i64 {
    match when {
        When::At(ms) => ms,
        When::Ago(ms) => now.saturating_sub(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_ages_are_read() {
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(When::At(1000)));
        assert_eq!("30m".parse(), Ok(When::Ago(1_800_000)));
        assert_eq!(at_ms("2d".parse().unwrap(), 172_800_007), 7);
        for bad in ["", "d", "-1d", "yesterday", "1w"] {
            assert!(bad.parse::<When>().is_err(), "{bad}");
        }
    }
}
