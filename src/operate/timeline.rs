//! One event's way through hookyard, from its receipt to the last attempt.

use super::records::{answer_json, delivery_json, names, request_json, verified_json};
use crate::event::EventId;
use crate::journal::{
    AttemptRecord, DeliveryFilter, History, JournalError, Replay, StoredDelivery, StoredEvent,
};
use crate::json::Json;
use jiff::Timestamp;

/// A moment of it: when, and what.
type Moment = (Timestamp, Json);

/// `{event, timeline, deliveries}`; `None` if the event is not here. The document is what rules
/// see of the event; its exact body and all of its headers are shown to nobody.
///
/// # Errors
/// The journal's.
pub async fn timeline(history: &dyn History, id: EventId) -> Result<Option<String>, JournalError> {
    let Some(stored) = history.event(id).await? else { return Ok(None) };
    let mut moments = beginning(&stored);
    moments.extend(history.replays(id).await?.iter().map(replayed));
    let filter = DeliveryFilter { event: Some(id), limit: usize::MAX, ..DeliveryFilter::default() };
    let mut deliveries = history.deliveries(filter).await?;
    deliveries.reverse();
    for delivery in &deliveries {
        let attempts = history.attempts(&delivery.id).await?;
        moments.extend(attempts.iter().map(|attempt| attempted(delivery, attempt)));
        moments.extend(unattempted(delivery, &attempts));
    }
    // What is told of one moment stays in its order.
    moments.sort_by_key(|(at, _)| *at);
    let timeline = Json::Array(moments.into_iter().map(|(_, moment)| moment).collect());
    let deliveries = Json::Array(deliveries.iter().map(delivery_json).collect());
    // The event itself in the order of its document.
    Ok(Some(format!(r#"{{"event":{},"timeline":{timeline},"deliveries":{deliveries}}}"#, stored.event)))
}

/// Received, verified, matched: all of it before the answer, unless it was refused first.
fn beginning(stored: &StoredEvent) -> Vec<Moment> {
    let received = stored.received_at;
    let mut moments = vec![moment(received, "received", [("source", stored.event.source().into())])];
    if let Some(taken) = &stored.taken {
        moments.push(moment(received, "refused", [("message", taken.refused.as_str().into())]));
    }
    let at = stored.taken.as_ref().map_or(received, |taken| taken.at);
    if stored.verified.is_some() {
        moments.push(moment(at, "verified", [("by", verified_json(stored.verified))]));
    }
    if let Some(generation) = stored.generation {
        let rules = names(&stored.rules);
        moments.push(moment(at, "matched", [("generation", generation.into()), ("rules", rules)]));
    }
    moments
}

fn replayed(replay: &Replay) -> Moment {
    moment(
        replay.at,
        "replayed",
        [
            ("number", replay.number.into()),
            ("generation", replay.generation.into()),
            ("rules", names(&replay.rules)),
        ],
    )
}

fn attempted(delivery: &StoredDelivery, attempt: &AttemptRecord) -> Moment {
    moment(
        attempt.started_at,
        "attempted",
        [
            ("delivery", delivery.id.to_string().into()),
            ("number", attempt.number.into()),
            ("duration_ms", (attempt.duration.as_millis() as u64).into()),
            ("generation", attempt.generation.into()),
            ("outcome", attempt.outcome.as_str().into()),
            ("message", attempt.message.as_str().into()),
            ("request", request_json(attempt)),
            ("answer", answer_json(attempt.answer.as_ref())),
        ],
    )
}

/// Where a delivery stands by something else than its last attempt: blocked before any, cancelled,
/// made pending by hand.
fn unattempted(delivery: &StoredDelivery, attempts: &[AttemptRecord]) -> Option<Moment> {
    let explained = attempts.last().is_some_and(|last| last.message == delivery.message);
    let told = !delivery.message.is_empty() && !explained;
    told.then(|| {
        moment(
            delivery.updated_at,
            delivery.state.name(),
            [("delivery", delivery.id.to_string().into()), ("message", delivery.message.as_str().into())],
        )
    })
}

fn moment<const N: usize>(at: Timestamp, what: &str, more: [(&str, Json); N]) -> Moment {
    let first = [("at", Json::from(at.to_string())), ("what", what.into())];
    (at, Json::object(first.into_iter().chain(more)))
}
