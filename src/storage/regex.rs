//! Pieces of filters that several collections share: literal substrings and tags.

use bson::{Document, doc};

/// The pattern that matches this text and nothing else.
pub fn escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        // not all punctuation: `\\<` is a word boundary to some engines
        if "\\.+*?()|[]{}^$".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// The condition that a field contains this text, in any case.
pub fn contains(text: &str) -> Document {
    doc! { "$regex": escape(text), "$options": "i" }
}

/// Adds "any of these tags and all of those" to a filter; a required tag need not be among any.
pub fn add_tags(filter: &mut Document, tags: &[String], required: &[String]) {
    let any: Vec<&String> = tags.iter().filter(|tag| !required.contains(tag)).collect();
    let mut conditions = Document::new();
    if !any.is_empty() {
        conditions.insert("$in", any);
    }
    if !required.is_empty() {
        conditions.insert("$all", required);
    }
    if !conditions.is_empty() {
        filter.extend(doc! { "tagsview": conditions });
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn punctuation_is_literal() {
        assert_eq!(super::escape("a.b*ü@x"), "a\\.b\\*ü@x");
    }
}
