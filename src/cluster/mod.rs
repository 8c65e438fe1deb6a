//! Many nodes, one truth.

pub mod notifier;
