//! The event document of a verified request.

use crate::event::{Event, EventId};
use crate::headers::Headers;
use crate::json::{Json, Object};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use std::sync::LazyLock;

/// `2026-11-23T08:00:00.123Z`.
const TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
const TIME_BYTES: usize = 24;

/// Room for the headers of a usual request.
const USUAL_HEADERS: usize = 8;

/// Where in a body the fields of the document stand: under which keys, from the outermost on.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    pub kind: &'static [&'static str],
    pub status: &'static [&'static str],
    pub metadata: &'static [&'static str],
    pub timestamp: &'static [&'static str],
    pub payload: &'static [&'static str],
}

/// Parts of the names of headers that carry a signature or a credential. What is taken out here shows
/// in events that are kept already.
const HIDDEN: &[&str] = &[
    "signature",
    "hmac",
    "authorization",
    "auth-",
    "cookie",
    "token",
    "secret",
    "password",
    "credential",
    "api-key",
    "apikey",
    "jwt",
    "client-cert",
];

/// All of them in one search: each header of each request is looked at.
static ANY_HIDDEN: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(HIDDEN).expect("they are few")
});

/// Whether a header, by its lower-case name, is kept out of documents.
pub fn is_hidden_header(name: &str) -> bool {
    // Nearly all requests have these: they need not be searched.
    let is_usual = matches!(name, "host" | "content-type" | "content-length" | "user-agent" | "accept");
    !is_usual && ANY_HIDDEN.is_match(name)
}

/// All of a request that its event is made of, beside the body.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The source's name.
    pub source: &'a str,
    pub id: EventId,
    pub received_at: Timestamp,
    pub headers: &'a Headers,
}

/// The event of a request. What the body lacks, or has null or of another type, is absent;
/// `metadata` is then empty.
///
/// The journal keeps requests and makes their events anew, so what this makes of a request must stay
/// what it is: the fields of each preset, its name, and which headers are shown are a part of the
/// journal's format. (A test holds one to its text.)
pub(super) fn event(fields: &Fields, request: &Request<'_>, mut body: Json) -> Event {
    let metadata = body.at(fields.metadata).and_then(Json::as_object).cloned().unwrap_or_default();
    let status = fields.text(fields.status, &mut body);
    let timestamp = fields.text(fields.timestamp, &mut body);
    let kind = fields.text(fields.kind, &mut body);
    let structure = |value: &Json| matches!(value, Json::Object(_) | Json::Array(_));
    let payload = body.take(fields.payload).filter(structure);
    let mut received_at = String::with_capacity(TIME_BYTES);
    TIME.print_timestamp(&request.received_at, &mut received_at).expect("a text can be written to");
    let document = Object::of_fields([
        ("headers", Some(shown_headers(request.headers).into())),
        ("id", Some(request.id.text().into())),
        ("metadata", Some(metadata.into())),
        ("payload", payload),
        ("received_at", Some(received_at.into())),
        ("source", Some(request.source.into())),
        ("status", status),
        ("timestamp", timestamp),
        ("type", kind),
    ]);
    Event::of(request.id, document)
}

impl Fields {
    /// A text of the body. It is moved out, unless it stands in the payload, too.
    fn text(&self, path: &[&str], body: &mut Json) -> Option<Json> {
        let found = body.at(path).filter(|value| value.as_str().is_some())?;
        if path.starts_with(self.payload) { Some(found.clone()) } else { body.take(path) }
    }
}

/// The headers that rules and people may see; the values of one that comes several times are
/// joined by `, ` (RFC 9110 section 5.2).
fn shown_headers(headers: &Headers) -> Object {
    let mut shown = Object::with_capacity(USUAL_HEADERS);
    for (name, value) in headers.iter().filter(|(name, _)| !is_hidden_header(name)) {
        if let Some(Json::String(mut joined)) = shown.insert(name, value) {
            joined.push_str(", ");
            joined.push_str(value);
            shown.insert(name, Json::String(joined));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields = Fields {
        kind: &["type"],
        status: &["payload", "status"],
        metadata: &["payload", "metadata"],
        timestamp: &["timestamp"],
        payload: &["payload"],
    };

    fn document_of(body: &str, headers: &[(&str, &str)]) -> String {
        let headers = headers.iter().copied().collect();
        let received_at = "2026-11-23T08:00:00.1239Z".parse().unwrap();
        let id = EventId::new(0, 0);
        let request = Request { source: "s", id, received_at, headers: &headers };
        let body = crate::json::parse(body.as_bytes()).unwrap();
        let text = Json::clone(&event(&FIELDS, &request, body).shared()).to_string();
        text.replace(&format!(r#""id":"{id}","#), "")
    }

    #[test]
    fn fields_stand_where_the_preset_says() {
        let body =
            r#"{"type":"t","timestamp":"then","payload":{"status":"done","n":1.0,"metadata":{"a":"b"}}}"#;
        assert_eq!(
            document_of(body, &[("user-agent", "x")]),
            r#"{"headers":{"user-agent":"x"},"metadata":{"a":"b"},"payload":{"metadata":{"a":"b"},"n":1.0,"status":"done"},"received_at":"2026-11-23T08:00:00.123Z","source":"s","status":"done","timestamp":"then","type":"t"}"#
        );
    }

    #[test]
    fn what_is_absent_null_or_of_another_type_is_absent() {
        let bare = r#"{"headers":{},"metadata":{},"received_at":"2026-11-23T08:00:00.123Z","source":"s"}"#;
        for body in ["{}", r#"{"type":null,"timestamp":5,"payload":"x"}"#, r#"{"type":["t"],"payload":null}"#]
        {
            assert_eq!(document_of(body, &[]), bare, "{body}");
        }
        assert_eq!(
            document_of(r#"{"payload":{"status":7,"metadata":["a"]}}"#, &[]),
            r#"{"headers":{},"metadata":{},"payload":{"metadata":["a"],"status":7},"received_at":"2026-11-23T08:00:00.123Z","source":"s"}"#
        );
    }

    #[test]
    fn signatures_cookies_and_credentials_are_not_shown() {
        let hidden = [
            "x-browser-use-signature",
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-api-key",
            "x-gitlab-token",
            "x-shopify-hmac-sha256",
            "x-auth-key",
        ];
        let mut headers: Vec<_> = hidden.iter().map(|name| (*name, "hush")).collect();
        headers.extend([("via", "a"), ("via", "b"), ("idempotency-key", "k")]);
        let document = document_of("{}", &headers);
        assert!(!document.contains("hush"), "{document}");
        assert!(document.contains(r#"{"idempotency-key":"k","via":"a, b"}"#), "{document}");
    }
}
