//! Tokens.

/// The tag a command begins with, if readable.
pub fn leading_tag(_command: &[u8]) -> Option<&str> {
    None
}
/// Result of a parser function.
pub type Parse<T> = Result<T, super::error::ErrorKind>;
/// The lexer.
#[derive(Debug)]
pub struct Lexer {}
/// `ASTRING-CHAR`
pub fn is_astring_char(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
}
