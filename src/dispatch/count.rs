//! What is counted and logged of attempts.

use super::attempt::{Made, message, word};
use crate::delivery::Outcome;
use crate::journal::Leased;
use jiff::Timestamp;
use metrics::{counter, histogram};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// So many rules and actions, and sources, have labels of their own: each costs a histogram.
const MOST: usize = 1000;
/// What stands for the others.
const OTHERS: &str = "(others)";

/// Labels that were given out: however often rules are renamed, there are no more.
#[derive(Default)]
pub(super) struct Labels(Mutex<BTreeSet<[String; 3]>>);

impl Labels {
    /// Source, rule and action of a delivery, or what stands for them.
    fn of(&self, source: &str, rule: &str, action: &str) -> [String; 3] {
        let own = [source, rule, action].map(str::to_owned);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&own) {
            return own;
        }
        if known.len() >= MOST {
            return [OTHERS; 3].map(str::to_owned);
        }
        known.insert(own.clone());
        own
    }
}

/// For `/metrics` and the log.
pub(super) fn count(
    labels: &Labels,
    leased: &Leased,
    outcome: &Outcome,
    made: Option<&Made>,
    now: Timestamp,
) {
    let [source, rule, action] = labels.of(leased.event.source(), &leased.id.rule, &leased.id.action);
    let outcome_word = word(outcome);
    if let Some(made) = made {
        let lane = [("rule", rule.clone()), ("action", action.clone())];
        histogram!("hookyard_attempt_seconds", &lane).record(made.duration.as_secs_f64());
        let [rule, action] = lane;
        let attempt = [rule, action, ("outcome", outcome_word.to_owned())];
        counter!("hookyard_attempts_total", &attempt).increment(1);
    }
    match outcome {
        Outcome::Delivered(_) => {
            counter!("hookyard_delivered_total").increment(1);
            let taken = now.duration_since(leased.received_at).as_secs_f64().max(0.0);
            let labels = [("source", source), ("rule", rule), ("action", action)];
            histogram!("hookyard_delivery_seconds", &labels).record(taken);
        }
        Outcome::Retry { .. } => counter!("hookyard_retried_total").increment(1),
        Outcome::Blocked { .. } => counter!("hookyard_blocked_total").increment(1),
        Outcome::Dead { .. } => counter!("hookyard_dead_total").increment(1),
        Outcome::Skipped => {}
    }
    let id = &leased.id;
    match outcome {
        Outcome::Delivered(_) | Outcome::Skipped => tracing::debug!(delivery = %id, "{outcome_word}"),
        _ => tracing::warn!(delivery = %id, error = message(outcome), "{outcome_word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_rules_there_are_the_labels_are_bounded() {
        let labels = Labels::default();
        for number in 0..MOST {
            assert_eq!(labels.of("s", &format!("r{number}"), "a")[1], format!("r{number}"));
        }
        assert_eq!(labels.of("s", "late", "a"), [OTHERS; 3].map(str::to_owned));
        assert_eq!(labels.of("s", "r0", "a")[1], "r0", "who has a label keeps it");
    }
}
