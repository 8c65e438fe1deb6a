//! Who calls, and which grants his role has (`reference/http-api.md` §0.4).

use super::problem::Problem;
use crate::model::id::UserId;
use crate::model::principal::{Principal, Role};

/// The caller of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    principal: Principal,
    token: Option<String>,
}

/// What a grant is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// Users.
    Users,
    /// The list of users.
    UserListing,
    /// Addresses.
    Addresses,
    /// The list of all addresses.
    AddressListing,
    /// Logins.
    Authentication,
    /// Mailboxes.
    Mailboxes,
    /// Messages.
    Messages,
    /// Attachments.
    Attachments,
    /// Autoreplies.
    Autoreplies,
    /// Filters.
    Filters,
    /// Webhooks.
    Webhooks,
    /// Signing keys.
    Dkim,
    /// Certificates.
    Certs,
    /// Audits.
    Audit,
}

/// What a grant permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    /// C
    Create,
    /// R
    Read,
    /// U
    Update,
    /// D
    Delete,
}

/// On whose objects a role may use a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// On everybody's.
    Any,
    /// On the caller's own.
    Own,
    /// On nobody's.
    None,
}

impl Caller {
    /// The caller with everything: the root token, or nobody while access control is off.
    pub const fn root() -> Self {
        Self { principal: Principal::ROOT, token: None }
    }

    /// The holder of a token from the database.
    pub const fn with_token(principal: Principal, token: String) -> Self {
        Self { principal, token: Some(token) }
    }

    /// The user he is, unless he is root.
    pub const fn user(&self) -> Option<UserId> {
        self.principal.user
    }

    /// Who he is.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// His token, if it is one from the database.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// How far his role's grant reaches.
    pub const fn reach(&self, resource: Resource, grant: Grant) -> Reach {
        match self.principal.role {
            Role::Root => Reach::Any,
            Role::User => match (resource, grant) {
                (Resource::Users, Grant::Create | Grant::Delete)
                | (Resource::Webhooks, Grant::Create | Grant::Update | Grant::Delete)
                | (Resource::Dkim | Resource::Certs | Resource::Audit, _)
                | (
                    Resource::UserListing | Resource::AddressListing,
                    Grant::Create | Grant::Update | Grant::Delete,
                )
                | (Resource::Authentication, Grant::Update | Grant::Delete) => Reach::None,
                _ => Reach::Own,
            },
        }
    }

    /// May he do that to this user's objects?
    ///
    /// # Errors
    /// 403 `MissingPrivileges`.
    pub fn authorize(&self, resource: Resource, grant: Grant, user: UserId) -> Result<(), Problem> {
        match self.reach(resource, grant) {
            Reach::Any => Ok(()),
            Reach::Own if self.user() == Some(user) => Ok(()),
            Reach::Own | Reach::None => Err(Problem::missing_privileges()),
        }
    }

    /// May he do that to anybody's objects?
    ///
    /// # Errors
    /// 403 `MissingPrivileges`.
    pub fn authorize_any(&self, resource: Resource, grant: Grant) -> Result<(), Problem> {
        match self.reach(resource, grant) {
            Reach::Any => Ok(()),
            Reach::Own | Reach::None => Err(Problem::missing_privileges()),
        }
    }

    /// Whether `internalData` and other fields hidden from users may be shown to him.
    pub fn sees_internal_fields(&self) -> bool {
        self.principal.role == Role::Root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_reach_their_own_objects_only() {
        let (me, other) = (UserId::from_octets([1; 12]), UserId::from_octets([2; 12]));
        let caller = Caller::with_token(Principal::user(me), "t".into());
        assert!(caller.authorize(Resource::Messages, Grant::Delete, me).is_ok());
        assert!(caller.authorize(Resource::Messages, Grant::Read, other).is_err());
        assert!(caller.authorize(Resource::Users, Grant::Delete, me).is_err());
        assert!(caller.authorize_any(Resource::Users, Grant::Read).is_err());
        assert!(Caller::root().authorize(Resource::Users, Grant::Delete, other).is_ok());
    }
}
