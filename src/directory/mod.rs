//! Users and addresses.

pub mod resolve;

/// The operations on users and addresses; cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory {}
