//! Messages as an mbox file (RFC 4155), with `From ` quoted as mboxrd does: reversible.

use jiff::Timestamp;

/// One message of the file: its separator line, further header fields, its octets with LF as line
/// end, an empty line.
pub fn entry(sender: &str, date_ms: i64, fields: &[(&str, &str)], octets: &[u8]) -> Vec<u8> {
    let date = Timestamp::from_millisecond(date_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let sender: String = sender.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let sender = if sender.is_empty() { "MAILER-DAEMON" } else { &sender };
    // RFC 4155 Appendix A: asctime in UTC
    let mut out = format!("From {sender} {}\n", date.strftime("%a %b %e %H:%M:%S %Y")).into_bytes();
    for (name, value) in fields {
        let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        out.extend_from_slice(format!("{name}: {value}\n").as_bytes());
    }
    out.reserve(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let quotes = line.iter().take_while(|octet| **octet == b'>').count();
        if line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From ")) {
            out.push(b'>');
        }
        match line.strip_suffix(b"\r\n") {
            Some(text) => {
                out.extend_from_slice(text);
                out.push(b'\n');
            }
            None => out.extend_from_slice(line),
        }
    }
    if !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn from_lines_are_quoted_and_line_ends_are_lf() {
        let octets = b"Subject: x\r\n\r\nFrom here\r\n>From there\r\nFromage\r\nlast";
        let out = super::entry("a b@x", 1_614_056_767_891, &[("X-A", "1\r\n2")], octets);
        let expected = "From ab@x Tue Feb 23 05:06:07 2021\nX-A: 1  2\nSubject: x\n\n\
            >From here\n>>From there\nFromage\nlast\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(super::entry("", 0, &[], b"").starts_with(b"From MAILER-DAEMON Thu Jan  1 "));
    }
}
