//! Who acts, and the pure rule what he may do.

use super::id::UserId;

/// The roles of `reference/http-api.md` §0.4 that the spine knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Everything.
    Root,
    /// Own objects only.
    User,
}

/// An authenticated party.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// The user, unless it is the root token.
    pub user: Option<UserId>,
    /// The role.
    pub role: Role,
}

impl Principal {
    /// The holder of the root token, and our own jobs.
    pub const ROOT: Self = Self { user: None, role: Role::Root };

    /// The principal of a user who logged in.
    pub const fn user(user: UserId) -> Self {
        Self { user: Some(user), role: Role::User }
    }

    /// Whether this principal may act on that user's objects.
    pub fn may_act_for(&self, user: UserId) -> bool {
        self.role == Role::Root || self.user == Some(user)
    }
}
