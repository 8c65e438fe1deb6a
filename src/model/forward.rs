//! Addresses without a user: what comes there only goes on.

use super::filter::Autoreply;
use super::target::ForwardTarget;

/// What an address without a user does.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Forwarding {
    /// Where to.
    pub targets: Vec<ForwardTarget>,
    /// Forwards in 24 hours; 0 is the default.
    pub forwards_max: u64,
    /// Its autoreply; `None`: it never had one.
    pub autoreply: Option<Autoreply>,
    /// Nothing is forwarded.
    pub is_disabled: bool,
}
