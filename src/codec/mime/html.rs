//! HTML to text, bounded in size, nesting and time.
//!
//! The renderer builds a document tree and lays it out; it overflows on some tables and numbered
//! lists. So only HTML of plain elements that closes what it opens and is shallow is given to it.
//! All else has its tags cut out, in one pass.

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
const VOID: [&str; 5] = ["br", "hr", "img", "link", "meta"];
/// Elements whose end tag may be left out.
const IMPLIED: [&str; 2] = ["p", "li"];
/// All other elements that are rendered.
const PLAIN: [&str; 26] = [
    "html",
    "head",
    "title",
    "body",
    "div",
    "span",
    "center",
    "blockquote",
    "ul",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "a",
    "b",
    "i",
    "u",
    "em",
    "strong",
    "small",
    "font",
    "code",
    "tt",
    "address",
];

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

/// Whether all elements are plain ones, nested properly and not deeply.
fn is_tame(html: &str) -> bool {
    if html.len() > RENDERED_OCTETS_MAX {
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
        if VOID.contains(&name.as_str()) {
            continue;
        }
        if name == "style" && !is_end {
            // Raw text: nothing in it is an element but its own end.
            let Some((_, end)) = after.split_once("</style>") else { return false };
            rest = end;
            continue;
        }
        let is_known = PLAIN.contains(&name.as_str()) || IMPLIED.contains(&name.as_str());
        if !is_known || (is_end && !close(&mut open, &name)) {
            return false;
        }
        if !is_end {
            open.push(name);
        }
        if open.len() > RENDERED_DEPTH_MAX {
            return false;
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
            "<ol start=9223372036854775807><li>a<li>b</ol>".into(),
            "<ul><li>a</ul>".repeat(9000),
            format!("{}a{}", "<ul>".repeat(64), "</ul>".repeat(64)),
            format!("{}a{}", "<blockquote>".repeat(64), "</blockquote>".repeat(64)),
            "ä<".repeat(300_000),
            "<style>".into(),
            String::new(),
        ] {
            let _ = to_text(&html);
        }
        assert!(to_text(&format!("{}deep", "<div>".repeat(100_000))).contains("deep"));
    }
}
