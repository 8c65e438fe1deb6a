//! An address to its recipient.
use super::Directory;
use crate::model::address::EmailAddress;
use crate::model::error::Result;
use crate::model::user::User;
impl Directory {
    /// The user an address delivers to (exact, then `+label`, wildcards); `None`: no such address.
    pub async fn resolve_recipient(&self, _address: &EmailAddress) -> Result<Option<User>> {
        todo!()
    }
}
