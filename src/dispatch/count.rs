//! What is counted and logged of attempts.

use super::keep::{message, word};
use crate::delivery::Outcome;
use crate::journal::{Leased, Settlement};
use hashbrown::HashMap;
use metrics::{Counter, Histogram, counter, histogram};
use std::sync::{Arc, Mutex, PoisonError};

/// So many rules and actions, and sources, have labels of their own: each costs a histogram.
const MOST: usize = 1000;
/// What stands for the others.
const OTHERS: &str = "(others)";

/// The metrics of each source, rule and action that had an attempt, found once: a look-up in the recorder
/// costs copies of all labels. However often rules are renamed, there are no more than [`MOST`].
#[derive(Default)]
pub(super) struct Labels(Mutex<Known>);

#[derive(Default)]
struct Known {
    of: HashMap<String, HashMap<String, HashMap<String, Arc<Metrics>>>>,
    count: usize,
    others: Option<Arc<Metrics>>,
}

/// What is counted of the attempts of one action, at the events of one source.
struct Metrics {
    labels: [String; 3],
    attempt_seconds: Histogram,
    delivery_seconds: Histogram,
    /// The outcome that most have: of these, and of all.
    delivered: Counter,
    delivered_total: Counter,
}

impl Metrics {
    fn new(labels: [&str; 3]) -> Arc<Self> {
        let labels = labels.map(str::to_owned);
        let [source, rule, action] = labels.clone();
        let lane = [("rule", rule), ("action", action)];
        let attempt_seconds = histogram!("hookyard_attempt_seconds", &lane);
        let [rule, action] = lane;
        let all = [("source", source), rule.clone(), action.clone()];
        let delivery_seconds = histogram!("hookyard_delivery_seconds", &all);
        let delivered = attempts(rule.1, action.1, "delivered");
        let delivered_total = counter!("hookyard_delivered_total");
        Arc::new(Self { labels, attempt_seconds, delivery_seconds, delivered, delivered_total })
    }

    fn attempted(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Delivered(_) => self.delivered.increment(1),
            other => {
                let [_, rule, action] = self.labels.clone();
                attempts(rule, action, word(other)).increment(1);
            }
        }
    }
}

fn attempts(rule: String, action: String, outcome: &'static str) -> Counter {
    counter!("hookyard_attempts_total", "rule" => rule, "action" => action, "outcome" => outcome)
}

impl Labels {
    /// Those of source, rule and action of a delivery, or what stands for them.
    fn of(&self, source: &str, rule: &str, action: &str) -> Arc<Metrics> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.of.get(source).and_then(|rules| rules.get(rule)?.get(action));
        if let Some(found) = found {
            return Arc::clone(found);
        }
        if known.count >= MOST {
            return Arc::clone(known.others.get_or_insert_with(|| Metrics::new([OTHERS; 3])));
        }
        known.count += 1;
        let metrics = Metrics::new([source, rule, action]);
        let rules = known.of.entry(source.to_owned()).or_default().entry(rule.to_owned()).or_default();
        rules.insert(action.to_owned(), Arc::clone(&metrics));
        metrics
    }
}

/// For `/metrics` and the log.
pub(super) fn count(labels: &Labels, leased: &Leased, settlement: &Settlement) {
    let Settlement { outcome, attempt, now, .. } = settlement;
    let metrics = labels.of(leased.event.source(), &leased.id.rule, &leased.id.action);
    if let Some(attempt) = attempt {
        metrics.attempt_seconds.record(attempt.duration.as_secs_f64());
        metrics.attempted(outcome);
    }
    match outcome {
        Outcome::Delivered(_) => {
            metrics.delivered_total.increment(1);
            let taken = now.duration_since(leased.received_at).as_secs_f64().max(0.0);
            metrics.delivery_seconds.record(taken);
        }
        Outcome::Retry { .. } => counter!("hookyard_retried_total").increment(1),
        Outcome::Blocked { .. } => counter!("hookyard_blocked_total").increment(1),
        Outcome::Dead { .. } => counter!("hookyard_dead_total").increment(1),
        Outcome::Skipped => {}
    }
    let (id, outcome_word) = (&leased.id, word(outcome));
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
            assert_eq!(labels.of("s", &format!("r{number}"), "a").labels[1], format!("r{number}"));
        }
        assert_eq!(labels.of("s", "late", "a").labels, [OTHERS; 3].map(str::to_owned));
        assert_eq!(labels.of("s", "r0", "a").labels[1], "r0", "who has a label keeps it");
    }
}
