//! What of a message is shown: its texts, its HTML, and its list of attachments.
//!
//! Works on the tree and on texts that the caller has read and decoded; it knows no store and no
//! JSON. Attachment ids
//! count the leaves that are not shown as text, in the order of the tree: `ATT00001`, `ATT00002` …
//! Types and
//! dispositions: RFC 2046 §5.1, RFC 2183 §2.10, RFC 2387.

use super::sanitize::{sanitize, text_to_html};
use super::text::html_to_text;
use crate::model::structure::Part;
use std::collections::HashMap;

/// Octets of text shown.
pub const TEXT_OCTETS_MAX: usize = 100 * 1024;
/// Octets of HTML shown, over all fragments.
pub const HTML_OCTETS_MAX: usize = 640 * 1024;
/// Text parts that are shown; further ones are left out.
pub const TEXT_PARTS_MAX: usize = 100;
/// Attachments that are listed.
pub const ATTACHMENTS_MAX: usize = 1000;

/// How a text part is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextKind {
    /// text/plain and what is shown like it.
    Plain,
    /// text/html
    Html,
}

/// A part that is shown as text.
#[derive(Clone, Copy, Debug)]
pub struct TextPart<'a> {
    /// The part.
    pub part: &'a Part,
    /// How it is written.
    pub kind: TextKind,
    /// Lies in a multipart/alternative: the other kind is there too.
    pub is_alternative: bool,
}

/// A part that is listed as attachment.
#[derive(Clone, Copy, Debug)]
pub struct Attachment<'a> {
    /// The part.
    pub part: &'a Part,
    /// 1 for `ATT00001`.
    pub number: usize,
    /// Lies in a multipart/related: part of the HTML's looks.
    pub is_related: bool,
}

impl Attachment<'_> {
    /// The id clients use.
    pub fn id(&self) -> String {
        format!("ATT{:05}", self.number)
    }

    /// `type/subtype`.
    pub fn content_type(&self) -> String {
        format!("{}/{}", self.part.media_type, self.part.media_subtype)
    }

    /// The part's file name, or one made from its number and type.
    pub fn filename(&self) -> String {
        match &self.part.filename {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("attachment-{}.{}", self.number, extension(self.part)),
        }
    }
}

fn extension(part: &Part) -> &str {
    match (part.media_type.as_str(), part.media_subtype.as_str()) {
        ("message", "rfc822" | "global") => "eml",
        ("text", "plain") => "txt",
        ("text", "calendar") => "ics",
        ("text", "vcard" | "x-vcard") => "vcf",
        ("image", "jpeg") => "jpg",
        ("image", "svg+xml") => "svg",
        ("application", "pgp-signature") => "asc",
        ("application", "pkcs7-signature") => "p7s",
        ("application", "pkcs7-mime") => "p7m",
        ("text" | "image", subtype)
        | ("application", subtype @ ("pdf" | "zip" | "json" | "xml")) => subtype,
        _ => "bin",
    }
}

/// The leaves of a message by what is done with them.
#[derive(Clone, Default, Debug)]
pub struct Layout<'a> {
    /// Shown as text, in order.
    pub texts: Vec<TextPart<'a>>,
    /// Listed, in order.
    pub attachments: Vec<Attachment<'a>>,
}

impl<'a> Layout<'a> {
    /// Sorts the leaves of a tree.
    pub fn of(root: &'a Part) -> Self {
        let mut layout = Self::default();
        layout.visit(root, false, false);
        layout
    }

    // the tree's depth is bounded by MIME_DEPTH_MAX
    fn visit(&mut self, part: &'a Part, is_alternative: bool, is_related: bool) {
        if part.is_multipart() {
            let is_alternative = is_alternative || part.media_subtype == "alternative";
            let is_related = is_related || part.media_subtype == "related";
            for child in &part.children {
                self.visit(child, is_alternative, is_related);
            }
            return;
        }
        match text_kind(part) {
            Some(kind) if self.texts.len() < TEXT_PARTS_MAX => {
                self.texts.push(TextPart { part, kind, is_alternative });
            }
            _ if self.attachments.len() < ATTACHMENTS_MAX => {
                let number = self.attachments.len() + 1;
                self.attachments.push(Attachment { part, number, is_related });
            }
            _ => {}
        }
    }

    /// The attachment with an id like `ATT00001`.
    pub fn attachment(&self, id: &str) -> Option<&Attachment<'a>> {
        let digits = id.strip_prefix("ATT")?;
        let number: usize = digits.parse().ok().filter(|_| digits.len() <= 10)?;
        self.attachments.get(number.checked_sub(1)?)
    }

    /// Content-ID without brackets to attachment id.
    pub fn cids(&self) -> HashMap<String, String> {
        let cid = |part: &Part| {
            let cid = part.content_id.as_deref()?.trim();
            Some(cid.trim_start_matches('<').trim_end_matches('>').to_owned())
        };
        self.attachments
            .iter()
            .filter_map(|attachment| Some((cid(attachment.part)?, attachment.id())))
            .collect()
    }
}

/// How a leaf is shown as text; `None`: it is an attachment.
fn text_kind(part: &Part) -> Option<TextKind> {
    // RFC 2183 §2.10: what is marked `attachment` is not part of the text; unknown dispositions
    // count as that
    if part.disposition.as_deref().is_some_and(|disposition| disposition != "inline") {
        return None;
    }
    match (part.media_type.as_str(), part.media_subtype.as_str()) {
        ("text", "html") => Some(TextKind::Html),
        ("text", "plain" | "rfc822-headers") | ("message", "delivery-status") => {
            Some(TextKind::Plain)
        }
        _ => None,
    }
}

