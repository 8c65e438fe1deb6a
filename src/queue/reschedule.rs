//! An entry that could not be delivered yet, and when it is tried again.

use super::Queue;
use crate::model::error::Result;
use crate::model::message::TimeMs;
use crate::model::queue::{Attempt, Entry};
use crate::model::setting::{Setting, SettingValue, durations_ms};
use crate::storage::{queue, settings};

/// Pauses are stretched or shortened by up to a tenth: what failed together is not tried together.
const JITTER: std::ops::Range<f64> = 0.9..1.1;

/// When entries are tried again: the pauses between tries. After the last one they are given up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    pauses_ms: Vec<TimeMs>,
}

impl Schedule {
    /// The schedule of these pauses.
    pub const fn new(pauses_ms: Vec<TimeMs>) -> Self {
        Self { pauses_ms }
    }

    /// When an entry whose try failed now is tried again; `None`: it has been tried long enough.
    /// `jitter` is 1.0, more or less.
    pub fn next_due(&self, tries: u32, now: TimeMs, jitter: f64) -> Option<TimeMs> {
        let pause = self.pauses_ms.get(usize::try_from(tries).unwrap_or(usize::MAX))?;
        let pause = std::time::Duration::from_millis((*pause).try_into().unwrap_or(0));
        let pause = TimeMs::try_from(pause.mul_f64(jitter).as_millis()).unwrap_or(TimeMs::MAX);
        Some(now.saturating_add(pause))
    }

    /// When an entry will be given up that has been put off so often, about.
    pub fn gives_up(&self, tries: u32, now: TimeMs) -> TimeMs {
        let tries = usize::try_from(tries).unwrap_or(usize::MAX);
        let left = self.pauses_ms.iter().skip(tries);
        left.fold(now, |time, pause| time.saturating_add(*pause))
    }
}

impl Queue {
    /// The schedule in force (`const:sender:defer_times`).
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn schedule(&self) -> Result<Schedule> {
        let pauses = match settings::find(&self.storage, Setting::DeferTimes).await? {
            SettingValue::Text(text) => durations_ms(&text).unwrap_or_default(),
            SettingValue::Number(_) | SettingValue::Boolean(_) => Vec::new(),
        };
        Ok(Schedule::new(pauses))
    }

    /// When an entry whose try failed now is tried again; `None`: it is to be given up.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn next_due(&self, entry: &Entry) -> Result<Option<TimeMs>> {
        let schedule = self.schedule().await?;
        Ok(schedule.next_due(entry.tries, self.clock.now_ms(), rand::random_range(JITTER)))
    }

    /// Gives an entry back to be tried again, with the reply of this try in its log, and whether its
    /// sender was told of the delay. `false`: another worker has it.
    ///
    /// # Errors
    /// `Unavailable`; it is tried again when the lease ends.
    pub async fn reschedule(&self, entry: &Entry, tried: &Attempt, due: TimeMs) -> Result<bool> {
        queue::reschedule(&self.storage, entry, tried, due).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: TimeMs = 60_000;

    #[test]
    fn pauses_follow_each_other_and_end() {
        let row = Setting::DeferTimes.description().unwrap();
        let SettingValue::Text(text) = row.default_value() else { panic!("a text") };
        let schedule = Schedule::new(durations_ms(&text).unwrap());
        let (mut now, mut tries) = (0, 0);
        while let Some(due) = schedule.next_due(tries, now, 1.0) {
            assert!(due > now);
            (now, tries) = (due, tries + 1);
        }
        // the default: two days, less a little
        assert_eq!((tries, now), (17, (5 + 7 + 8 + 25 + 75 + 120 + 11 * 240) * MINUTE));
        assert_eq!(schedule.gives_up(0, 0), now);
        assert_eq!(schedule.gives_up(16, 0), 240 * MINUTE);
        assert_eq!(schedule.gives_up(99, 7), 7);
    }

    #[test]
    fn jitter_keeps_pauses_in_their_order() {
        let schedule = Schedule::new(vec![5 * MINUTE, 7 * MINUTE]);
        for _ in 0..1000 {
            let jitter = rand::random_range(JITTER);
            let due = schedule.next_due(0, 1000, jitter).unwrap() - 1000;
            assert!((270_000..=330_000).contains(&due), "{due}");
        }
        assert_eq!(schedule.next_due(2, 0, 1.0), None);
        assert_eq!(Schedule::new(Vec::new()).next_due(0, 0, 1.0), None, "no pauses, no second try");
    }
}
