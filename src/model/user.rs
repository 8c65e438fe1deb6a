//! Users as the operations need them.

use super::id::UserId;

/// What delivery and login need to know of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Identifier.
    pub id: UserId,
    /// Login name.
    pub username: String,
    /// Main address, may be empty.
    pub address: String,
    /// Octets allowed; `None`: no limit.
    pub quota_octets: Option<u64>,
    /// Octets used, as last counted.
    pub used_octets: u64,
    /// May neither log in nor receive.
    pub disabled: bool,
    /// May not log in.
    pub suspended: bool,
}
