//! Sources: how the requests of one endpoint are verified, and how they become events.

use crate::event::Event;
use crate::json::CanonicalForm;
use bytes::Bytes;
use http::HeaderMap;

/// A verified request on its way to the journal.
#[derive(Clone, Debug)]
pub struct Received {
    pub event: Event,
    /// The exact body, for forwarding and re-verification.
    pub body: Bytes,
    /// All headers as they came (names lower case), in order.
    pub headers: Vec<(String, String)>,
    /// SHA-256 that two deliveries of the same event share: source and canonical body.
    pub fingerprint: [u8; 32],
    pub verified: Verified,
}

/// How a signature was found good. Counted, and shown in the event's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub form: Form,
    /// Index of the secret among the source's secrets.
    pub secret: usize,
}

/// What of the body was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Python's `json.dumps` with its default `ensure_ascii=True`.
    Python,
    /// The same with `ensure_ascii=False`.
    Utf8,
    /// The body as it came.
    Raw,
}

impl Form {
    /// The name in configuration and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Utf8 => "utf8",
            Self::Raw => "raw",
        }
    }

    /// The canonical form behind it, if it is not the raw body.
    pub fn canonical(self) -> Option<CanonicalForm> {
        match self {
            Self::Python => Some(CanonicalForm::Ascii),
            Self::Utf8 => Some(CanonicalForm::Utf8),
            Self::Raw => None,
        }
    }
}

/// A request as the source sees it.
pub struct Incoming<'a> {
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    pub now: jiff::Timestamp,
    /// Low 80 bits for the event's id.
    pub random: u128,
}
