//! The supervised task set: named, counted, ended in order.
//!
//! A task that panics ends alone: the panic is logged and counted, the process goes on. `shutdown`
//! asks all
//! tasks to end, waits, and drops those that do not at their next suspension point.

pub mod batch;

use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one node; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tracker: TaskTracker,
    /// Asks tasks to end.
    stopping: CancellationToken,
    /// Drops tasks that have not ended in time.
    ending: CancellationToken,
    panics: AtomicU64,
}

impl Tasks {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. Its handle may be dropped: the task goes on and `shutdown` waits for it.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let ending = self.inner.ending.clone();
        // Boxed before it is wrapped: else each wrapper would hold room for a second copy of it.
        let caught = AssertUnwindSafe(Box::pin(future)).catch_unwind();
        let supervised = async move {
            tokio::select! {
                biased;
                outcome = caught => {
                    if let Err(panic) = outcome {
                        inner.panics.fetch_add(1, Ordering::Relaxed);
                        metrics::counter!("eider_panics_total", "task" => name).increment(1);
                        let reason = describe(panic.as_ref());
                        tracing::error!(task = name, reason, "a task panicked");
                    }
                }
                () = ending.cancelled_owned() => {
                    tracing::warn!(task = name, "a task did not end in time and was dropped");
                }
            }
        };
        tokio::spawn(self.inner.tracker.track_future(supervised))
    }

    /// Cancelled when the node is stopping; tasks look at it where they wait.
    pub fn stopping(&self) -> CancellationToken {
        self.inner.stopping.clone()
    }

    /// Whether the node is stopping.
    pub fn is_stopping(&self) -> bool {
        self.inner.stopping.is_cancelled()
    }

    /// Tasks running now.
    pub fn count(&self) -> usize {
        self.inner.tracker.len()
    }

    /// Tasks that have panicked.
    pub fn panics(&self) -> u64 {
        self.inner.panics.load(Ordering::Relaxed)
    }

    /// Asks all tasks to end and waits for them; what still runs after `timeout` is dropped.
    /// Returns how many were.
    pub async fn shutdown(&self, timeout: Duration) -> usize {
        self.inner.stopping.cancel();
        self.inner.tracker.close();
        if tokio::time::timeout(timeout, self.inner.tracker.wait()).await.is_ok() {
            return 0;
        }
        let late = self.inner.tracker.len();
        self.inner.ending.cancel();
        // A task that never suspends cannot be dropped: do not wait for it for ever.
        let _ended =
            tokio::time::timeout(Duration::from_secs(1), self.inner.tracker.wait()).await.is_ok();
        late
    }
}

fn describe(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_counted_and_others_go_on() {
        let tasks = Tasks::new();
        tasks.spawn("bad", async { panic!("on purpose") });
        let stopping = tasks.stopping();
        tasks.spawn("good", async move { stopping.cancelled().await });
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, 0);
        assert_eq!(tasks.panics(), 1);
        assert_eq!(tasks.count(), 0);
    }

    #[tokio::test]
    async fn a_late_task_is_dropped() {
        let tasks = Tasks::new();
        tasks.spawn("deaf", std::future::pending());
        assert_eq!(tasks.shutdown(Duration::from_millis(10)).await, 1);
        assert_eq!(tasks.count(), 0);
    }
}
