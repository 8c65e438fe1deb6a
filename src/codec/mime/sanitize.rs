//! HTML of strangers made fit for display in a page of ours.
//!
//! Scripts, forms, frames, event handlers and style sheets are dropped, `cid:` links (RFC 2392)
//! become
//! `attachment:ATT00001`. It does not know of parts or messages.

use super::text::html_to_text;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Open elements inside each other; deeper HTML is shown as its text, because tree builders walk
/// the stack of open
/// elements for each tag.
const HTML_DEPTH_MAX: usize = 1024;

const STYLE_PROPERTIES: &[&str] = &[
    "background-color",
    "border",
    "border-bottom",
    "border-collapse",
    "border-color",
    "border-left",
    "border-radius",
    "border-right",
    "border-spacing",
    "border-style",
    "border-top",
    "border-width",
    "clear",
    "color",
    "direction",
    "display",
    "float",
    "font",
    "font-family",
    "font-size",
    "font-style",
    "font-variant",
    "font-weight",
    "height",
    "letter-spacing",
    "line-height",
    "list-style-type",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "max-height",
    "max-width",
    "min-height",
    "min-width",
    "padding",
    "padding-bottom",
    "padding-left",
    "padding-right",
    "padding-top",
    "table-layout",
    "text-align",
    "text-decoration",
    "text-indent",
    "text-transform",
    "vertical-align",
    "white-space",
    "width",
    "word-break",
    "word-spacing",
    "word-wrap",
];
const SCHEMES: &[&str] = &[
    "http",
    "https",
    "mailto",
    "tel",
    "sip",
    "sms",
    "xmpp",
    "webcal",
    "cid",
    "attachment",
    "data",
];
const GENERIC_ATTRIBUTES: &[&str] =
    &["align", "bgcolor", "dir", "height", "lang", "style", "title", "valign", "width"];

/// Cleans HTML for display. `cids` maps a Content-ID without angle brackets to the attachment's id.
pub fn sanitize(html: &str, cids: &HashMap<String, String>) -> String {
    if is_too_deep(html) {
        return text_to_html(&html_to_text(html));
    }
    let cids = cids.clone();
    let mut builder = ammonia::Builder::default();
    builder
        .add_tags(["font", "big", "tfoot"])
        .add_clean_content_tags(["title", "textarea", "select", "object", "noscript"])
        .add_tag_attributes("font", ["color", "face", "size"])
        .add_tag_attributes("table", ["border", "cellpadding", "cellspacing"])
        .add_tag_attributes("a", ["name"])
        .generic_attributes(GENERIC_ATTRIBUTES.iter().copied().collect())
        .url_schemes(SCHEMES.iter().copied().collect())
        .url_relative(ammonia::UrlRelative::Deny)
        .filter_style_properties(STYLE_PROPERTIES.iter().copied().collect::<HashSet<_>>())
        .attribute_filter(move |element, attribute, value| {
            filter_attribute(&cids, element, attribute, value)
        });
    builder.clean(html).to_string()
}

fn filter_attribute<'v>(
    cids: &HashMap<String, String>,
    element: &str,
    attribute: &str,
    value: &'v str,
) -> Option<Cow<'v, str>> {
    let trimmed = value.trim();
    let scheme = trimmed.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match attribute {
        "href" | "src" | "cite" => match scheme.as_str() {
            "cid" => {
                let cid = trimmed.get(4..).unwrap_or_default();
                cids.get(cid).map(|id| Cow::Owned(format!("attachment:{id}")))
            }
            // only pictures, and none that can carry scripts
            "data" => {
                (element == "img" && is_picture_data(trimmed)).then_some(Cow::Borrowed(value))
            }
            _ => Some(Cow::Borrowed(value)),
        },
        "style" => {
            let lower = value.to_ascii_lowercase();
            (!lower.contains("url(") && !lower.contains("expression") && !lower.contains('\\'))
                .then_some(Cow::Borrowed(value))
        }
        _ => Some(Cow::Borrowed(value)),
    }
}

