//! Many nodes, one truth.

pub mod lease;
pub mod node;
pub mod notifier;
