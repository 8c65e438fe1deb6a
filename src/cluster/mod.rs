//! Many nodes, one truth.

pub mod lease;
pub mod notifier;
