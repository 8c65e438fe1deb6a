//! The base subject exactly as SORT and THREAD define it (RFC 5256 §2.1). `base_subject` is the
//! looser one by which the store makes threads of its own.

/// A subject without what replies and forwards add to it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct BaseSubject {
    /// The base; may be empty.
    pub text: String,
    /// Whether something told of a reply or a forward (RFC 5256 §3, REFERENCES step 5).
    pub is_reply: bool,
}

/// The base of a decoded subject.
pub fn base_subject(subject: &str) -> BaseSubject {
    // RFC 5256 §2.1 (1): white space runs become one space
    let collapsed = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = collapsed.as_str();
    let mut is_reply = false;
    loop {
        // (2): trailers
        loop {
            text = text.trim_end();
            let Some(shorter) = strip_end(text, "(fwd)") else { break };
            (text, is_reply) = (shorter, true);
        }
        // (3) to (5): leaders, then blobs. A leader begins with any blobs, so none can follow them
        text = text.trim_start();
        while let Some(rest) = strip_leader(text) {
            (text, is_reply) = (rest.trim_start(), true);
        }
        while let Some(rest) = strip_blob(text).filter(|rest| !rest.is_empty()) {
            text = rest;
        }
        // (6): "[Fwd: ...]" around the whole
        let inner = strip_start(text, "[fwd:").and_then(|inner| inner.strip_suffix(']'));
        let Some(inner) = inner else { break };
        (text, is_reply) = (inner, true);
    }
    BaseSubject { text: text.to_owned(), is_reply }
}

/// `subj-leader = (*subj-blob subj-refwd) / WSP`, without the white space.
fn strip_leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(shorter) = strip_blob(rest) {
        rest = shorter;
    }
    strip_refwd(rest)
}

/// `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`
fn strip_refwd(text: &str) -> Option<&str> {
    let rest = strip_start(text, "re")
        .or_else(|| strip_start(text, "fwd"))
        .or_else(|| strip_start(text, "fw"))?;
    let rest = rest.trim_start();
    strip_blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// `subj-blob = "[" *BLOBCHAR "]" *WSP`, where BLOBCHAR is neither bracket.
fn strip_blob(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix('[')?.split_once(['[', ']'])?;
    let bracket = text.get(..text.len() - rest.len())?;
    bracket.ends_with(']').then(|| rest.trim_start())
}

fn strip_start<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

fn strip_end<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    tail.eq_ignore_ascii_case(end).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        for (subject, base, is_reply) in [
            ("hello", "hello", false),
            ("  Re:  hello\t world ", "hello world", true),
            ("RE: re: Fwd: FW: x", "x", true),
            ("Re[2]: x", "x", true),
            ("Re [list] : x", "x", true),
            ("[list] Re: x", "x", true),
            ("[a][b] [c] x", "x", false),
            ("Re: [list] x", "x", true),
            ("[list]", "[list]", false),
            ("Re: [list]", "[list]", true),
            ("x (fwd) (FWD)", "x", true),
            ("[Fwd: Re: x]", "x", true),
            ("[fwd: [fwd: x (fwd)]]", "x", true),
            ("[a[b] x", "[a[b] x", false),
            ("Reply: x", "Reply: x", false),
            ("Re:", "", true),
            ("", "", false),
            ("ä: x", "ä: x", false),
            ("re", "re", false),
            ("(fwd)", "", true),
        ] {
            let expected = BaseSubject { text: base.to_owned(), is_reply };
            assert_eq!(base_subject(subject), expected, "{subject}");
        }
    }

    #[test]
    fn long_subjects_end() {
        let subject = format!("{}x{}", "Re: [a] ".repeat(10_000), " (fwd)".repeat(10_000));
        assert_eq!(base_subject(&subject).text, "x");
        base_subject(&"[".repeat(100_000));
        base_subject(&"[]".repeat(100_000));
    }
}
