//! All milters of one connection: each hears everything, and the first that objects is obeyed.

use super::milter::{Answer, Milter, Said};
use super::settings::{Away, MilterSettings};
use super::verdict::Refusal;
use super::{count, header};
use crate::codec::milter::{Change, field};
use crate::codec::mime::header::fields;
use bytes::Bytes;

/// The conversations of one connection.
#[derive(Default, Debug)]
pub(super) struct Milters {
    open: Vec<(MilterSettings, Milter)>,
    /// One of them wants the message acknowledged and dropped.
    pub(super) is_discarded: bool,
}

/// A message after the milters.
#[derive(Debug)]
pub(super) struct Filtered {
    pub(super) refusal: Option<Refusal>,
    pub(super) is_quarantined: bool,
    pub(super) lines: Vec<u8>,
    pub(super) content: Bytes,
}

impl Milters {
    /// Opens all conversations; a refusal if one that must not be away is away.
    pub(super) async fn open(settings: &[MilterSettings]) -> (Self, Option<Refusal>) {
        let opened = futures_util::future::join_all(settings.iter().map(Milter::open)).await;
        let mut milters = Self::default();
        let mut refusal = None;
        for (settings, milter) in settings.iter().zip(opened) {
            match milter {
                Ok(milter) => milters.open.push((settings.clone(), milter)),
                Err(error) => refusal = refusal.or(away(settings, &error)),
            }
        }
        (milters, refusal)
    }

    /// Tells all of them what the client says.
    pub(super) async fn hear(&mut self, said: Said<'_>) -> Option<Refusal> {
        if matches!(said, Said::Sender { .. }) {
            self.is_discarded = false;
        }
        let mut refusal = None;
        for (settings, mut milter) in std::mem::take(&mut self.open) {
            match milter.hear(&said).await {
                Ok(answer) => {
                    refusal = refusal.or_else(|| self.obey(answer));
                    self.open.push((settings, milter));
                }
                Err(error) => refusal = refusal.or(away(&settings, &error)),
            }
        }
        refusal
    }

    /// The transaction ends without a message.
    pub(super) async fn abort(&mut self) {
        for (settings, mut milter) in std::mem::take(&mut self.open) {
            match milter.abort().await {
                Ok(()) => self.open.push((settings, milter)),
                Err(error) => drop(away(&settings, &error)),
            }
        }
    }

    /// Tells them the message, one after the other: each sees what those before it have changed.
    pub(super) async fn message(&mut self, content: Bytes) -> Filtered {
        let mut done =
            Filtered { refusal: None, is_quarantined: false, lines: Vec::new(), content };
        for (settings, mut milter) in std::mem::take(&mut self.open) {
            if done.refusal.is_some() || self.is_discarded {
                // The next MAIL tells it that nothing came
                self.open.push((settings, milter));
                continue;
            }
            let content = done.content.clone();
            let parts: Vec<(&[u8], &[u8])> = fields(&content)
                .filter(|field| !field.name.is_empty())
                .map(|field| (field.name, field.value))
                .collect();
            match milter.message(&parts, body_of(&content)).await {
                Ok((answer, changes)) => {
                    done.refusal = self.obey(answer);
                    changes.into_iter().for_each(|change| done.apply(change));
                    self.open.push((settings, milter));
                }
                Err(error) => done.refusal = away(&settings, &error),
            }
        }
        done
    }

    fn obey(&mut self, answer: Answer) -> Option<Refusal> {
        let refusal = match answer {
            Answer::Continue => return None,
            Answer::Discard => {
                count("milter", "discard");
                self.is_discarded = true;
                return None;
            }
            Answer::Reject => Refusal::new(550, (5, 7, 1), "refused by a filter"),
            Answer::TempFail => Refusal::new(451, (4, 7, 1), "a filter wants you to come again"),
            Answer::Shutdown => Refusal::go_away((4, 7, 0), "a filter wants you to come again"),
            Answer::Code(text) => refusal_of(&text),
        };
        count("milter", "refuse");
        Some(refusal)
    }
}

impl Filtered {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Add { name, value } => self.lines.extend(field(&name, &value)),
            Change::Quarantine(reason) => {
                tracing::info!(reason, "a milter holds a message back: it is delivered as spam");
                self.is_quarantined = true;
            }
            Change::Replace { index, name, value } => {
                let wanted = name.to_ascii_lowercase();
                let mut seen = 0_u32;
                self.content = header::edited(&self.content, |name, _| {
                    seen = seen.saturating_add(u32::from(name == wanted));
                    let is_it = name == wanted && seen == index.max(1);
                    is_it
                        .then(|| if value.is_empty() { Vec::new() } else { field(&wanted, &value) })
                });
            }
        }
    }
}

/// What follows the empty line.
fn body_of(content: &[u8]) -> &[u8] {
    let header = fields(content).fold(0_usize, |sum, field| sum.saturating_add(field.raw.len()));
    let rest = content.get(header..).unwrap_or_default();
    rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest)
}

fn away(settings: &MilterSettings, error: &std::io::Error) -> Option<Refusal> {
    count("milter", "away");
    tracing::warn!(address = settings.address, %error, "a milter is away");
    let refusal = Refusal::new(451, (4, 3, 0), "a filter is away, try again later");
    (settings.away == Away::Tempfail).then_some(refusal)
}

/// A milter's own reply, `550 5.7.1 words`, as far as it is one that refuses.
fn refusal_of(text: &str) -> Refusal {
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    let (code, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let code = code.parse().ok().filter(|code| (400..600).contains(code)).unwrap_or(550_u16);
    let class = if code < 500 { 4 } else { 5 };
    let (status, words) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut numbers = status.split('.').map(|number| number.parse::<u16>().ok());
    let (enhanced, words) = match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Some(given)), Some(Some(subject)), Some(Some(detail))) if given == class => {
            ((subject, detail), words)
        }
        _ => ((7, 1), rest),
    };
    let words = if words.is_empty() { "refused by a filter" } else { words };
    let kind = if code < 500 { 4 } else { 5 };
    let refusal = Refusal::new(code, (kind, enhanced.0, enhanced.1), words);
    Refusal { hang_up: code == 421, ..refusal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_milters() {
        let refusal = refusal_of("554 5.7.9 not today");
        assert_eq!(refusal, Refusal::new(554, (5, 7, 9), "not today"));
        assert_eq!(refusal_of("451 come again"), Refusal::new(451, (4, 7, 1), "come again"));
        assert!(refusal_of("421 4.7.0 x").hang_up);
        assert_eq!(refusal_of("250 2.0.0 ok").code, 550);
        assert_eq!(refusal_of("").text, "refused by a filter");
    }

    #[test]
    fn changes_are_made_where_they_belong() {
        let content: Bytes = "A: 1\r\nS: x\r\nA: 2\r\n\r\nA: 3\r\n".into();
        let lines = Vec::new();
        let mut filtered = Filtered { refusal: None, is_quarantined: false, lines, content };
        let replace = |index, value: &[u8]| Change::Replace {
            index,
            name: "a".to_owned(),
            value: value.to_vec(),
        };
        filtered.apply(replace(2, b"two\nlines"));
        filtered.apply(replace(3, b"nothing"));
        filtered.apply(replace(1, b""));
        filtered.apply(Change::Add { name: "B".to_owned(), value: b"4".to_vec() });
        assert_eq!(filtered.content, "S: x\r\na: two\r\n\tlines\r\n\r\nA: 3\r\n");
        assert_eq!(filtered.lines, b"B: 4\r\n");
        assert_eq!(body_of(&filtered.content), b"A: 3\r\n");
    }
}
