//! Dates and times of IMAP (RFC 9051 §9 `date`, `date-time`), in UTC and without a time zone data
//! base.

use super::error::ErrorKind;
use super::lexer::Parse;
use crate::model::message::TimeMs;

/// A day: days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day(pub i32);

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Day {
    /// The day of an instant, in UTC.
    pub fn of(time: TimeMs) -> Self {
        let days = time.div_euclid(DAY_MS);
        Self(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }))
    }

    /// The day's first millisecond in UTC.
    pub fn start(self) -> TimeMs {
        i64::from(self.0) * DAY_MS
    }

    /// The day of a date of the Gregorian calendar; `None` if there is none.
    pub fn from_date(year: i32, month: u32, day: u32) -> Option<Self> {
        let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if day == 0 || day > days || !(0..=9999).contains(&year) {
            return None;
        }
        // Counted from 1 March, so that the leap day is the last of its year; 400 years have
        // 146,097 days.
        let (month, day) = (i32::try_from(month).ok()?, i32::try_from(day).ok()?);
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * month + 2) / 5 + day - 1;
        Some(Self(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468))
    }

    /// Year, month (1..=12) and day of the month.
    pub fn to_date(self) -> (i64, i64, i64) {
        let days = i64::from(self.0) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let year = year_of_era + era * 400 + i64::from(month >= 10);
        (year, if month < 10 { month + 3 } else { month - 9 }, day)
    }
}

/// `date-time` without its quotes, in UTC: `17-Jul-1996 02:44:25 +0000`.
pub fn format(time: TimeMs) -> String {
    let (year, month, day) = Day::of(time).to_date();
    let seconds = time.rem_euclid(DAY_MS) / 1000;
    let name = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).unwrap_or(&"Jan");
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // date-year is 4DIGIT
    let year = year.clamp(0, 9999);
    format!("{day:02}-{name}-{year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

fn digits(text: &str, count: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let is_number = count.contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// `date-text = date-day "-" date-month "-" date-year`
fn day_of(text: &str) -> Option<Day> {
    let mut fields = text.splitn(3, '-');
    let day = digits(fields.next()?, 1..=2)?;
    let month = fields.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let year = digits(fields.next()?, 4..=4)?;
    Day::from_date(i32::try_from(year).ok()?, u32::try_from(month).ok()? + 1, day)
}

/// `date-text`, as in `1-Feb-1994`.
///
/// # Errors
/// `Date` if it is not one, or there is no such day.
pub fn parse_date(text: &str) -> Parse<Day> {
    day_of(text).ok_or(ErrorKind::Date)
}

/// What stands between the quotes of
/// `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE`.
///
/// # Errors
/// `Date` if it is not one, or there is no such instant.
pub fn parse_date_time(text: &str) -> Parse<TimeMs> {
    date_time_of(text).ok_or(ErrorKind::Date)
}

fn date_time_of(text: &str) -> Option<TimeMs> {
    // date-day-fixed is a space and a digit, or two digits; some clients send one digit
    let mut fields = text.strip_prefix(' ').unwrap_or(text).split(' ');
    let day = day_of(fields.next()?)?;
    let mut time = fields.next()?.split(':');
    let hour = digits(time.next()?, 2..=2).filter(|hour| *hour < 24)?;
    let minute = digits(time.next()?, 2..=2).filter(|minute| *minute < 60)?;
    // a leap second is the last of its minute
    let second = digits(time.next()?, 2..=2).filter(|second| *second <= 60)?.min(59);
    let zone = fields.next()?;
    if time.next().is_some() || fields.next().is_some() {
        return None;
    }
    let (sign, zone) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(zone), _) => (1, zone),
        (_, Some(zone)) => (-1, zone),
        _ => return None,
    };
    let zone = digits(zone, 4..=4).filter(|zone| zone % 100 < 60)?;
    let offset = i64::from(zone / 100 * 60 + zone % 100) * sign;
    let local = i64::from(hour * 3600 + minute * 60 + second);
    Some(day.start() + (local - offset * 60) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        // RFC 9051 §8: the INTERNALDATE of the example connection
        let time = parse_date_time("17-Jul-1996 02:44:25 -0700").unwrap();
        assert_eq!(time, 837_596_665_000);
        assert_eq!(format(time), "17-Jul-1996 09:44:25 +0000");
        assert_eq!(parse_date_time(" 1-jan-1970 00:00:01 +0000"), Ok(1000));
        assert_eq!(parse_date("1-Feb-1994").map(Day::start), Ok(760_060_800_000));
        assert_eq!(parse_date("29-Feb-2000").map(Day::to_date), Ok((2000, 2, 29)));
        assert_eq!(format(-1), "31-Dec-1969 23:59:59 +0000");
        for bad in ["29-Feb-1900", "31-Apr-2020", "0-Jan-2020", "1-Foo-2020", "1-Jan-20", "", "-"] {
            assert_eq!(parse_date(bad), Err(ErrorKind::Date), "{bad}");
        }
        for bad in ["1-Jan-2020", "1-Jan-2020 24:00:00 +0000", "1-Jan-2020 00:00:00 0000"] {
            assert_eq!(parse_date_time(bad), Err(ErrorKind::Date), "{bad}");
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in -719_528..2_932_896 {
            let (year, month, date) = Day(day).to_date();
            let back = Day::from_date(
                i32::try_from(year).unwrap(),
                u32::try_from(month).unwrap(),
                u32::try_from(date).unwrap(),
            );
            assert_eq!(back, Some(Day(day)));
        }
    }
}
