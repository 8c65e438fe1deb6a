//! Messages: structure, sections, skeletons, text.
//!
//! `parser` makes the tree of octet ranges; `envelope`, `bodystructure` and `summary` describe it;
//! `tree` stores it, `section` and `skeleton` cut contents by it.

mod address_list;
mod bodystructure;
mod envelope;
pub mod header;
mod html;
mod parser;
pub mod section;
pub mod skeleton;
pub mod stream_decode;
pub mod structure;
mod summary;
pub mod text;
pub mod tree;
mod wire;
mod word;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod judge_tests;
