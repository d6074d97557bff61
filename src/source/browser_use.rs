//! Browser Use Cloud: HMAC-SHA256, hex, over `{timestamp header}.{canonical JSON of the body}`.
//!
//! The sender is Python, so the canonical form is `json.dumps(body, separators=(",", ":"),
//! sort_keys=True)`; integrators disagree about `ensure_ascii`, so both spellings are tried. The
//! timestamp header is signed verbatim and read only for the window.

use super::window::BadTime;
use super::{Fields, Form, Parsed, Refused, Sender, SourceConfig, SourceKind, Tolerance, Verified, Verifier};
use crate::json::{CanonicalForm, Json, write_canonical};
use crate::registry::{ConfigError, Kind, Param, ParamType};
use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use sha2::Sha256;
use std::borrow::Cow;

/// The header with the time of sending.
pub const TIMESTAMP: &str = "x-browser-use-timestamp";
/// The header with the signature: 64 lower-case hex digits.
pub const SIGNATURE: &str = "x-browser-use-signature";

// Their names, read once.
static TIMESTAMP_HEADER: HeaderName = HeaderName::from_static(TIMESTAMP);
static SIGNATURE_HEADER: HeaderName = HeaderName::from_static(SIGNATURE);

const FIELDS: Fields = Fields {
    kind: &["type"],
    status: &["payload", "status"],
    metadata: &["payload", "metadata"],
    timestamp: &["timestamp"],
    payload: &["payload"],
};

/// The row.
pub const KIND: SourceKind = Kind {
    name: "browser-use",
    summary: "Browser Use Cloud: HMAC-SHA256 over the timestamp and the canonical JSON body.",
    example: "{preset: browser-use, secrets: [sesame], tolerance: 5m, dedupe: {by: body, within: 24h}}",
    schema: SCHEMA,
    build: Sender { fields: &FIELDS, verifier: build },
};

const SCHEMA: &[Param<'static>] = &[
    param("path", ParamType::String, "Where requests are posted; `/hooks/NAME` by default."),
    param("secrets", ParamType::List, "The signing secrets; several while one is rotated."),
    param("tolerance", ParamType::Any, "How old or early a request may be: `5m`, `{past, future}` or `off`."),
    param("dedupe", ParamType::Map, "When a request is the twin of another: `{by: body, within: 24h}`."),
    param("forms", ParamType::List, "What may have been signed: `python`, `utf8`, `raw`."),
];

const fn param(name: &'static str, ty: ParamType, summary: &'static str) -> Param<'static> {
    Param { name, ty, required: false, summary }
}

type HmacSha256 = Hmac<Sha256>;

fn signature(key: &HmacSha256, timestamp: &str, body: &Json) -> String {
    let mut canonical = Vec::new();
    write_canonical(body, CanonicalForm::Ascii, &mut canonical);
    hex::encode(message(key, timestamp.as_bytes(), &canonical).finalize().into_bytes())
}

#[cfg(test)]
pub fn sign(secret: &Secret, timestamp: &str, body: &Json) -> String {
    signature(&key(secret), timestamp, body)
}

fn key(secret: &Secret) -> HmacSha256 {
    HmacSha256::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length")
}

/// The MAC over the message, not yet finished.
fn message(key: &HmacSha256, timestamp: &[u8], signed: &[u8]) -> HmacSha256 {
    key.clone().chain_update(timestamp).chain_update(b".").chain_update(signed)
}

struct BrowserUse {
    /// Keyed MACs, each with the index of its secret.
    keys: Vec<(usize, HmacSha256)>,
    forms: Vec<Form>,
    tolerance: Tolerance,
}

fn build(config: &SourceConfig, secrets: &[(usize, Secret)]) -> Result<Box<dyn Verifier>, ConfigError> {
    Ok(Box::new(BrowserUse {
        keys: secrets.iter().map(|(index, secret)| (*index, key(secret))).collect(),
        forms: config.forms.clone(),
        tolerance: config.tolerance,
    }))
}

impl Verifier for BrowserUse {
    fn is_creation_test(&self, body: &Json) -> bool {
        let is_ok = |payload: &Json| {
            payload.as_object().is_some_and(|payload| payload.len() == 1)
                && payload.get("test").and_then(Json::as_str) == Some("ok")
        };
        body.get("type").and_then(Json::as_str) == Some("test") && body.get("payload").is_some_and(is_ok)
    }

    fn verify(&self, request: &Parsed<'_>) -> Result<Verified, Refused> {
        let timestamp = header(request.headers, &TIMESTAMP_HEADER)?;
        let signature = header(request.headers, &SIGNATURE_HEADER)?;
        self.tolerance.check(timestamp, request.now).map_err(|bad| match bad {
            BadTime::Form => Refused::TimestampForm(TIMESTAMP),
            BadTime::Outside => Refused::TimestampWindow,
        })?;
        let signature = decode(signature).ok_or(Refused::Signature)?;
        self.find(request, timestamp, &signature).ok_or(Refused::Signature)
    }

    fn sign(&self, timestamp: &str, body: &Json) -> Option<Vec<(&'static str, String)>> {
        let (_, key) = self.keys.first()?;
        Some(vec![(TIMESTAMP, timestamp.to_owned()), (SIGNATURE, signature(key, timestamp, body))])
    }
}

impl BrowserUse {
    /// The first form and secret whose MAC this is.
    fn find(&self, request: &Parsed<'_>, timestamp: &[u8], signature: &[u8; 32]) -> Option<Verified> {
        let mut tried: Vec<Cow<'_, [u8]>> = Vec::new();
        for form in self.forms.iter().copied() {
            let signed = signed_bytes(form, request);
            if tried.contains(&signed) {
                continue;
            }
            let good = |key: &HmacSha256| message(key, timestamp, &signed).verify_slice(signature).is_ok();
            if let Some((secret, _)) = self.keys.iter().find(|(_, key)| good(key)) {
                return Some(Verified { form, secret: *secret });
            }
            tried.push(signed);
        }
        None
    }
}

fn signed_bytes<'a>(form: Form, request: &Parsed<'a>) -> Cow<'a, [u8]> {
    match form.canonical() {
        None => request.raw.into(),
        Some(CanonicalForm::Ascii) => request.canonical.into(),
        Some(other) => {
            let mut out = Vec::with_capacity(request.canonical.len());
            write_canonical(request.body, other, &mut out);
            out.into()
        }
    }
}

/// The only value of a header, not empty.
fn header<'a>(headers: &'a HeaderMap, name: &'static HeaderName) -> Result<&'a [u8], Refused> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Refused::HeaderTwice(name.as_str())),
        (Some(value), None) if !value.is_empty() => Ok(value.as_bytes()),
        _ => Err(Refused::HeaderMissing(name.as_str())),
    }
}

/// 64 lower-case hex digits. (A decoder of both cases would want them looked at twice.)
fn decode(text: &[u8]) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_chunks() else { return None };
    let mut mac = [0; 32];
    let mut all = 0;
    if pairs.len() != mac.len() {
        return None;
    }
    for (byte, [high, low]) in mac.iter_mut().zip(pairs) {
        let (high, low) = (digit(*high), digit(*low));
        all |= high | low;
        *byte = high << 4 | low & 15;
    }
    (all < 16).then_some(mac)
}

/// More than 15 of what is no lower-case digit.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => 16,
    }
}
