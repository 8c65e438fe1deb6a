//! A named lease with a fencing number: at most one holder on all nodes.
//!
//! A task renews it while the guard lives. When the node dies, nobody renews and it ends by itself;
//! when the database is away for longer than it lasts, somebody else may have it, and
//! [`Lease::confirm`] says so. Ask that before what only the holder may do.

use crate::model::error::Result;
use crate::storage::{Storage, leases};
use crate::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Gives out leases; cheap to clone.
#[derive(Clone, Debug)]
pub struct Leases {
    storage: Storage,
    tasks: Tasks,
}

impl Leases {
    /// Leases in this database, renewed by these tasks.
    pub const fn new(storage: Storage, tasks: Tasks) -> Self {
        Self { storage, tasks }
    }

    /// Takes a lease unless somebody holds it (`None`). It lasts `ttl` beyond its last renewal and
    /// is renewed three times in that. One round trip; two more the first time.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lease>> {
        let holder = format!("{:032x}", rand::random::<u128>());
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let taken = leases::acquire(&self.storage, name, &holder, ttl_ms).await?;
        let Some(fence) = taken else { return Ok(None) };
        let held = Held { storage: self.storage.clone(), name: name.into(), holder, fence, ttl_ms };
        let (held, over) = (Arc::new(held), CancellationToken::new());
        let keeper = keep(Arc::clone(&held), over.clone(), ttl / 3);
        let keeper = self.tasks.spawn("lease", keeper);
        Ok(Some(Lease { held, over, keeper: Some(keeper) }))
    }
}

#[derive(Debug)]
struct Held {
    storage: Storage,
    name: String,
    holder: String,
    fence: i64,
    ttl_ms: i64,
}

impl Held {
    async fn renew(&self) -> Result<bool> {
        leases::renew(&self.storage, &self.name, (&self.holder, self.fence), self.ttl_ms).await
    }
}

/// Renews until it is over, then gives back. A renewal that fails is tried again next time.
async fn keep(held: Arc<Held>, over: CancellationToken, period: Duration) {
    loop {
        tokio::select! {
            () = over.cancelled() => break,
            () = tokio::time::sleep(period) => {}
        }
        match held.renew().await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(lease = held.name, "a lease was lost");
                return;
            }
            Err(error) => tracing::warn!(lease = held.name, %error, "a lease was not renewed"),
        }
    }
    let own = (held.holder.as_str(), held.fence);
    if let Err(error) = leases::release(&held.storage, &held.name, own).await {
        tracing::debug!(lease = held.name, %error, "a lease is left to run out");
    }
}

/// A lease that is held; dropping it gives it back soon.
#[derive(Debug)]
pub struct Lease {
    held: Arc<Held>,
    over: CancellationToken,
    keeper: Option<JoinHandle<()>>,
}

impl Lease {
    /// The fencing number: higher than that of every earlier holder.
    pub fn fence(&self) -> i64 {
        self.held.fence
    }

    /// Whether it is still ours, renewed now. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn confirm(&self) -> Result<bool> {
        self.held.renew().await
    }

    /// Gives it back; free for others when this returns. One round trip.
    pub async fn release(mut self) {
        self.over.cancel();
        if let Some(keeper) = self.keeper.take() {
            let _ended = keeper.await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::storage;

    const SHORT: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn a_lease_is_renewed_while_its_guard_lives() {
        let storage = storage("lease").await;
        let tasks = Tasks::new();
        let leases = Leases::new(storage.clone(), tasks.clone());
        let first = leases.acquire("a", SHORT).await.unwrap().unwrap();
        let since = tokio::time::Instant::now();
        // three times as long as it lasts unrenewed
        while since.elapsed() < SHORT * 3 {
            assert!(leases.acquire("a", SHORT).await.unwrap().is_none());
        }
        assert!(first.confirm().await.unwrap());
        let fence = first.fence();
        first.release().await;
        let second = leases.acquire("a", SHORT).await.unwrap().unwrap();
        assert!(second.fence() > fence);
        drop(second);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while leases.acquire("a", SHORT).await.unwrap().is_none() {
            assert!(tokio::time::Instant::now() < deadline, "a dropped lease is given back");
        }
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, 0);
        storage.drop_database().await.unwrap();
    }

    #[tokio::test]
    async fn the_lease_of_a_dead_node_ends_by_itself() {
        let storage = storage("dead_lease").await;
        let (dying, living) = (Tasks::new(), Tasks::new());
        let of_dying = Leases::new(storage.clone(), dying.clone());
        let lease = of_dying.acquire("a", SHORT).await.unwrap().unwrap();
        // its tasks are gone: nobody renews, and nobody gives back
        assert_eq!(dying.shutdown(Duration::ZERO).await, 1);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        let of_living = Leases::new(storage.clone(), living);
        let next = loop {
            if let Some(next) = of_living.acquire("a", SHORT).await.unwrap() {
                break next;
            }
            assert!(tokio::time::Instant::now() < deadline, "it never ends");
        };
        assert!(next.fence() > lease.fence() && !lease.confirm().await.unwrap());
        storage.drop_database().await.unwrap();
    }

    #[tokio::test]
    async fn a_lost_lease_is_not_confirmed() {
        let storage = storage("lost_lease").await;
        let leases = Leases::new(storage.clone(), Tasks::new());
        let first = leases.acquire("a", Duration::from_secs(60)).await.unwrap().unwrap();
        // as if the database had been away for longer than it lasts
        let own = (first.held.holder.as_str(), first.held.fence);
        crate::storage::leases::renew(&storage, "a", own, 0).await.unwrap();
        let second = leases.acquire("a", Duration::from_secs(60)).await.unwrap().unwrap();
        assert!(!first.confirm().await.unwrap() && second.confirm().await.unwrap());
        first.release().await;
        assert!(second.confirm().await.unwrap(), "another's lease is not given back");
        storage.drop_database().await.unwrap();
    }
}
