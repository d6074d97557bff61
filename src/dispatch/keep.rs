//! What came of an attempt, until it is committed.

use super::attempt::UnderWay;
use super::count::count;
use super::{Plan, Shared};
use crate::delivery::Outcome;
use crate::journal::{AttemptRecord, Heal, JournalError, MAX_DESCENDANTS, MAX_EFFECTS, Settled, Settlement};
use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Waits between tries to commit an outcome: from the first to the last, doubling.
const HOLD_FIRST: Duration = Duration::from_millis(50);
const HOLD_MOST: Duration = Duration::from_secs(5);

/// Keeps outcomes in one commit, and says what became of each. One that collided with another run is still to be
/// kept.
pub(super) async fn keep<'a, P: Plan>(
    shared: &'a Shared<P>,
    rules: &Arc<P>,
    all: &[UnderWay<'a>],
    settlements: Arc<[Settlement]>,
) -> Vec<Settled> {
    let settled = settle(shared, all, &settlements).await;
    for ((it, settlement), settled) in all.iter().zip(&*settlements).zip(&settled) {
        match settled {
            Settled::Kept => count(&shared.labels, &it.leased, settlement),
            Settled::Conflict => metrics::counter!("hookyard_state_conflicts_total").increment(1),
            // What comes seldom is on the heap: each task would have room for it.
            Settled::TooManyDescendants | Settled::TooManyEffects => {
                Box::pin(bury(shared, it, settlement, *settled)).await;
            }
        }
    }
    let blocked = settlements.iter().filter(|one| matches!(one.outcome, Outcome::Blocked { .. }));
    let blocked: BTreeSet<_> = blocked.map(|one| one.id.rule.to_string()).collect();
    if !blocked.is_empty() {
        Box::pin(heal_if_mended(shared, rules, blocked)).await;
    }
    settled
}

/// Keeps as a death what must not grow any further. A death that cannot be told any more is a death all the same.
async fn bury<'a, P>(shared: &'a Shared<P>, it: &UnderWay<'a>, settlement: &Settlement, why: Settled) {
    let dead: Arc<[_]> = [dead(settlement, end_of_growth(why))].into();
    settle(shared, slice::from_ref(it), &dead).await;
    dead.iter().for_each(|dead| count(&shared.labels, &it.leased, dead));
}

/// The same settlement as a death that brings nothing about.
fn dead(settlement: &Settlement, error: String) -> Settlement {
    let Settlement { id, outcome, attempt, now, .. } = settlement;
    let outcome = match outcome {
        Outcome::Dead { .. } => outcome.clone(),
        _ => Outcome::Dead { error },
    };
    let said = |attempt: AttemptRecord| AttemptRecord {
        outcome: word(&outcome).to_owned(),
        message: message(&outcome).to_owned(),
        ..attempt
    };
    let attempt = attempt.clone().map(said);
    Settlement { id: id.clone(), outcome, attempt, derived: Vec::new(), now: *now }
}

fn end_of_growth(settled: Settled) -> String {
    match settled {
        Settled::TooManyEffects => {
            format!("effects that ask for effects come to {MAX_EFFECTS} for one action, and no further")
        }
        _ => format!("an event has at most {MAX_DESCENDANTS} descendants, and this one's root has them"),
    }
}

/// Commits outcomes, however long that takes: meanwhile nothing is leased.
async fn settle<'a, P>(
    shared: &'a Shared<P>,
    all: &[UnderWay<'a>],
    settlements: &Arc<[Settlement]>,
) -> Vec<Settled> {
    for (it, _) in all.iter().zip(&**settlements).filter(|(_, settlement)| settlement.namespace().is_none()) {
        it.waiting.get_or_init(|| Counted::new(&shared.settling));
    }
    let error = match shared.journal.settle(Arc::clone(settlements)).await {
        Ok(settled) => return settled,
        Err(error) => error,
    };
    let _held = Counted::new(&shared.held);
    for Settlement { id, .. } in &**settlements {
        tracing::error!(delivery = %id, %error, "an outcome cannot be committed: it is held, and nothing is leased");
    }
    let mut wait = HOLD_FIRST;
    loop {
        tokio::time::sleep(wait).await;
        match shared.journal.settle(Arc::clone(settlements)).await {
            Ok(settled) => {
                tracing::info!(count = settled.len(), "held outcomes are committed");
                return settled;
            }
            // No operator can mend it while we run: the next start makes the attempt again.
            Err(JournalError::Unusable(error)) => {
                tracing::error!(%error, count = settlements.len(), "outcomes are lost");
                return vec![Settled::Kept; settlements.len()];
            }
            Err(JournalError::Unavailable(_)) => wait = (wait * 2).min(HOLD_MOST),
        }
    }
}

/// Counts while it lives.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A generation that came during the attempts may have healed these rules before there was anything
/// to heal. Asked after the commit, so whichever comes later, the reload or this, sees the other.
async fn heal_if_mended<P>(shared: &Shared<P>, rules: &Arc<P>, blocked: BTreeSet<String>) {
    if shared.serves(rules) {
        return;
    }
    let which = Heal::Rules(blocked);
    let mut wait = HOLD_FIRST;
    while let Err(error) = shared.journal.heal(which.clone(), (shared.clock)()).await {
        tracing::warn!(?which, %error, "what waited for a mended rule cannot be made due yet");
        if matches!(error, JournalError::Unusable(_)) {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(HOLD_MOST);
    }
}

pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered(_) => "delivered",
        Outcome::Retry { .. } => "retry",
        Outcome::Blocked { .. } => "blocked",
        Outcome::Skipped => "skipped",
        Outcome::Dead { .. } => "dead",
    }
}

pub(super) fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Delivered(receipt) => &receipt.line,
        Outcome::Skipped => "",
        Outcome::Retry { error, .. } | Outcome::Blocked { error, .. } | Outcome::Dead { error } => error,
    }
}
