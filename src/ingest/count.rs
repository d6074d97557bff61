//! What the endpoints count and log.

use super::refusal::Refusal;
use crate::source::{Source, Verified};
use hashbrown::HashMap;
use metrics::{Counter, counter, describe_counter};
use std::sync::{Mutex, PoisonError};

const RECEIVED: &str = "hookyard_received_total";
const DUPLICATES: &str = "hookyard_duplicates_total";
const MATCHED: &str = "hookyard_matched_total";
const UNMATCHED: &str = "hookyard_unmatched_total";
const VERIFIED: &str = "hookyard_verified_total";
const CREATION_TESTS: &str = "hookyard_creation_tests_total";
const REFUSED: &str = "hookyard_refused_total";

/// Tells the recorder what the endpoints' metrics mean. Once, when it is installed.
pub fn describe_metrics() {
    describe_counter!(RECEIVED, "Events kept in the journal.");
    describe_counter!(DUPLICATES, "Verified requests whose event had been kept before.");
    describe_counter!(MATCHED, "Kept events that at least one rule matched.");
    describe_counter!(UNMATCHED, "Kept events that no rule matched.");
    describe_counter!(VERIFIED, "Verified requests, by what had been signed and with which secret.");
    describe_counter!(CREATION_TESTS, "Unsigned tests that a sender makes when a webhook is created.");
    describe_counter!(REFUSED, "Refused requests, by reason.");
}

/// The counters of what is accepted, found once for each source: a look-up in the recorder costs copies
/// of all labels.
#[derive(Default)]
pub(super) struct Counters(Mutex<HashMap<String, OfSource>>);

struct OfSource {
    received: Counter,
    matched: Counter,
    unmatched: Counter,
    verified: HashMap<Verified, Counter>,
}

impl OfSource {
    fn new(source: &Source) -> Self {
        let counter = |metric: &'static str| counter!(metric, "source" => name(source));
        let [received, matched, unmatched] = [RECEIVED, MATCHED, UNMATCHED].map(counter);
        Self { received, matched, unmatched, verified: HashMap::new() }
    }
}

impl Counters {
    pub fn verified(&self, source: &Source, verified: Verified) {
        self.of(source, |counters| {
            let counter = counters.verified.entry(verified).or_insert_with(|| {
                let (form, secret) = (verified.form.name(), verified.secret.to_string());
                counter!(VERIFIED, "source" => name(source), "form" => form, "secret" => secret)
            });
            counter.increment(1);
        });
    }

    /// An event was kept; `matched` is `None` where it was not routed.
    pub fn kept(&self, source: &Source, matched: Option<bool>) {
        self.of(source, |counters| {
            counters.received.increment(1);
            match matched {
                Some(true) => counters.matched.increment(1),
                Some(false) => counters.unmatched.increment(1),
                None => {}
            }
        });
    }

    fn of(&self, source: &Source, count: impl FnOnce(&mut OfSource)) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = known.get_mut(source.name()) {
            return count(counters);
        }
        count(known.entry(name(source)).or_insert_with(|| OfSource::new(source)));
    }
}

pub(super) fn duplicate(source: &Source) {
    counter!(DUPLICATES, "source" => name(source)).increment(1);
}

pub(super) fn creation_test(source: &Source) {
    counter!(CREATION_TESTS, "source" => name(source)).increment(1);
    tracing::info!(source = source.name(), "the sender tried the endpoint out");
}

/// Without a source the label is empty: a path that someone made up must not become a label, nor
/// a line of the log at its usual level.
pub(super) fn refused(source: Option<&Source>, refusal: &Refusal) {
    let reason = refusal.reason();
    let label = source.map(name).unwrap_or_default();
    match source {
        Some(source) => tracing::info!(source = source.name(), reason, "request refused: {refusal}"),
        None => tracing::debug!(reason, "request refused: {refusal}"),
    }
    counter!(REFUSED, "source" => label, "reason" => reason).increment(1);
}

fn name(source: &Source) -> String {
    source.name().to_owned()
}
