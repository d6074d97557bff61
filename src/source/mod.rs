//! Sources: how the requests of one endpoint are verified, and how they become events.
//!
//! A [`Source`] is an endpoint; its [`Verifier`] knows one sender's way of signing. Adding a
//! sender is one file beside this one, its `mod` line and its row in [`KINDS`].

mod accept;
pub mod browser_use;
mod config;
mod document;
mod endpoint;
mod refused;
mod window;

use crate::event::Event;
use crate::headers::Headers;
use crate::json::{CanonicalForm, Json};
use crate::registry::{ConfigError, Kind};
use crate::secret::Secret;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

pub use accept::read_back;
#[cfg(test)]
pub use browser_use::sign;
pub use config::{Dedupe, DedupeBy, SourceConfig};
pub use document::{Fields, Request, is_hidden_header};
pub use endpoint::{Source, Sources};
pub use refused::Refused;
pub use window::Tolerance;

/// The built-in senders.
pub const KINDS: &[SourceKind] = &[browser_use::KIND];

/// A row: a sender that `preset:` can name.
pub type SourceKind = Kind<Sender>;

/// What a row knows of its sender.
#[derive(Clone, Copy)]
pub struct Sender {
    /// Where in a body the fields of the event document stand. The journal relies on it.
    pub fields: &'static Fields,
    pub verifier: Build,
}

/// Makes the verifier of a source from its configuration and the secrets that have a value, each
/// with its index among the configured ones.
pub type Build = fn(&SourceConfig, &[(usize, Secret)]) -> Result<Box<dyn Verifier>, ConfigError>;

/// One sender's way of signing.
pub trait Verifier: Send + Sync {
    /// Whether this is what the sender posts when the webhook is created, perhaps before its
    /// secret is known.
    fn is_creation_test(&self, body: &Json) -> bool;

    /// Checks headers, timestamp and signature, in this order. Pure.
    ///
    /// # Errors
    /// [`Refused`], which says nothing about how near a signature was.
    fn verify(&self, request: &Parsed<'_>) -> Result<Verified, Refused>;

    /// The headers with which the sender would sign a body, by the first secret that is known;
    /// `None` without one.
    fn sign(&self, timestamp: &str, body: &Json) -> Option<Vec<(&'static str, String)>>;
}

/// A request whose body has been parsed.
pub struct Parsed<'a> {
    pub headers: &'a HeaderMap,
    /// The body as it came.
    pub raw: &'a [u8],
    pub body: &'a Json,
    /// The body in [`CanonicalForm::Ascii`].
    pub canonical: &'a [u8],
    pub now: Timestamp,
}

/// A request as the source sees it.
pub struct Incoming<'a> {
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    pub now: Timestamp,
    /// Low 80 bits for the event's id.
    pub random: u128,
}

/// What an accepted request is.
#[derive(Clone, Debug)]
pub enum Accepted {
    /// A verified event.
    Event(Box<Received>),
    /// The sender tries the endpoint out and has not signed (or not with a secret known here):
    /// it is answered and goes nowhere.
    CreationTest,
}

/// A verified request on its way to the journal.
#[derive(Clone, Debug)]
pub struct Received {
    pub event: Event,
    /// The exact body, for forwarding and re-verification.
    pub body: Bytes,
    pub headers: Headers,
    /// Which preset made the event of these headers and this body, so that [`read_back`] makes it again;
    /// `None`: nothing does.
    pub preset: Option<&'static str>,
    /// SHA-256 that two deliveries of the same event share: source and canonical body.
    pub fingerprint: [u8; 32],
    pub verified: Verified,
}

/// How a signature was found good. Counted, and shown in the event's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verified {
    pub form: Form,
    /// Index of the secret among the source's configured secrets.
    pub secret: usize,
}

/// What of the body was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
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

    /// The form of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Python, Self::Utf8, Self::Raw].into_iter().find(|form| form.name() == name)
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

#[cfg(test)]
mod tests;
