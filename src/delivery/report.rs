//! Reports that the store itself sends to others.

use super::Delivery;
use super::send::{Addressed, Letter};
use crate::model::address::EmailAddress;
use crate::model::dsn::MessageOptions;
use crate::model::error::Result;
use crate::model::queue::Reason;
use crate::storage::field::new_id;
use bytes::Bytes;

impl Delivery {
    /// Sends a report from the null path, so that nothing answers it; acknowledged when it returns.
    ///
    /// # Errors
    /// `LimitReached`, `Unavailable`; nothing is sent then.
    pub async fn send_report(&self, content: Bytes, to: &[EmailAddress]) -> Result<()> {
        let letter = Letter {
            queue_id: new_id(),
            trace: self.new_trace(),
            user: None,
            forwarder: None,
            reason: Reason::Bounce,
            sender: None,
            prepared: self.mailstore.prepare(content).await?,
            lines: Vec::new(),
            options: MessageOptions::default(),
            due_ms: self.clock.now_ms(),
            recipients: to.iter().map(|to| Addressed::new(to.clone(), None)).collect(),
        };
        self.send(letter).await.map(|_| ())
    }
}
