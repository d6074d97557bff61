//! What has just been committed, for people who watch.

use super::{Derived, Entry, Routing, Settlement};
use crate::delivery::{DeliveryId, Outcome};
use crate::event::{Event, EventId};
use crate::json::Json;
use jiff::Timestamp;

/// Something that was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    pub at: Timestamp,
    pub what: What,
}

/// What it was.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// An event was kept, and matched these rules; `generation` is `None` if it waits for some.
    Received {
        event: EventId,
        source: String,
        kind: Option<String>,
        status: Option<String>,
        generation: Option<u64>,
        rules: Vec<String>,
    },
    /// A delivery was attempted, or found to be blocked, skipped or dead without an attempt.
    Tried {
        delivery: DeliveryId,
        /// `delivered`, `retried`, `blocked`, `skipped`, `dead`.
        word: &'static str,
        /// The number of the attempt; 0: none was made.
        attempt: u32,
        message: String,
    },
    /// An event was routed again.
    Replayed { event: EventId, number: u32, generation: u64, rules: Vec<String> },
    /// Dead deliveries were made pending by hand.
    MadePending { count: usize },
    /// Open deliveries were given up by hand.
    Cancelled { count: usize },
}

impl What {
    /// Of an entry that is to be appended.
    pub fn received(entry: &Entry) -> Self {
        Self::kept(&entry.received.event, entry.routing.as_ref())
    }

    /// Of an event that hookyard made.
    pub fn derived(derived: &Derived) -> Self {
        Self::kept(&derived.event, Some(&derived.routing))
    }

    fn kept(event: &Event, routing: Option<&Routing>) -> Self {
        let text = |field| event.get(field).and_then(Json::as_str).map(str::to_owned);
        Self::Received {
            event: event.id(),
            source: event.source().to_owned(),
            kind: text("type"),
            status: text("status"),
            generation: routing.map(|routing| routing.generation),
            rules: routing.map(|routing| routing.rules.clone()).unwrap_or_default(),
        }
    }

    /// Of an outcome that is to be settled.
    pub fn tried(settlement: &Settlement) -> Self {
        let (word, message) = match &settlement.outcome {
            Outcome::Delivered(receipt) => ("delivered", receipt.line.as_str()),
            Outcome::Retry { error, .. } => ("retried", error.as_str()),
            Outcome::Blocked { error, .. } => ("blocked", error.as_str()),
            Outcome::Skipped => ("skipped", ""),
            Outcome::Dead { error } => ("dead", error.as_str()),
        };
        let attempt = settlement.attempt.as_ref().map_or(0, |attempt| attempt.number);
        Self::Tried { delivery: settlement.id.clone(), word, attempt, message: message.to_owned() }
    }
}
