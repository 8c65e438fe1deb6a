//! Credentials to a user.
use super::Authenticator;
use crate::model::error::Result;
use crate::model::user::User;
use std::net::IpAddr;
/// The door a login comes through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// IMAP
    Imap,
    /// POP3
    Pop3,
    /// SMTP submission
    Smtp,
    /// HTTP
    Api,
}
impl Authenticator {
    /// Checks a name (username or own address) and password. `Unauthenticated`, `Throttled`, `Forbidden` (disabled).
    pub async fn authenticate(
        &self,
        _username: &str,
        _password: &str,
        _protocol: Protocol,
        _peer: IpAddr,
    ) -> Result<User> {
        todo!()
    }
}
