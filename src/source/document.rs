//! The event document of a verified request.

use super::Incoming;
use crate::json::{Json, Object};
use http::HeaderMap;
use regex::Regex;
use std::sync::LazyLock;

/// Where in a body the fields of the document stand, as JSON pointers.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    pub kind: &'static str,
    pub status: &'static str,
    pub metadata: &'static str,
    pub timestamp: &'static str,
    pub payload: &'static str,
}

/// Parts of the names of headers that carry a signature or a credential.
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
static ANY_HIDDEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&HIDDEN.join("|")).expect("they are letters and hyphens"));

/// Whether a header, by its lower-case name, is kept out of documents.
pub fn is_hidden_header(name: &str) -> bool {
    ANY_HIDDEN.is_match(name)
}

/// The document, but for its `id`. What the body lacks, or has null or of another type, is absent;
/// `metadata` is then empty.
pub(super) fn document(source: &str, fields: &Fields, request: &Incoming<'_>, mut body: Json) -> Object {
    let text = |pointer: &str| body.pointer(pointer).filter(|value| value.as_str().is_some()).cloned();
    let (kind, status, timestamp) = (text(fields.kind), text(fields.status), text(fields.timestamp));
    let metadata = body.pointer(fields.metadata).and_then(Json::as_object).cloned().unwrap_or_default();
    // What is copied stands in it.
    let structure = |value: &Json| matches!(value, Json::Object(_) | Json::Array(_));
    let payload = body.take(fields.payload).filter(structure);
    // In their order, so that each is put behind the others.
    let members = [
        ("headers", Some(shown_headers(request.headers).into())),
        ("metadata", Some(metadata.into())),
        ("payload", payload),
        ("received_at", Some(format!("{:.3}", request.now).into())),
        ("source", Some(source.into())),
        ("status", status),
        ("timestamp", timestamp),
        ("type", kind),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// All headers as they came. The name of a [`HeaderMap`] is lower case already; a value that is
/// not UTF-8 has its stray bytes replaced.
pub fn all_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The headers that rules and people may see; the values of one that comes several times are
/// joined by `, ` (RFC 9110 section 5.2).
fn shown_headers(headers: &HeaderMap) -> Object {
    let mut shown = Object::new();
    for (name, value) in headers {
        let name = name.as_str();
        if is_hidden_header(name) {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        match shown.get_mut(name) {
            Some(Json::String(first)) => {
                first.push_str(", ");
                first.push_str(&value);
            }
            _ => {
                shown.insert(name, &*value);
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderName, HeaderValue};

    const FIELDS: Fields = Fields {
        kind: "/type",
        status: "/payload/status",
        metadata: "/payload/metadata",
        timestamp: "/timestamp",
        payload: "/payload",
    };

    fn document_of(body: &str, headers: &[(&str, &str)]) -> String {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().map(pair) {
            map.append(name, value);
        }
        let now = "2026-11-23T08:00:00.1239Z".parse().unwrap();
        let request = Incoming { headers: &map, body: Bytes::new(), now, random: 0 };
        let body = crate::json::parse(body.as_bytes()).unwrap();
        Json::Object(document("s", &FIELDS, &request, body)).to_string()
    }

    #[test]
    fn fields_stand_where_the_preset_says() {
        let body =
            r#"{"type":"t","timestamp":"then","payload":{"status":"done","n":1.0,"metadata":{"a":"b"}}}"#;
        assert_eq!(
            document_of(body, &[("User-Agent", "x")]),
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
            "X-Browser-Use-Signature",
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "X-Api-Key",
            "X-Gitlab-Token",
            "X-Shopify-Hmac-Sha256",
            "X-Auth-Key",
        ];
        let mut headers: Vec<_> = hidden.iter().map(|name| (*name, "hush")).collect();
        headers.extend([("Via", "a"), ("Via", "b"), ("Idempotency-Key", "k")]);
        let document = document_of("{}", &headers);
        assert!(!document.contains("hush"), "{document}");
        assert!(document.contains(r#"{"idempotency-key":"k","via":"a, b"}"#), "{document}");
    }
}
