//! A subject without what replies, forwards and mailing lists put around it.
//!
//! For grouping messages into threads. Looser than RFC 5256 §2.1: also localised reply marks,
//! and without regard to case and white space.

/// Marks of a reply or a forward, lowercase, without the colon.
const MARKS: &[&str] =
    &["re", "fw", "fwd", "aw", "wg", "sv", "vs", "vl", "antw", "tr", "rif", "res", "enc", "odp"];
/// Octets between brackets that are the name of a list.
const TAG_OCTETS_MAX: usize = 64;

/// The subject that all messages of a conversation share.
pub fn of(subject: &str) -> String {
    let normal: Vec<&str> = subject.split_whitespace().collect();
    let normal = normal.join(" ").to_lowercase();
    let mut rest = normal.as_str();
    loop {
        let before = rest.len();
        rest = rest.trim_start();
        rest = without_mark(rest).unwrap_or(rest);
        rest = without_tag(rest).unwrap_or(rest);
        rest = rest.trim_end();
        rest = rest.strip_suffix("(fwd)").unwrap_or(rest);
        if let Some(inner) = rest.strip_prefix("[fwd:").and_then(|rest| rest.strip_suffix(']')) {
            rest = inner;
        }
        if rest.len() == before {
            return rest.to_owned();
        }
    }
}

/// `re:`, `re[2]:`, `re (2) :`
fn without_mark(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_alphabetic())?;
    let (mark, rest) = text.split_at_checked(end)?;
    if !MARKS.contains(&mark) {
        return None;
    }
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix([':', '：']) {
        return Some(rest);
    }
    let rest = rest.strip_prefix(['[', '('])?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix([']', ')'])?.trim_start().strip_prefix(':')
}

/// `[list] `, unless nothing follows.
fn without_tag(text: &str) -> Option<&str> {
    let (tag, rest) = text.strip_prefix('[')?.split_once(']')?;
    let is_tag = tag.len() <= TAG_OCTETS_MAX && !tag.contains('[') && !tag.starts_with("fwd:");
    (is_tag && !rest.trim().is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn marks_and_tags_are_taken_off() {
        for subject in [
            "Lunch  today",
            "Re: lunch today",
            "RE[2]: Lunch today",
            "[team] Re: AW: Lunch today (fwd)",
            "Fwd: [Fwd: Lunch today]",
            "re (3) : Lunch today",
        ] {
            assert_eq!(of(subject), "lunch today", "{subject}");
        }
        assert_eq!(of("[ticket 5]"), "[ticket 5]");
        assert_eq!(of("Review: x"), "review: x");
        assert_eq!(of("Re:"), "");
        assert_eq!(of(""), "");
        assert_eq!(of(&"re: ".repeat(1000)), "");
    }
}
