//! Messages: structure, sections, skeletons, text.

pub mod section;
pub mod skeleton;
pub mod structure;
pub mod text;
pub mod tree;
