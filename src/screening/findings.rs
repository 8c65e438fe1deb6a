//! What speaks against a client, kept until somebody is named whom he wants to reach.

use super::count;
use super::exceptions::Exceptions;
use super::settings::{Check, Rule};
use super::verdict::Refusal;
use crate::model::address::EmailAddress;
use crate::model::user::User;

/// What a finding is about, and so how long it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Until another is spoken for.
    Connection,
    /// Until the next greeting.
    Greeting,
    /// Until the next transaction.
    Transaction,
}

/// Something that speaks against a client.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Finding {
    stage: Stage,
    check: Check,
    /// Unless an exception has another.
    rule: Rule,
    refusal: Refusal,
}

/// All that was found.
#[derive(Default, Debug)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Forgets what is about this stage.
    pub(super) fn clear(&mut self, stage: Stage) {
        self.0.retain(|finding| finding.stage != stage);
    }

    /// Notes something, and counts it.
    pub(super) fn note(&mut self, stage: Stage, check: Check, rule: Rule, refusal: Refusal) {
        count(check.name(), "found");
        self.0.push(Finding { stage, check, rule, refusal });
    }

    /// The first for which this recipient's mail is refused.
    pub(super) fn refusal(
        &self,
        exceptions: &Exceptions,
        recipient: (&EmailAddress, Option<&User>),
    ) -> Option<(Check, Refusal)> {
        let is_refused = |finding: &&Finding| {
            exceptions.rule(finding.check, finding.rule, recipient) == Rule::Refuse
        };
        let found = self.0.iter().find(is_refused);
        found.map(|finding| (finding.check, finding.refusal.clone()))
    }

    /// Whether there is one that this recipient's mail counts as spam for.
    pub(super) fn is_marked(
        &self,
        exceptions: &Exceptions,
        recipient: (&EmailAddress, Option<&User>),
    ) -> bool {
        let mut rules = self.0.iter().map(|it| exceptions.rule(it.check, it.rule, recipient));
        rules.any(|rule| rule != Rule::Off)
    }
}
