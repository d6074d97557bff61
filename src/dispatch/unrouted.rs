//! Events that came before there were rules, routed by the first that are good.

use super::{Plan, SWEEP, Shared, sleep_for};
use crate::journal::{Journal, JournalError, StoredEvent};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Routed and committed together.
const BATCH: usize = 100;

/// Routes all events that no generation has routed; returns how many.
///
/// # Errors
/// The journal's; what was routed until then stays.
pub(super) async fn route_unrouted<P: Plan>(
    journal: &dyn Journal,
    rules: &P,
    now: Timestamp,
) -> Result<usize, JournalError> {
    let mut routed = 0;
    loop {
        let events = journal.unrouted(BATCH).await?;
        if events.is_empty() {
            return Ok(routed);
        }
        let route =
            |stored: &StoredEvent| journal.route(stored.event.id(), rules.route(&stored.event, now), now);
        try_join_all(events.iter().map(route)).await?;
        routed += events.len();
    }
}

/// Looks for such events when rules have come, and now and then: a request that found none may be
/// kept as unrouted just after that.
pub(super) async fn sweep<P: Plan>(shared: Arc<Shared<P>>, shutdown: CancellationToken) {
    let mut rules = shared.rules.clone();
    loop {
        let serving = rules.borrow_and_update().clone();
        if let Some(rules) = serving {
            match route_unrouted(&*shared.journal, &*rules, (shared.clock)()).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "routed events that came before the rules"),
                Err(error) => tracing::warn!(%error, "events that wait for rules could not be routed"),
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            // A closed channel means that they stay as they are.
            Ok(()) = rules.changed() => {}
            () = sleep_for(Some(SWEEP)) => {}
        }
    }
}
