//! The events that an outcome brings about: those that its action emits, and hookyard's own.

use super::Plan;
use crate::delivery::{DeliveryId, Emitted, Outcome};
use crate::event::{Event, TooManyHops};
use crate::journal::Derived;
use crate::json::Json;
use crate::rules::own::{self, new_id};
use jiff::Timestamp;

/// What a delivery emits, routed.
///
/// # Errors
/// [`TooManyHops`]: the delivery cannot be made.
pub(super) fn emitted<P: Plan>(
    emitted: &[Emitted],
    event: &Event,
    id: &DeliveryId,
    rules: &P,
    now: Timestamp,
) -> Result<Vec<Derived>, TooManyHops> {
    // An effect's event is no nearer to its beginning than the effect is.
    let steps = id.effects.len().max(1);
    let derive = |emitted: &Emitted| {
        let derived = event.derive(new_id(now), now, &emitted.kind, emitted.payload.clone(), steps)?;
        Ok(routed(derived, rules, now))
    };
    emitted.iter().map(derive).collect()
}

/// What hookyard itself tells of an outcome, if a rule wants to know. Of its own events it tells
/// nothing more, nor at the end of a circle.
pub(super) fn told<P: Plan>(
    outcome: &Outcome,
    event: &Event,
    id: &DeliveryId,
    rules: &P,
    now: Timestamp,
) -> Option<Derived> {
    let Outcome::Dead { error } = outcome else { return None };
    if event.is_own() {
        return None;
    }
    let payload = dead(error, event, id);
    let derived =
        event.derive(new_id(now), now, own::DELIVERY_DEAD, payload, id.effects.len().max(1)).ok()?;
    Some(routed(derived, rules, now)).filter(|derived| !derived.routing.rules.is_empty())
}

fn dead(error: &str, event: &Event, id: &DeliveryId) -> Json {
    let field = |name: &'static str| Some((name, event.get(name)?.clone()));
    let about = ["id", "source", "type", "status"].into_iter().filter_map(field);
    Json::object([
        ("delivery", Json::from(id.to_string())),
        ("rule", id.rule.as_str().into()),
        ("action", id.action.as_str().into()),
        ("error", error.into()),
        ("metadata", event.get("metadata").cloned().unwrap_or_else(|| Json::Object(Default::default()))),
        ("event", Json::object(about)),
    ])
}

fn routed<P: Plan>(event: Event, rules: &P, now: Timestamp) -> Derived {
    let routing = rules.route(&event, now);
    Derived { root: event.root(), event, routing }
}
