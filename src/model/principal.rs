//! Who acts, and the pure rule what he may do.

use super::id::UserId;

/// The roles of `reference/http-api.md` §0.4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the names are those of the reference")]
pub enum Role {
    Root,
    Manager,
    Webmail,
    User,
    Auth,
    TokenAuth,
    Settings,
    Audit,
    AuditClient,
    Attachments,
    Downloader,
    Export,
}

impl Role {
    /// All of them.
    pub const EVERY: [Self; 12] = [
        Self::Root,
        Self::Manager,
        Self::Webmail,
        Self::User,
        Self::Auth,
        Self::TokenAuth,
        Self::Settings,
        Self::Audit,
        Self::AuditClient,
        Self::Attachments,
        Self::Downloader,
        Self::Export,
    ];

    /// Its name in tokens and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Manager => "manager",
            Self::Webmail => "webmail",
            Self::User => "user",
            Self::Auth => "auth",
            Self::TokenAuth => "tokenAuth",
            Self::Settings => "settings",
            Self::Audit => "audit",
            Self::AuditClient => "auditclient",
            Self::Attachments => "attachments",
            Self::Downloader => "downloader",
            Self::Export => "export",
        }
    }

    /// The role of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|role| role.name() == name)
    }
}

/// An authenticated party.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// The user, unless it is a token of an operator.
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
}
