//! Messages: structure, sections, skeletons, text.
//!
//! `parser` makes the tree of octet ranges; `envelope`, `bodystructure` and `summary` describe it;
//! `tree` stores it, `section` and `skeleton` cut contents by it.

mod address_list;
mod bodystructure;
mod envelope;
pub mod build;
mod html;
mod parser;
pub mod data_links;
pub mod display;
pub mod fields;
pub mod header;
mod summary;
pub mod sanitize;
pub mod section;
mod wire;
mod word;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod judge_tests;
pub mod skeleton;
pub mod stream_decode;
pub mod structure;
pub mod text;
pub mod tree;