fn is_picture_data(url: &str) -> bool {
    let lower = url.get(..24.min(url.len())).unwrap_or_default().to_ascii_lowercase();
    ["png", "jpeg", "jpg", "gif", "webp"]
        .iter()
        .any(|kind| lower.starts_with(&format!("data:image/{kind};")))
}

/// A cheap upper estimate of how deep elements nest; elements whose end tag is usually omitted do
/// not count.
fn is_too_deep(html: &str) -> bool {
    const UNCOUNTED: &[&str] = &[
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source",
        "track", "wbr", "p", "li", "td", "th", "tr", "dd", "dt", "option", "tbody", "thead",
    ];
    let (mut depth, mut rest) = (0usize, html);
    while let Some(at) = rest.find('<') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let is_end = rest.starts_with('/');
        let name = rest.get(usize::from(is_end)..).unwrap_or_default();
        let name_octets = name.bytes().take(12).take_while(u8::is_ascii_alphanumeric).count();
        let name = name.get(..name_octets).unwrap_or_default().to_ascii_lowercase();
        if name.is_empty() || UNCOUNTED.contains(&name.as_str()) {
            continue;
        }
        depth = if is_end { depth.saturating_sub(1) } else { depth + 1 };
        if depth > HTML_DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Plain text as HTML: escaped, paragraphs at empty lines, line breaks kept.
pub fn text_to_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8 + 16);
    for paragraph in text.trim_end().split("\n\n") {
        html.push_str("<p>");
        for (index, line) in paragraph.trim_matches('\n').split('\n').enumerate() {
            if index > 0 {
                html.push_str("<br/>\n");
            }
            escape_into(&mut html, line);
        }
        html.push_str("</p>\n");
    }
    html.truncate(html.trim_end().len());
    html
}

fn escape_into(html: &mut String, line: &str) {
    for character in line.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\r' => {}
            _ => html.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(html: &str) -> String {
        let cids = HashMap::from([("logo@x".to_owned(), "ATT00001".to_owned())]);
        sanitize(html, &cids)
    }

    #[test]
    fn active_content_is_dropped() {
        for bad in [
            "<script>alert(1)</script>ok",
            "<img src=x onerror=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
            "<img src=\"data:image/svg+xml;base64,AAAA\">",
            "<iframe src=https://example.com></iframe>",
            "<form action=https://example.com><input name=password></form>",
            "<svg onload=alert(1)></svg>",
            "<style>@import url(//x)</style>",
            "<p style=\"background:url(https://t.example)\">x</p>",
            "<base href=https://example.com>",
            "<meta http-equiv=refresh content=0>",
        ] {
            let shown = clean(bad);
            for word in ["script", "onerror", "onload", "iframe", "form", "svg", "url(", "<base"] {
                assert!(!shown.contains(word), "{bad} gave {shown}");
            }
            assert!(!shown.contains("<meta") && !shown.contains("<input"), "{bad} gave {shown}");
        }
    }

    #[test]
    fn inline_pictures_become_attachment_links() {
        let shown = clean("<p style=\"color:red;position:fixed\"><img src=\"cid:logo@x\"></p>");
        assert!(shown.contains("src=\"attachment:ATT00001\""), "{shown}");
        assert!(shown.contains("color:red") && !shown.contains("position"), "{shown}");
        assert!(!clean("<img src=\"cid:unknown\">").contains("cid:"));
        assert!(clean("<img src=\"data:image/png;base64,AAAA\">").contains("data:image/png"));
    }

    #[test]
    fn deep_html_is_shown_as_text() {
        let shown = clean(&format!("{}a &lt; b", "<div>".repeat(100_000)));
        assert!(shown.contains("a &lt; b") && !shown.contains("<div>"), "{shown}");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            text_to_html("a <b>\nc\n\nd & e\n"),
            "<p>a &lt;b&gt;<br/>\nc</p>\n<p>d &amp; e</p>"
        );
    }
}
