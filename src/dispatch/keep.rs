//! What came of an attempt, until it is committed.

use super::Shared;
use super::count::count;
use crate::delivery::Outcome;
use crate::journal::{
    AttemptRecord, Heal, JournalError, Leased, MAX_DESCENDANTS, MAX_EFFECTS, Settled, Settlement, State,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Waits between tries to commit an outcome: from the first to the last, doubling.
const HOLD_FIRST: Duration = Duration::from_millis(50);
const HOLD_MOST: Duration = Duration::from_secs(5);

/// That an attempt only waits from some point on, until it is settled: others are made meanwhile.
pub(super) type Waiting<'a> = OnceLock<Counted<'a>>;

/// Another run has changed what this one read: nothing of it was kept.
pub(super) struct Collided(pub String);

/// The namespace whose state an outcome's commit depends on.
pub(super) fn namespace(settlement: &Settlement) -> Option<&str> {
    match &settlement.outcome {
        Outcome::Delivered(receipt) => receipt.changes.as_ref().map(|changes| changes.namespace.as_str()),
        _ => None,
    }
}

/// Keeps an outcome, and says how its delivery stands then.
pub(super) async fn keep<'a, P>(
    shared: &'a Shared<P>,
    mut settlement: Arc<Settlement>,
    leased: &Leased,
    waiting: &Waiting<'a>,
) -> Result<State, Collided> {
    match settle(shared, &settlement, waiting).await {
        Settled::Kept => {}
        Settled::Conflict => {
            metrics::counter!("hookyard_state_conflicts_total").increment(1);
            return Err(Collided(namespace(&settlement).unwrap_or_default().to_owned()));
        }
        too_many @ (Settled::TooManyDescendants | Settled::TooManyEffects) => {
            // A death that cannot be told any more is a death all the same.
            settlement = Arc::new(dead(&settlement, end_of_growth(too_many)));
            settle(shared, &settlement, waiting).await;
        }
    }
    count(&shared.labels, leased, &settlement);
    Ok(match settlement.outcome {
        Outcome::Blocked { .. } => State::Blocked,
        Outcome::Retry { .. } => State::Pending,
        Outcome::Delivered(_) => State::Delivered,
        Outcome::Skipped => State::Skipped,
        Outcome::Dead { .. } => State::Dead,
    })
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

/// Commits an outcome, however long that takes: meanwhile nothing is leased.
async fn settle<'a, P>(
    shared: &'a Shared<P>,
    settlement: &Arc<Settlement>,
    waiting: &Waiting<'a>,
) -> Settled {
    if !settlement.changes_state() {
        waiting.get_or_init(|| Counted::new(&shared.settling));
    }
    let error = match shared.journal.settle(Arc::clone(settlement)).await {
        Ok(settled) => return settled,
        Err(error) => error,
    };
    let _held = Counted::new(&shared.held);
    tracing::error!(delivery = %settlement.id, %error, "an outcome cannot be committed: it is held, and nothing is leased");
    let mut wait = HOLD_FIRST;
    loop {
        tokio::time::sleep(wait).await;
        match shared.journal.settle(Arc::clone(settlement)).await {
            Ok(settled) => {
                tracing::info!(delivery = %settlement.id, "the outcome is committed");
                return settled;
            }
            // No operator can mend it while we run: the next start makes the attempt again.
            Err(JournalError::Unusable(error)) => {
                tracing::error!(%error, "an outcome is lost");
                return Settled::Kept;
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

/// A generation that came during the attempt may have healed this rule before there was anything
/// to heal. Asked after the commit, so whichever comes later, the reload or this, sees the other.
pub(super) async fn heal_if_mended<P>(shared: &Shared<P>, rules: &Arc<P>, leased: &Leased) {
    if shared.serves(rules) {
        return;
    }
    let which = Heal::Rules(BTreeSet::from([leased.id.rule.to_string()]));
    let mut wait = HOLD_FIRST;
    while let Err(error) = shared.journal.heal(which.clone(), (shared.clock)()).await {
        tracing::warn!(delivery = %leased.id, %error, "its rule is mended, but it cannot be made due yet");
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
