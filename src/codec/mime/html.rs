//! HTML to text, bounded in size, nesting and time.
//!
//! The renderer builds a document tree; only HTML that closes what it opens and is shallow is given
//! to it. All else has its tags cut out, in one pass.

use mail_parser::decoders::html::html_to_text as strip_tags;

/// Octets of HTML that are looked at.
const HTML_OCTETS_MAX: usize = 1024 * 1024;
/// Octets of HTML that are rendered.
const RENDERED_OCTETS_MAX: usize = 128 * 1024;
/// Nesting of elements that are rendered; renderer and parser recurse or search by depth.
const RENDERED_DEPTH_MAX: usize = 64;
/// Columns of rendered text.
const COLUMNS: usize = 78;

/// Elements without an end tag.
const VOID: [&str; 15] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "basefont",
];
/// Elements whose end tag may be left out.
const IMPLIED: [&str; 10] = ["p", "li", "td", "th", "tr", "tbody", "thead", "dt", "dd", "option"];

/// Text of HTML, for previews and search.
pub(super) fn to_text(html: &str) -> String {
    let html = cut(html, HTML_OCTETS_MAX);
    if is_tame(html) {
        let rendered = html2text::config::plain_no_decorate()
            .allow_width_overflow()
            .string_from_read(html.as_bytes(), COLUMNS);
        if let Ok(text) = rendered {
            return text;
        }
    }
    strip_tags(html)
}

/// Text of HTML in one line, cheap: for previews.
pub(super) fn to_plain(html: &str) -> String {
    strip_tags(html)
}

/// At most so many octets, at a character border.
pub(super) fn cut(text: &str, octets: usize) -> &str {
    let mut end = octets.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Whether the elements are nested properly and not deeply, and tables are of sane size.
fn is_tame(html: &str) -> bool {
    if html.len() > RENDERED_OCTETS_MAX || has_wild_span(html) {
        return false;
    }
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let (is_end, name_on) = match after.strip_prefix('/') {
            Some(name_on) => (true, name_on),
            None => (false, after),
        };
        let name: String = name_on
            .chars()
            .take(20)
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase();
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            continue;
        }
        if is_end {
            if !close(&mut open, &name) {
                return false;
            }
        } else if matches!(
            name.as_str(),
            "script" | "style" | "template" | "svg" | "math" | "frameset"
        ) {
            // Raw text and foreign content have rules of their own; styles are common, so skip them.
            match after.split_once("</").filter(|_| name == "style") {
                Some((_, end)) => rest = end,
                None => return false,
            }
        } else if !VOID.contains(&name.as_str()) {
            open.push(name);
            if open.len() > RENDERED_DEPTH_MAX {
                return false;
            }
        }
    }
    true
}

/// Closes the innermost element of that name; false if others are in between.
fn close(open: &mut Vec<String>, name: &str) -> bool {
    while let Some(last) = open.last() {
        if last == name {
            open.pop();
            return true;
        }
        if !IMPLIED.contains(&last.as_str()) {
            return false;
        }
        open.pop();
    }
    false
}

/// `colspan` and `rowspan` other than small plain numbers make tables without bounds.
fn has_wild_span(html: &str) -> bool {
    let lower = html.to_ascii_lowercase();
    let mut rest = lower.as_str();
    while let Some(at) = rest.find("span") {
        let (before, after) = rest.split_at(at);
        rest = after.get(4..).unwrap_or_default();
        if !(before.ends_with("col") || before.ends_with("row")) {
            continue;
        }
        let number = rest.strip_prefix('=').unwrap_or("x");
        let number = number.strip_prefix(['"', '\'']).unwrap_or(number);
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        let is_plain = number.bytes().nth(digits).is_none_or(|next| b"\"' >/".contains(&next));
        if !(1..=2).contains(&digits) || !is_plain {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_text() {
        let html = "<html><head><style>p {}</style></head><body><p>Hello &amp; <b>w&ouml;rld</b>\
            <p>two<br>three</body></html>";
        let text = to_text(html);
        assert!(text.contains("Hello & wörld") && text.contains("three"), "{text}");
        assert!(!text.contains("{}"));
        assert!(is_tame(html));
        assert_eq!(to_plain("<p>a <i>b</i></p>").trim(), "a b");
    }

    #[test]
    fn hostile_html_is_stripped() {
        for html in [
            "<div>".repeat(100_000),
            "<div></x>".repeat(50_000),
            "<b><div></b>".repeat(50_000),
            "<table>".repeat(50_000),
            "<".repeat(500_000),
            "<!--".repeat(100_000),
            "<a b=\"".repeat(50_000),
            "&#x110000;&#0;&bogus;&".repeat(1000),
            "<table><tr><td colspan=18446744073709551615>a<td colspan=9223372036854775807>".into(),
            "<td colspan='&#57;99999999'>".into(),
            "ä<".repeat(300_000),
            "<style>".into(),
            String::new(),
        ] {
            let _ = to_text(&html);
        }
        assert!(to_text(&format!("{}deep", "<div>".repeat(100_000))).contains("deep"));
    }
}
