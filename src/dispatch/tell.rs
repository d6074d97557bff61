//! What hookyard tells when a lane is paused or works again: a line in the log, numbers, and an event
//! of its own.

use super::lanes::Change;
use super::{Plan, Shared};
use crate::event::Event;
use crate::journal::{Derived, Leased};
use crate::json::Json;
use crate::rules::own::{self, new_id};
use jiff::Timestamp;

/// Tells of a change that the attempt of this delivery has brought.
pub(super) async fn changed<P: Plan>(
    shared: &Shared<P>,
    rules: &P,
    leased: &Leased,
    change: Change,
    now: Timestamp,
) {
    let (rule, action) = (leased.id.rule.as_str(), leased.id.action.as_str());
    let lane = format!("{rule}/{action}");
    let mut payload =
        vec![("lane", Json::from(lane.as_str())), ("rule", rule.into()), ("action", action.into())];
    let kind = match change {
        Change::Paused { until, why } => {
            measure(rule, action, true);
            tracing::warn!(%lane, %until, error = why, "paused: its destination does not work");
            payload.extend([("until", until.to_string().into()), ("why", why.into())]);
            own::LANE_PAUSED
        }
        Change::Resumed => {
            measure(rule, action, false);
            tracing::info!(%lane, "its destination works again");
            own::LANE_RESUMED
        }
    };
    // Of its own events hookyard tells nothing more.
    if !leased.event.is_own() {
        announce(shared, rules, Event::own(new_id(now), now, kind, Json::object(payload)), now).await;
    }
}

/// Keeps the event, if a rule wants it.
async fn announce<P: Plan>(shared: &Shared<P>, rules: &P, event: Event, now: Timestamp) {
    let routing = rules.route(&event, now);
    if routing.rules.is_empty() {
        return;
    }
    if let Err(error) = shared.journal.announce(Derived { root: event.root(), event, routing }, now).await {
        tracing::error!(%error, "that a lane is paused or works again could not be told to the rules");
    }
}

/// For `/metrics`.
pub(super) fn measure(rule: &str, action: &str, is_paused: bool) {
    let labels = [("rule", rule.to_owned()), ("action", action.to_owned())];
    metrics::gauge!("hookyard_lane_paused", &labels).set(f64::from(u8::from(is_paused)));
    if is_paused {
        metrics::counter!("hookyard_lane_pauses_total", &labels).increment(1);
    }
}
