//! hookyard's own events: what it tells of itself, to the rules that name `source: hookyard`.

use super::Serving;
use crate::event::{Event, EventId};
use crate::journal::{Derived, Journal};
use crate::json::Json;
use jiff::Timestamp;

/// Rules were saved that do not load.
pub const RELOAD_FAILED: &str = "hookyard.reload.failed";
/// A source refuses one request after the other.
pub const SOURCE_REFUSING: &str = "hookyard.source.refusing";
/// A delivery was given up.
pub const DELIVERY_DEAD: &str = "hookyard.delivery.dead";
/// The destination of a lane does not work, and nothing is tried for a while.
pub const LANE_PAUSED: &str = "hookyard.lane.paused";
/// It works again.
pub const LANE_RESUMED: &str = "hookyard.lane.resumed";

impl Serving {
    /// An event that hookyard made, with what these rules make of it.
    pub fn derived(&self, event: Event, now: Timestamp) -> Derived {
        let routing = self.rules.route(&event, self.number, now);
        Derived { root: event.root(), event, routing }
    }

    /// Keeps an event of hookyard's own that comes of no other, if a rule wants it.
    pub async fn announce(&self, journal: &dyn Journal, kind: &str, payload: Json, now: Timestamp) {
        let derived = self.derived(Event::own(new_id(now), now, kind, payload), now);
        if derived.routing.rules.is_empty() {
            return;
        }
        if let Err(error) = journal.announce(derived, now).await {
            tracing::error!(%error, "{kind} could not be told to the rules");
        }
    }
}

/// The id of an event that is made now.
pub fn new_id(now: Timestamp) -> EventId {
    EventId::new(u64::try_from(now.as_millisecond()).unwrap_or(0), fastrand::u128(..))
}
