//! What is asked of the record: which events, which deliveries.

use super::State;
use crate::delivery::DeliveryId;
use crate::event::EventId;
use jiff::Timestamp;

/// Which events; the newest first. Empty fields do not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub source: Option<String>,
    pub kind: Option<String>,
    pub status: Option<String>,
    /// Received then or later.
    pub since: Option<Timestamp>,
    /// Received before then.
    pub until: Option<Timestamp>,
    /// Only events older than this one (the cursor for the next page).
    pub before: Option<EventId>,
    /// Only those that were routed and that no rule has matched, in no replay either.
    pub unmatched: bool,
    /// Only those that this rule has matched, at first or in a replay.
    pub rule: Option<String>,
    pub limit: usize,
}

/// Which deliveries; the newest event's first. Empty fields do not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub state: Option<State>,
    pub event: Option<EventId>,
    pub rule: Option<String>,
    pub action: Option<String>,
    /// Of events received then or later.
    pub since: Option<Timestamp>,
    /// Only those that stand behind this one (the cursor for the next page).
    pub before: Option<DeliveryId>,
    pub limit: usize,
}

/// Which deliveries an operator's hand is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    These(Vec<DeliveryId>),
    /// All that the filter finds, whatever its `before` and `limit`.
    Like(DeliveryFilter),
}
