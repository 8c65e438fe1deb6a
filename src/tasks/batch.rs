//! Things that may be written a little later: gathered, and written many at once by one task.
//!
//! For what nobody was promised: an item is lost when the node dies before it is written, and
//! dropped when more come than can be written.

use super::Tasks;
use std::time::Duration;
use tokio::sync::mpsc;

/// Items that wait to be written.
const WAITING_MAX: usize = 10_000;
/// Items written at once.
const WRITTEN_MAX: usize = 500;

/// Where to put items of one kind; cheap to clone. The task ends when the node stops, after it has
/// written what is there.
#[derive(Debug)]
pub struct Batch<T> {
    name: &'static str,
    sender: mpsc::Sender<T>,
}

impl<T> Clone for Batch<T> {
    fn clone(&self) -> Self {
        Self { name: self.name, sender: self.sender.clone() }
    }
}

impl<T: Send + 'static> Batch<T> {
    /// Starts the task. `write` gets what has come within `pause` of the first item.
    pub fn new<W, F>(tasks: &Tasks, name: &'static str, pause: Duration, write: W) -> Self
    where
        W: Fn(Vec<T>) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, mut receiver) = mpsc::channel(WAITING_MAX);
        let stopping = tasks.stopping();
        tasks.spawn(name, async move {
            loop {
                let first = tokio::select! {
                    biased;
                    first = receiver.recv() => first,
                    () = stopping.cancelled() => receiver.try_recv().ok(),
                };
                let Some(first) = first else { return };
                let mut items = vec![first];
                let mut is_over = std::pin::pin!(async {
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = stopping.cancelled() => {}
                    }
                });
                while items.len() < WRITTEN_MAX {
                    tokio::select! {
                        biased;
                        next = receiver.recv() => match next {
                            Some(next) => items.push(next),
                            None => break,
                        },
                        () = &mut is_over => break,
                    }
                }
                write(items).await;
            }
        });
        Self { name, sender }
    }

    /// Adds an item; never waits. `false`: too many wait already, it is dropped and counted.
    pub fn push(&self, item: T) -> bool {
        let is_taken = self.sender.try_send(item).is_ok();
        if !is_taken {
            metrics::counter!("eider_notes_dropped_total", "kind" => self.name).increment(1);
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn items_are_written_together_and_all_of_them_before_the_end() {
        let (tasks, written) = (Tasks::new(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&written);
        let batch =
            Batch::new(&tasks, "test", Duration::from_secs(3600), move |items: Vec<u32>| {
                let seen = Arc::clone(&seen);
                async move { seen.lock().unwrap().push(items) }
            });
        assert!((0..1200).all(|item| batch.push(item)));
        tasks.shutdown(Duration::from_secs(10)).await;
        let written = written.lock().unwrap();
        assert_eq!(written.concat(), (0..1200).collect::<Vec<_>>());
        assert_eq!(written.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 200]);
    }
}