/// A text part's decoded text.
#[derive(Clone, Debug)]
pub struct ShownText {
    /// How it is written.
    pub kind: TextKind,
    /// Lies in a multipart/alternative.
    pub is_alternative: bool,
    /// The text.
    pub text: String,
}

/// What a reader sees.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Text, at most [`TEXT_OCTETS_MAX`].
    pub text: String,
    /// Clean HTML fragments, together at most [`HTML_OCTETS_MAX`].
    pub html: Vec<String>,
}

/// Text and HTML of a message from its decoded text parts; each is made from the other where it is
/// missing.
pub fn show(texts: Vec<ShownText>, cids: &HashMap<String, String>) -> Shown {
    let (mut plain, mut html) = (Vec::new(), Vec::new());
    let mut html_octets = 0;
    for mut part in texts {
        cut(&mut part.text, HTML_OCTETS_MAX.saturating_sub(html_octets));
        let fragment = match part.kind {
            TextKind::Plain => {
                let text = part.text.replace("\r\n", "\n");
                let fragment = (!part.is_alternative).then(|| text_to_html(&text));
                plain.push(text);
                fragment
            }
            TextKind::Html => {
                if !part.is_alternative {
                    plain.push(html_to_text(&part.text));
                }
                Some(sanitize(&part.text, cids))
            }
        };
        // cleaning may lengthen; a fragment is never cut in the middle of an element
        if let Some(fragment) = fragment
            && html_octets + fragment.len() <= HTML_OCTETS_MAX
        {
            html_octets += fragment.len();
            html.push(fragment);
        }
    }
    complete(plain, html)
}

fn complete(plain: Vec<String>, mut html: Vec<String>) -> Shown {
    let mut text = plain.join("\n").trim_end().to_owned();
    if text.is_empty() && !html.is_empty() {
        text = html.iter().map(|fragment| html_to_text(fragment)).collect::<Vec<_>>().join("\n");
    }
    cut(&mut text, TEXT_OCTETS_MAX);
    if html.is_empty() && !text.is_empty() {
        html.push(text_to_html(&text));
    }
    Shown { text, html }
}

/// Cuts a text at a character border.
pub fn cut(text: &mut String, octets_max: usize) {
    if text.len() > octets_max {
        let end = (0..=octets_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(kind: &str, disposition: Option<&str>, cid: Option<&str>) -> Part {
        let (media_type, media_subtype) = kind.split_once('/').unwrap();
        Part {
            media_type: media_type.into(),
            media_subtype: media_subtype.into(),
            disposition: disposition.map(Into::into),
            content_id: cid.map(Into::into),
            ..Part::default()
        }
    }

    fn multipart(subtype: &str, children: Vec<Part>) -> Part {
        Part {
            media_type: "multipart".into(),
            media_subtype: subtype.into(),
            children,
            ..Part::default()
        }
    }

    fn shown(kind: TextKind, is_alternative: bool, text: &str) -> ShownText {
        ShownText { kind, is_alternative, text: text.into() }
    }

    #[test]
    fn leaves_are_texts_or_attachments() {
        let related = multipart(
            "related",
            vec![leaf("text/html", None, None), leaf("image/png", Some("inline"), Some("<a@b>"))],
        );
        let alternative = multipart("alternative", vec![leaf("text/plain", None, None), related]);
        let root = multipart(
            "mixed",
            vec![
                alternative,
                leaf("text/plain", Some("attachment"), None),
                leaf("message/rfc822", None, None),
            ],
        );
        let layout = Layout::of(&root);
        assert_eq!(layout.texts.len(), 2);
        assert!(layout.texts.iter().all(|text| text.is_alternative));
        let ids: Vec<String> = layout.attachments.iter().map(Attachment::id).collect();
        assert_eq!(ids, ["ATT00001", "ATT00002", "ATT00003"]);
        let related: Vec<bool> = layout.attachments.iter().map(|a| a.is_related).collect();
        assert_eq!(related, [true, false, false]);
        assert_eq!(layout.cids().get("a@b").map(String::as_str), Some("ATT00001"));
        assert_eq!(layout.attachment("ATT00003").unwrap().filename(), "attachment-3.eml");
        for unknown in ["ATT00004", "ATT00000", "ATT", "ATTx", "1", "ATT99999999999999999999"] {
            assert!(layout.attachment(unknown).is_none());
        }
    }

    #[test]
    fn alternatives_are_not_shown_twice() {
        let cids = HashMap::new();
        let both = show(
            vec![shown(TextKind::Plain, true, "hi\r\n"), shown(TextKind::Html, true, "<b>hi</b>")],
            &cids,
        );
        assert_eq!(both, Shown { text: "hi".into(), html: vec!["<b>hi</b>".into()] });
        let plain = show(vec![shown(TextKind::Plain, true, "a\n<b>")], &cids);
        assert_eq!(plain.html, ["<p>a<br/>\n&lt;b&gt;</p>"]);
        assert_eq!(show(Vec::new(), &cids), Shown::default());
    }

    #[test]
    fn everything_shown_is_bounded() {
        let cids = HashMap::new();
        let long = "ä".repeat(HTML_OCTETS_MAX);
        let all = show(vec![shown(TextKind::Plain, false, &long); 3], &cids);
        assert!(all.text.len() <= TEXT_OCTETS_MAX && !all.text.is_empty());
        assert!(all.html.iter().map(String::len).sum::<usize>() <= HTML_OCTETS_MAX);
    }
}
