//! What the endpoints count and log.

use super::refusal::Refusal;
use crate::source::{Source, Verified};
use metrics::{counter, describe_counter};

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

pub(super) fn verified(source: &Source, verified: Verified) {
    let (form, secret) = (verified.form.name(), verified.secret.to_string());
    counter!(VERIFIED, "source" => name(source), "form" => form, "secret" => secret).increment(1);
}

/// An event was kept; `matched` is `None` where it was not routed.
pub(super) fn kept(source: &Source, matched: Option<bool>) {
    counter!(RECEIVED, "source" => name(source)).increment(1);
    if let Some(matched) = matched {
        let which = if matched { MATCHED } else { UNMATCHED };
        counter!(which, "source" => name(source)).increment(1);
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
