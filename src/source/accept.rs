//! The request half of a source: verify, parse once, make the event.

use super::{Accepted, Incoming, KINDS, Parsed, Received, Refused, Request, Source, Verified, document};
use crate::event::{Event, EventId};
use crate::headers::Headers;
use crate::json::{self, CanonicalForm, Json, write_canonical};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

impl Source {
    /// Verifies a request and makes an event of it. The checks come in this order: the form of
    /// the body, the sender's creation test, whether there is a secret, then the verifier's.
    /// Pure, and bounded by the size of the body.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn accept(&self, request: Incoming<'_>) -> Result<Accepted, Refused> {
        let body = parse_object(&request.body)?;
        let mut canonical = Vec::with_capacity(request.body.len());
        write_canonical(&body, CanonicalForm::Ascii, &mut canonical);
        match self.verify(&request, &body, &canonical) {
            Ok(verified) => Ok(Accepted::Event(Box::new(self.receive(request, body, &canonical, verified)))),
            Err(_) if self.verifier.is_creation_test(&body) => Ok(Accepted::CreationTest),
            Err(refused) => Err(refused),
        }
    }

    /// The event of a body that is not verified: for dry runs.
    pub fn unverified(&self, id: EventId, body: Json, now: Timestamp) -> Event {
        let headers = Headers::default();
        let request = Request { source: &self.name, id, received_at: now, headers: &headers };
        document::event(self.fields, &request, body)
    }

    fn verify(&self, request: &Incoming<'_>, body: &Json, canonical: &[u8]) -> Result<Verified, Refused> {
        if self.waiting {
            return Err(Refused::NoSecret);
        }
        let Incoming { headers, body: raw, now, .. } = request;
        self.verifier.verify(&Parsed { headers, raw, body, canonical, now: *now })
    }

    fn receive(&self, request: Incoming<'_>, body: Json, canonical: &[u8], verified: Verified) -> Received {
        let now_ms = u64::try_from(request.now.as_millisecond()).unwrap_or(0);
        let (id, headers) = (EventId::new(now_ms, request.random), Headers::of(request.headers));
        let made_of = Request { source: &self.name, id, received_at: request.now, headers: &headers };
        Received {
            event: document::event(self.fields, &made_of, body),
            headers,
            preset: Some(self.preset),
            fingerprint: fingerprint(&self.name, canonical),
            body: request.body,
            verified,
        }
    }
}

/// The event of a request that a source of this preset accepted once.
///
/// # Errors
/// What stands in the way: the preset is unknown here, or the body is not what was accepted.
pub fn read_back(preset: &str, request: &Request<'_>, body: &[u8]) -> Result<Event, String> {
    let kind = KINDS.iter().find(|kind| kind.name == preset);
    let kind = kind.ok_or_else(|| format!("the preset `{preset}` is unknown"))?;
    let body = parse_object(body).map_err(|refused| refused.to_string())?;
    Ok(document::event(kind.build.fields, request, body))
}

fn parse_object(body: &[u8]) -> Result<Json, Refused> {
    match json::parse(body) {
        Ok(body @ Json::Object(_)) => Ok(body),
        Ok(other) => Err(Refused::body(format!("a JSON object is wanted, not {}", json_kind(&other)))),
        Err(error) => Err(Refused::body(error.to_string())),
    }
}

/// A value as a sender reads it: in the words of JSON.
fn json_kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// What twins share: SHA-256 over the source's name, a zero byte (no name has one) and the
/// canonical body, which stays the same when the sender signs anew.
fn fingerprint(source: &str, canonical: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(source).chain_update([0]).chain_update(canonical).finalize().into()
}
