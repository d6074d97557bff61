//! One verified request as rules, templates, scripts, the journal and people see it.

use crate::json::{self, Json, Object};
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use ulid::Ulid;

/// A field of the event document.
pub struct Field {
    pub name: &'static str,
    /// What it is, if it is there.
    pub shape: Shape,
    /// Whether every event has it; another that a sender left out is absent.
    pub always: bool,
    /// For people who point at it in an editor.
    pub summary: &'static str,
}

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

/// The fields of the event document, in the order in which they are shown.
pub const DOCUMENT: &[Field] = &[
    always("id", Shape::Text, "The event's id: `evt_` and a ULID."),
    always("source", Shape::Text, "The source that received it, by its name in `hookyard.yaml`."),
    sent("type", Shape::Text, "What happened, in the sender's word."),
    sent("status", Shape::Text, "The state of what it is about, in the sender's word."),
    always("metadata", Shape::Map, "What the sender's user attached; empty if nothing."),
    sent("timestamp", Shape::Text, "When it happened, by the sender's clock."),
    always("received_at", Shape::Text, "When it was received, in UTC."),
    sent("headers", Shape::Headers, "The request's headers by lower-case names, without credentials."),
    sent("payload", Shape::Structure, "What the sender sent."),
    sent("parent", Shape::Text, "The id of the event from which a script made this one."),
    sent("root", Shape::Text, "The id of the first of such a chain."),
    sent("hops", Shape::Number, "How many steps this one is from it."),
];

const fn always(name: &'static str, shape: Shape, summary: &'static str) -> Field {
    Field { always: true, ..sent(name, shape, summary) }
}

const fn sent(name: &'static str, shape: Shape, summary: &'static str) -> Field {
    Field { name, shape, always: false, summary }
}

/// The names of [`DOCUMENT`].
pub const FIELDS: &[&str] = &names();

const fn names() -> [&'static str; DOCUMENT.len()] {
    let mut names = [""; DOCUMENT.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = DOCUMENT[at].name;
        at += 1;
    }
    names
}

/// The field of this name.
pub fn field(name: &str) -> Option<&'static Field> {
    DOCUMENT.iter().find(|field| field.name == name)
}

/// What an attempt sees beside them of a rule that controls storms: `{count, first, events}`.
pub const WINDOW: &str = "window";

/// Whether templates and scripts may read a field of this name.
pub fn is_seen(name: &str) -> bool {
    FIELDS.contains(&name) || name == WINDOW
}

/// Room for the text of a usual document.
const USUAL_TEXT_BYTES: usize = 1024;

const PREFIX: &str = "evt_";

/// The source of the events that hookyard itself makes.
pub const OWN_SOURCE: &str = "hookyard";

/// What the types of hookyard's own events begin with; no rule and no script can emit them.
pub const OWN_TYPES: &str = "hookyard.";

/// How many times over events may be derived and effects have effects, so that a circle ends.
pub const MAX_HOPS: usize = 8;

/// `evt_` and a ULID: sorts by time of receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub Ulid);

impl EventId {
    /// The id of an event received at `now_ms` (Unix milliseconds); `random` gives its low 80 bits.
    pub fn new(now_ms: u64, random: u128) -> Self {
        Self(Ulid::from_parts(now_ms, random))
    }

    /// As it is displayed; made in one go, since each event has it made.
    pub fn text(self) -> String {
        let mut digits = [0; ulid::ULID_LEN];
        [PREFIX, self.0.array_to_str(&mut digits)].concat()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// An event that would be derived more than [`MAX_HOPS`] times over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events are derived from events {MAX_HOPS} times over, and no further")]
pub struct TooManyHops;

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
        Self::of(id, document)
    }

    /// The event of a document that has this `id` already.
    pub fn of(id: EventId, document: Object) -> Self {
        debug_assert_eq!(document.get("id").and_then(Json::as_str), Some(&*id.text()));
        Self { id, document: Arc::new(Json::Object(document)) }
    }

    /// An event that hookyard makes at `now`. Its `status` and `metadata` come from the payload, as
    /// those of Browser Use Cloud do.
    pub fn own(id: EventId, now: Timestamp, kind: &str, payload: Json) -> Self {
        let now = format!("{now:.3}");
        let mut document = Object::new();
        document.insert("source", OWN_SOURCE);
        document.insert("type", kind);
        if let Some(status @ Json::String(_)) = payload.get("status") {
            document.insert("status", status.clone());
        }
        let metadata = payload.get("metadata").and_then(Json::as_object);
        document.insert("metadata", metadata.cloned().unwrap_or_default());
        document.insert("timestamp", now.clone());
        document.insert("received_at", now);
        document.insert("headers", Object::new());
        document.insert("payload", payload);
        Self::new(id, document)
    }

    /// The same, derived from `self`, `steps` hops further on.
    ///
    /// # Errors
    /// [`TooManyHops`].
    pub fn derive(
        &self,
        id: EventId,
        now: Timestamp,
        kind: &str,
        payload: Json,
        steps: usize,
    ) -> Result<Self, TooManyHops> {
        let hops = self.hops().saturating_add(steps);
        if hops > MAX_HOPS {
            return Err(TooManyHops);
        }
        let mut document = Self::own(id, now, kind, payload).document().clone();
        document.insert("parent", self.id.text());
        document.insert("root", self.root().text());
        document.insert("hops", Json::from(hops as u64));
        Ok(Self::new(id, document))
    }

    /// The same with the storm window that it stands for, as its field `window`.
    #[must_use]
    pub fn with_window(&self, window: Json) -> Self {
        let mut document = self.document().clone();
        document.insert(WINDOW, window);
        Self::new(self.id, document)
    }

    /// How many times over it is derived: 0 for what a sender posted.
    pub fn hops(&self) -> usize {
        let hops = self.get("hops").and_then(Json::as_number).and_then(|hops| hops.as_i64());
        hops.and_then(|hops| usize::try_from(hops).ok()).unwrap_or(0)
    }

    /// The event that a sender posted and that this one goes back to.
    pub fn root(&self) -> EventId {
        let root = self.get("root").and_then(Json::as_str);
        root.and_then(|root| root.parse().ok()).unwrap_or(self.id)
    }

    /// Whether it is one of hookyard's own, of which nothing more is told.
    pub fn is_own(&self) -> bool {
        let is_own = |kind: &str| kind.starts_with(OWN_TYPES);
        self.source() == OWN_SOURCE && self.get("type").and_then(Json::as_str).is_some_and(is_own)
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
        let mut out = Vec::with_capacity(USUAL_TEXT_BYTES);
        out.push(b'{');
        let known = FIELDS.iter().filter_map(|name| Some((*name, self.get(name)?)));
        let others = self.document().iter().filter(|(name, _)| !FIELDS.contains(name));
        for (name, value) in known.chain(others) {
            if out.len() > 1 {
                out.push(b',');
            }
            json::write_text(name, &mut out);
            out.push(b':');
            json::write_plain(value, &mut out);
        }
        out.push(b'}');
        f.write_str(std::str::from_utf8(&out).expect("JSON is written from strings"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_fields() {
        assert_eq!(FIELDS.len(), DOCUMENT.len());
        for name in FIELDS {
            let field = field(name).expect("it is a field");
            assert!(field.name == *name && field.summary.ends_with('.'), "{name}");
        }
        assert!(field("task_id").is_none());
    }
}
