//! Records of the journal as JSON: what the admin side answers and `--json` prints.

use crate::delivery::Answered;
use crate::journal::{
    AttemptRecord, Counts, GenerationBrief, Happening, Replay, StoredDelivery, StoredEvent, Taken, What,
};
use crate::json::{self, Json, Object};
use crate::source::Verified;

/// An event in a list: without its payload.
pub fn event_json(stored: &StoredEvent) -> Json {
    let field = |name: &str| stored.event.get(name).cloned().unwrap_or(Json::Null);
    Json::object([
        ("id", field("id")),
        ("received_at", stored.received_at.to_string().into()),
        ("source", field("source")),
        ("type", field("type")),
        ("status", field("status")),
        ("generation", stored.generation.into()),
        ("rules", names(&stored.rules)),
    ])
}

/// How a signature was found good; `null` for what nobody signed.
pub fn verified_json(verified: Option<Verified>) -> Json {
    let Some(verified) = verified else { return Json::Null };
    let secret = verified.secret as u64;
    Json::object([("form", Json::from(verified.form.name())), ("secret", secret.into())])
}

/// What the sender was told first, and when it was verified again; `null` for what was not refused.
pub fn taken_json(taken: Option<&Taken>) -> Json {
    let Some(Taken { at, refused }) = taken else { return Json::Null };
    Json::object([("refused", Json::from(refused.as_str())), ("at", at.to_string().into())])
}

pub fn delivery_json(delivery: &StoredDelivery) -> Json {
    Json::object([
        ("id", delivery.id.to_string().into()),
        ("state", delivery.state.name().into()),
        ("attempts", delivery.attempts.into()),
        ("due", delivery.due.map(|due| due.to_string()).into()),
        ("message", delivery.message.as_str().into()),
        ("updated_at", delivery.updated_at.to_string().into()),
    ])
}

pub fn attempt_json(attempt: &AttemptRecord) -> Json {
    Json::object([
        ("number", attempt.number.into()),
        ("started_at", attempt.started_at.to_string().into()),
        ("duration_ms", (attempt.duration.as_millis() as u64).into()),
        ("generation", attempt.generation.into()),
        ("outcome", attempt.outcome.as_str().into()),
        ("message", attempt.message.as_str().into()),
        ("request", request_json(attempt)),
        ("answer", answer_json(attempt.answer.as_ref())),
    ])
}

/// The parameters of an attempt; where they are cut, a text.
pub(super) fn request_json(attempt: &AttemptRecord) -> Json {
    let Some(request) = &attempt.request else { return Json::Null };
    json::parse(request.as_bytes()).unwrap_or_else(|_| request.as_str().into())
}

/// `cut`: there was more. `null` without an answer.
pub fn answer_json(answer: Option<&Answered>) -> Json {
    let Some(Answered { status, body, cut }) = answer else { return Json::Null };
    Json::object([
        ("status", u64::from(*status).into()),
        ("body", body.as_str().into()),
        ("cut", Json::from(*cut)),
    ])
}

/// How much there is, in all.
pub fn counts_json(counts: &Counts) -> Object {
    let numbers = [
        ("events", counts.events),
        ("unrouted", counts.unrouted),
        ("pending", counts.pending),
        ("blocked", counts.blocked),
        ("delivered", counts.delivered),
        ("dead", counts.dead),
        ("suppressed", counts.suppressed),
        ("bytes", counts.bytes),
    ];
    numbers.into_iter().map(|(name, number)| (name, Json::from(number))).collect()
}

pub fn generation_json(brief: &GenerationBrief) -> Json {
    Json::object([
        ("number", brief.number.into()),
        ("loaded_at", brief.loaded_at.to_string().into()),
        ("directory", brief.directory.as_str().into()),
        ("files", (brief.files as u64).into()),
    ])
}

pub fn replay_json(replay: &Replay) -> Json {
    Json::object([
        ("number", replay.number.into()),
        ("at", replay.at.to_string().into()),
        ("generation", replay.generation.into()),
        ("rules", names(&replay.rules)),
    ])
}

pub(super) fn names(names: &[String]) -> Json {
    Json::Array(names.iter().map(|name| name.as_str().into()).collect())
}

/// Something that happened, as a line of the stream.
pub fn happening_json(happening: &Happening) -> Json {
    let mut line = Object::new();
    line.insert("at", happening.at.to_string());
    line.insert("what", word(&happening.what));
    match &happening.what {
        What::Received { event, source, kind, status, generation, rules } => {
            line.insert("event", event.to_string());
            line.insert("source", source.as_str());
            line.insert("type", Json::from(kind.clone()));
            line.insert("status", Json::from(status.clone()));
            line.insert("generation", Json::from(*generation));
            line.insert("rules", names(rules));
        }
        What::Tried { delivery, attempt, message, .. } => {
            line.insert("delivery", delivery.to_string());
            line.insert("attempt", *attempt);
            line.insert("message", message.as_str());
        }
        What::Replayed { event, number, generation, rules } => {
            line.insert("event", event.to_string());
            line.insert("number", *number);
            line.insert("generation", *generation);
            line.insert("rules", names(rules));
        }
        What::MadePending { count } | What::Cancelled { count } => {
            line.insert("count", *count as u64);
        }
    }
    Json::Object(line)
}

fn word(what: &What) -> &'static str {
    match what {
        What::Received { .. } => "received",
        What::Tried { word, .. } => word,
        What::Replayed { .. } => "replayed",
        What::MadePending { .. } => "made pending",
        What::Cancelled { .. } => "cancelled",
    }
}
