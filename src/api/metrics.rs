//! Metrics in Prometheus' text form: those this node counts, and the size of the queue.
//!
//! The queue is that of all nodes, so each tells the same sizes: a dashboard takes the greatest, not
//! the sum.

use super::Context;
use crate::model::queue::{AGE_HOURS, State, Summary};
use crate::telemetry::render_metrics;
use axum::extract::State as Handles;
use std::fmt::Write as _;

/// All metrics. The database away: without the queue's.
pub async fn show(Handles(ctx): Handles<Context>) -> String {
    let mut text = render_metrics();
    match ctx.delivery.queue().summary().await {
        Ok(summary) => write_summary(&mut text, &summary),
        Err(error) => tracing::warn!(%error, "the queue cannot be counted"),
    }
    text
}

fn write_summary(text: &mut String, summary: &Summary) {
    let by_state = summary.by(|share| share.state);
    let states = State::EVERY
        .map(|state| (state.name().to_owned(), by_state.get(&state).copied().unwrap_or_default()));
    write_gauge(text, ("eider_queue_entries", "state"), states);
    let by_age = summary.by(|share| share.hours_below);
    let bounds = AGE_HOURS.map(Some).into_iter().chain([None]);
    let ages = bounds.map(|hours| {
        let name = hours.map_or_else(|| "older".to_owned(), |hours| format!("below_{hours}_h"));
        (name, by_age.get(&hours).copied().unwrap_or_default())
    });
    write_gauge(text, ("eider_queue_entries_by_age", "age"), ages);
    let by_code = summary.by(|share| share.code.clone());
    let codes = by_code.into_iter().filter(|(code, _)| !code.is_empty());
    write_gauge(text, ("eider_queue_entries_by_error", "code"), codes);
    let hops = summary.next_hops.iter().cloned();
    write_gauge(text, ("eider_queue_entries_by_next_hop", "next_hop"), hops);
}

fn write_gauge(
    text: &mut String,
    (name, label): (&str, &str),
    values: impl IntoIterator<Item = (String, u64)>,
) {
    // a String takes all that is written
    let _ = writeln!(text, "# TYPE {name} gauge");
    for (value, entries) in values {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(text, "{name}{{{label}=\"{value}\"}} {entries}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::queue::Share;

    #[test]
    fn sizes_are_told_by_state_age_error_and_next_hop() {
        let share = |state, hours_below, code: &str, entries| {
            let code = code.to_owned();
            Share { state, hours_below, code, entries }
        };
        let summary = Summary {
            shares: vec![
                share(State::Ready, Some(1), "", 2),
                share(State::Deferred, Some(6), "451", 3),
                share(State::Deferred, None, "451", 4),
            ],
            next_hops: vec![("b\"d.example".into(), 9)],
        };
        let mut text = String::new();
        write_summary(&mut text, &summary);
        for line in [
            "eider_queue_entries{state=\"deferred\"} 7",
            "eider_queue_entries{state=\"paused\"} 0",
            "eider_queue_entries_by_age{age=\"below_1_h\"} 2",
            "eider_queue_entries_by_age{age=\"older\"} 4",
            "eider_queue_entries_by_error{code=\"451\"} 7",
            "eider_queue_entries_by_next_hop{next_hop=\"b\\\"d.example\"} 9",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
