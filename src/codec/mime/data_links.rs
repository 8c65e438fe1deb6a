//! Pictures in HTML as `data:` URLs (RFC 2397) into inline attachments with a Content-ID (RFC
//! 2392).

use super::build::{Encoding, NewAttachment};
use super::text::decode_body;

/// HTML beyond this is not searched.
const HTML_OCTETS_MAX: usize = 12 * 1024 * 1024;
/// Pictures taken out of one HTML; further ones stay.
const LINKS_MAX: usize = 200;

/// The HTML with `src="data:image/…;base64,…"` replaced by `src="cid:…"`; the pictures are added to
/// `inline`.
pub fn inline_data_links(html: &str, seed: &str, inline: &mut Vec<NewAttachment>) -> String {
    if html.len() > HTML_OCTETS_MAX {
        return html.to_owned();
    }
    let mut result = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find("data:image/") {
        let (before, link) = rest.split_at(at);
        result.push_str(before);
        let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''));
        let end = quote.and_then(|quote| link.find(quote));
        let picture = match end.and_then(|end| link.get(..end)) {
            Some(url) if inline.len() < LINKS_MAX && follows_src(before) => picture(url),
            _ => None,
        };
        let consumed = match (picture, end) {
            (Some((content_type, octets)), Some(end)) => {
                let cid = format!("picture-{}-{seed}", inline.len() + 1);
                result.push_str("cid:");
                result.push_str(&cid);
                inline.push(inline_attachment(content_type, cid, octets));
                end
            }
            _ => {
                result.push_str("data:");
                "data:".len()
            }
        };
        rest = link.get(consumed..).unwrap_or_default();
    }
    result.push_str(rest);
    result
}

fn follows_src(before: &str) -> bool {
    let head = before.get(..before.len().saturating_sub(1)).unwrap_or_default().trim_end();
    let head = head.strip_suffix('=').unwrap_or_default().trim_end();
    let octets = head.as_bytes();
    octets.len() >= 3
        && octets.get(octets.len() - 3..).is_some_and(|name| name.eq_ignore_ascii_case(b"src"))
}

fn picture(url: &str) -> Option<(String, Vec<u8>)> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
    let content_type = kind.strip_suffix(";base64")?.to_ascii_lowercase();
    let subtype = content_type.strip_prefix("image/")?;
    if subtype.is_empty()
        || !subtype.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    {
        return None;
    }
    let octets = decode_body("base64", data.as_bytes());
    (!octets.is_empty()).then_some((content_type, octets))
}

fn inline_attachment(content_type: String, cid: String, octets: Vec<u8>) -> NewAttachment {
    let extension = content_type.rsplit(['/', '+']).next().unwrap_or("bin").to_owned();
    let number = cid.split('-').nth(1).unwrap_or("1").to_owned();
    NewAttachment {
        filename: Some(format!("attachment-{number}.{extension}")),
        content_type: Some(content_type),
        cid: Some(cid),
        is_inline: true,
        encoding: Encoding::Base64,
        octets,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_in_src_are_taken() {
        let mut inline = Vec::new();
        let html = "<img src='data:image/gif;base64,AAEC'>data:image/gif;base64,AAEC\
                    <a href=\"data:image/png;base64,AAEC\"><img src=\"data:image/png,raw\">";
        let result = inline_data_links(html, "s@x", &mut inline);
        assert!(result.starts_with("<img src='cid:picture-1-s@x'>data:image/gif;base64,AAEC<a"));
        assert!(result.ends_with("<img src=\"data:image/png,raw\">"));
        assert_eq!(inline.len(), 1);
        assert_eq!(inline[0].octets, [0, 1, 2]);
        assert_eq!(inline[0].filename.as_deref(), Some("attachment-1.gif"));
        assert_eq!(inline_data_links("ä data:image/", "s", &mut inline), "ä data:image/");
    }
}
