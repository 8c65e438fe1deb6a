//! Messages: structure, sections, skeletons, text.
//!
//! `parser` makes the tree of octet ranges; `envelope`, `bodystructure` and `summary` describe it;
//! `tree` stores it, `section` and `skeleton` cut contents by it.

pub mod address_list;
pub mod base_subject;
mod bodystructure;
pub mod build;
pub mod data_links;
pub mod display;
mod envelope;
pub mod envelope_read;
pub mod fields;
pub mod header;
mod html;
pub mod mbox;
mod parser;
pub mod sanitize;
pub mod section;
mod summary;
mod wire;
mod word;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod judge_tests;
pub mod skeleton;
pub mod sort_subject;
pub mod stream_decode;
pub mod structure;
pub mod text;
pub mod tree;
