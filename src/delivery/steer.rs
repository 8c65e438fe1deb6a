//! Entries of the queue as operators steer them; also those they give up.

use super::Delivery;
use super::settle::{Fate, Tried};
use crate::codec::smtp::enhanced_status::EnhancedStatus;
use crate::model::error::Result;
use crate::model::queue::{Entry, Steer};
use crate::model::trace::{Detail, Event, Happening};

impl Delivery {
    /// Does it to these entries, in the order of `queue::steer`; how many it was done to. `Bounce`
    /// takes each entry as a worker does, and settles it as failed.
    ///
    /// # Errors
    /// `Unavailable`; it may be done to some then.
    pub async fn steer(&self, entries: &[Entry], how: &Steer) -> Result<u64> {
        if *how != Steer::Bounce {
            return self.queue.steer(entries, how).await;
        }
        let mut taken = Vec::with_capacity(entries.len());
        for entry in entries {
            taken.extend(self.queue.take(entry).await?);
        }
        let done = u64::try_from(taken.len()).unwrap_or(0);
        self.give_up(taken, "given up by the operator", EnhancedStatus::new(5, 0, 0)).await;
        metrics::counter!("eider_queue_steered_total", "how" => how.name()).increment(done);
        Ok(done)
    }

    /// Bounces entries whose recipients are on the suppression list; born with a lease of ours.
    pub(super) async fn bounce_suppressed(&self, entries: Vec<Entry>) {
        let words = "the recipient is on the suppression list";
        for entry in &entries {
            let event = Event::of_entry(entry, Happening::Suppressed);
            self.trace().record(event.with(Detail::Reason, words));
        }
        // RFC 3463 §3.8: delivery not authorized
        self.give_up(entries, words, EnhancedStatus::new(5, 7, 1)).await;
    }

    /// Settles claimed entries as failed, by our own decision.
    async fn give_up(&self, entries: Vec<Entry>, words: &str, status: EnhancedStatus) {
        let tried = |entry: Entry| Tried {
            entry,
            fate: Fate::Failed,
            host: self.hostname.to_string(),
            peer: None,
            tls: None,
            reply: words.to_owned(),
            is_reply: false,
            status,
        };
        self.settle(entries.into_iter().map(tried).collect()).await;
    }
}
