//! One change stream a node; it wakes local sessions and carries no truth.
use crate::model::id::{MailboxId, UserId};
/// The table of local subscribers.
#[derive(Clone, Debug)]
pub struct Notifier {}
/// Wakes one session; dropped, it is forgotten.
#[derive(Debug)]
pub struct Subscription {}
impl Notifier {
    /// Subscribes to a mailbox of a user.
    pub fn subscribe(&self, _user: UserId, _mailbox: MailboxId) -> Subscription {
        todo!()
    }
}
impl Subscription {
    /// Waits for the next wake; wakes that came meanwhile count once. Cancel-safe.
    pub async fn woken(&mut self) {
        todo!()
    }
}
