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
#[expect(missing_docs, reason = "the resources of the reference's table")]
pub enum Resource {
    Users,
    UserListing,
    Addresses,
    AddressListing,
    Authentication,
    Asps,
    Mailboxes,
    Messages,
    Attachments,
    Storage,
    Autoreplies,
    Filters,
    DomainAccess,
    Webhooks,
    DomainAliases,
    Dkim,
    Certs,
    Settings,
    Audit,
    /// Export and import.
    Export,
    /// What happened to messages.
    Trace,
    /// What waits to be sent.
    Queue,
    /// Addresses nothing is sent to.
    Suppressions,
}

use Resource::{
    AddressListing, Addresses, Asps, Attachments, Audit, Authentication, Autoreplies, Certs, Dkim,
    DomainAccess, DomainAliases, Export, Filters, Mailboxes, Messages, Queue, Settings, Storage,
    Suppressions, Trace, UserListing, Users, Webhooks,
};

/// Grants of one role: upper case letters on everybody's objects, lower case on the own ones.
struct Grants {
    role: Role,
    resources: &'static [Resource],
    letters: &'static str,
}

const fn row(role: Role, letters: &'static str, resources: &'static [Resource]) -> Grants {
    Grants { role, resources, letters }
}

/// The table of §0.4. There root has no audit and no export, by accident of its file of roles; here
/// it has all, as who holds the root token may make himself any other. Trace, queue and suppressions
/// are ours.
const GRANTS: &[Grants] = &[
    row(Role::Root, "CRUD", &[Users, Addresses, Mailboxes, Messages, Attachments, Storage]),
    row(Role::Root, "CRUD", &[Autoreplies, Filters, DomainAccess, Webhooks, DomainAliases, Dkim]),
    row(Role::Root, "CRUD", &[Certs, Settings, Audit]),
    row(Role::Root, "C", &[Export]),
    row(Role::Root, "R", &[UserListing, AddressListing, Trace]),
    row(Role::Root, "RUD", &[Queue]),
    row(Role::Root, "CRUD", &[Suppressions]),
    row(Role::Root, "CR", &[Authentication]),
    row(Role::Root, "CRD", &[Asps]),
    row(Role::Manager, "CRUD", &[Users, Addresses, Autoreplies, Filters, DomainAccess, Webhooks]),
    row(Role::Manager, "CRUD", &[DomainAliases, Dkim, Certs]),
    row(Role::Manager, "R", &[UserListing, AddressListing, Trace]),
    row(Role::Manager, "RUD", &[Queue]),
    row(Role::Manager, "CRUD", &[Suppressions]),
    row(Role::Manager, "CR", &[Authentication]),
    row(Role::Manager, "CRD", &[Asps]),
    row(Role::Webmail, "RU", &[Users]),
    row(Role::Webmail, "CRUD", &[Addresses, Mailboxes, Messages, Attachments, Storage]),
    row(Role::Webmail, "CRUD", &[Autoreplies, Filters, DomainAccess, Webhooks]),
    row(Role::Webmail, "CR", &[Authentication]),
    row(Role::Webmail, "CRD", &[Asps]),
    row(Role::User, "ru", &[Users]),
    row(Role::User, "r", &[UserListing, AddressListing, Webhooks, Trace, Suppressions]),
    row(Role::User, "crud", &[Addresses, Mailboxes, Messages, Attachments, Storage]),
    row(Role::User, "crud", &[Autoreplies, Filters]),
    row(Role::User, "cr", &[Authentication]),
    row(Role::User, "crd", &[Asps]),
    row(Role::Auth, "C", &[Authentication]),
    row(Role::TokenAuth, "C", &[Authentication]),
    row(Role::Settings, "CRUD", &[Settings]),
    row(Role::Audit, "R", &[Users]),
    row(Role::Audit, "CRUD", &[Audit]),
    row(Role::AuditClient, "R", &[Audit]),
    row(Role::Attachments, "R", &[Attachments]),
    row(Role::Downloader, "R", &[Messages]),
    row(Role::Export, "C", &[Export]),
];

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

impl Grant {
    const fn letter(self) -> char {
        match self {
            Self::Create => 'C',
            Self::Read => 'R',
            Self::Update => 'U',
            Self::Delete => 'D',
        }
    }
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
    pub fn reach(&self, resource: Resource, grant: Grant) -> Reach {
        let own = self.principal.role;
        let rows = GRANTS.iter().filter(|row| row.role == own);
        let row = rows.filter(|row| row.resources.contains(&resource));
        let letters = row.map(|row| row.letters).next().unwrap_or_default();
        let letter = grant.letter();
        if letters.contains(letter) {
            Reach::Any
        } else if letters.contains(letter.to_ascii_lowercase()) {
            Reach::Own
        } else {
            Reach::None
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
        self.principal.role != Role::User
    }

    /// His role.
    pub const fn role(&self) -> Role {
        self.principal.role
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

    #[test]
    fn roles_have_the_grants_of_the_reference() {
        let reach = |role, resource, grant| {
            Caller::with_token(Principal { user: None, role }, "t".into()).reach(resource, grant)
        };
        assert_eq!(reach(Role::Manager, Audit, Grant::Read), Reach::None);
        assert_eq!(reach(Role::Manager, Messages, Grant::Read), Reach::None);
        assert_eq!(reach(Role::Manager, Dkim, Grant::Create), Reach::Any);
        assert_eq!(reach(Role::Webmail, Users, Grant::Create), Reach::None);
        assert_eq!(reach(Role::Webmail, Filters, Grant::Delete), Reach::Any);
        assert_eq!(reach(Role::User, Webhooks, Grant::Read), Reach::Own);
        assert_eq!(reach(Role::Audit, Users, Grant::Read), Reach::Any);
        assert_eq!(reach(Role::Downloader, Messages, Grant::Read), Reach::Any);
        assert_eq!(reach(Role::Downloader, Attachments, Grant::Read), Reach::None);
    }
}
