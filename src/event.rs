//! One verified request as rules, templates, scripts, the journal and people see it.

use crate::json::{Json, Object};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use ulid::Ulid;

/// The fields of the event document, in the order in which they are shown.
pub const FIELDS: &[&str] = &[
    "id",
    "source",
    "type",
    "status",
    "metadata",
    "timestamp",
    "received_at",
    "headers",
    "payload",
    "parent",
    "root",
    "hops",
];

/// Those of [`FIELDS`] that every event has; another that a sender left out is absent.
pub const ALWAYS: &[&str] = &["id", "source", "metadata", "received_at"];

/// What a field of the document is, if it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    Number,
    /// A map of whatever the sender put there.
    Map,
    /// A map from lower-case names to texts.
    Headers,
    /// A map or a list.
    Structure,
}

/// What a field of the document is; `None` for a name that is not among [`FIELDS`].
pub fn shape(field: &str) -> Option<Shape> {
    Some(match field {
        "id" | "source" | "type" | "status" | "timestamp" | "received_at" | "parent" | "root" => Shape::Text,
        "hops" => Shape::Number,
        "metadata" => Shape::Map,
        "headers" => Shape::Headers,
        "payload" => Shape::Structure,
        _ => return None,
    })
}

const PREFIX: &str = "evt_";

/// `evt_` and a ULID: sorts by time of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub Ulid);

impl EventId {
    /// The id of an event received at `now_ms` (Unix milliseconds); `random` gives its low 80 bits.
    pub fn new(now_ms: u64, random: u128) -> Self {
        Self(Ulid::from_parts(now_ms, random))
    }

    /// As it is displayed; made in one go, since each event has it made.
    fn text(self) -> String {
        let mut digits = [0; ulid::ULID_LEN];
        [PREFIX, self.0.array_to_str(&mut digits)].concat()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// A text that is no event id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no event id: it is `evt_` and 26 letters and digits")]
pub struct NotAnEventId(String);

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ulid = text.strip_prefix(PREFIX).and_then(|ulid| Ulid::from_string(ulid).ok());
        ulid.map(Self).ok_or_else(|| NotAnEventId(text.to_owned()))
    }
}

/// An event: its document (README, "the event document") and what of it is needed typed. Cheap to
/// clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    id: EventId,
    /// An object.
    document: Arc<Json>,
}

impl Event {
    /// The event of a document whose `id` this sets.
    pub fn new(id: EventId, mut document: Object) -> Self {
        document.insert("id", id.text());
        Self { id, document: Arc::new(Json::Object(document)) }
    }

    pub fn id(&self) -> EventId {
        self.id
    }

    /// A field of the document.
    pub fn get(&self, field: &str) -> Option<&Json> {
        self.document.get(field)
    }

    /// The name of the source that received it.
    pub fn source(&self) -> &str {
        self.get("source").and_then(Json::as_str).unwrap_or_default()
    }

    pub fn document(&self) -> &Object {
        self.document.as_object().expect("a document is made of an object")
    }

    /// The document, shared.
    pub fn shared(&self) -> Arc<Json> {
        Arc::clone(&self.document)
    }
}

/// One line of JSON, the fields in the order of [`FIELDS`].
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        let known = FIELDS.iter().filter_map(|name| Some((*name, self.get(name)?)));
        let others = self.document().iter().filter(|(name, _)| !FIELDS.contains(name));
        for (index, (name, value)) in known.chain(others).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}:{value}", Json::from(name))?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_shape() {
        assert!(FIELDS.iter().all(|field| shape(field).is_some()));
        assert!(ALWAYS.iter().all(|field| FIELDS.contains(field)));
        assert_eq!(shape("task_id"), None);
    }
}
