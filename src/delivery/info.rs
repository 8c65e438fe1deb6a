//! Where a message came from and where it went: the JSON text kept with it (`Message::info`).
//!
//! | key | what |
//! |---|---|
//! | `source` | `API` for what was submitted over the API; absent for what arrived |
//! | `from`, `to` | its envelope |
//! | `queueId` | its name in the queue |
//! | `outbound` | names in the queue of all that was sent of it |
//! | `forwardTargets` | `[{type, value}]` it was forwarded to |
//! | `reference` | `{mailbox, id, action}` of the message a draft answers |
//! | `envelope` | `{from, to}` a draft is sent with |

use crate::model::queue::QueueId;
use crate::model::target::{ForwardTarget, TargetKind};
use serde_json::{Value, json};

/// The text of a message that is forwarded.
pub(super) fn of_forwarded(targets: &[ForwardTarget], queue_id: QueueId) -> String {
    json!({ "forwardTargets": targets_value(targets), "outbound": [queue_id.to_string()] })
        .to_string()
}

fn targets_value(targets: &[ForwardTarget]) -> Value {
    let one = |target: &ForwardTarget| json!({ "type": target.kind.name(), "value": target.value });
    targets.iter().map(one).collect()
}

/// The targets a message was forwarded to.
pub fn forward_targets(info: Option<&str>) -> Vec<ForwardTarget> {
    let value: Value = info.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let rows = value.get("forwardTargets").and_then(Value::as_array);
    let target = |row: &Value| {
        let kind = TargetKind::from_name(row.get("type")?.as_str()?)?;
        Some(ForwardTarget { kind, value: row.get("value")?.as_str()?.to_owned() })
    };
    rows.into_iter().flatten().filter_map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_kept() {
        let targets = ["a@b.example", "smtp://mx.example", "https://x.example/y"]
            .map(|text| ForwardTarget::new(text).unwrap());
        let text = of_forwarded(&targets, QueueId::from_octets([7; 12]));
        assert_eq!(forward_targets(Some(&text)), targets);
        assert!(text.contains(&"07".repeat(12)));
        assert!(forward_targets(None).is_empty() && forward_targets(Some("x")).is_empty());
    }
}
