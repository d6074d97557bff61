//! Actions: what is done with an event. One file per kind, one row each in [`KINDS`].

mod answers;
pub mod client;
pub mod egress;
mod email;
mod emit;
mod file;
mod heard;
pub(crate) mod http;
mod log;
mod params;
mod programs;
mod slack;
#[cfg(test)]
mod tests;
mod trace;

use crate::delivery::{DeliveryId, LANE_CONCURRENCY, Receipt};
use crate::event::Event;
use crate::headers::Headers;
use crate::kv;
use crate::registry::{ConfigError, Kind};
use crate::template::{Params, Rendered};
use async_trait::async_trait;
use bytes::Bytes;
use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use answers::{Answers, Canned};
pub use client::Client;
pub use egress::Egress;
pub use heard::Heard;
pub(crate) use log::one_line;
pub use programs::Programs;
pub use trace::Trace;

use file::Files;

/// Somewhere an event can be delivered to. Built once for an action of a rule, or for an effect.
#[async_trait]
pub trait Action: Send + Sync {
    /// Delivers once. The caller bounds the time, retries and records: do none of that here.
    /// Dropping the future abandons the attempt.
    ///
    /// # Errors
    /// [`ActionError`] says what is to become of the delivery.
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError>;

    /// How many attempts of a lane at once it is made for, where nothing says.
    fn concurrency(&self) -> usize {
        LANE_CONCURRENCY
    }

    /// Whether an attempt takes up nothing but memory while it waits with others, for a disk or for its
    /// turn. Then others are made meanwhile, as they are while outcomes are being kept.
    fn only_waits(&self) -> bool {
        false
    }
}

/// One try of a delivery.
pub struct Attempt {
    pub id: DeliveryId,
    /// From 1.
    pub number: u32,
    pub event: Arc<Event>,
    /// The exact body as received, for forwarding.
    pub body: Bytes,
    /// All headers as received, names lower case.
    pub headers: Headers,
    /// The action's parameters, filled in.
    pub params: Rendered,
    /// What `traceparent` is to say.
    pub trace: Trace,
    /// Which private hosts may be reached.
    pub consent: Consent,
    /// Which ones a script's own requests may reach.
    pub script_consent: Consent,
    /// The committed state of scripts.
    pub state: Arc<dyn kv::Store>,
    /// In a dry run, where nothing goes out: what `fetch` gets.
    pub answers: Option<Arc<Answers>>,
    /// Where an answer is left, for the record.
    pub heard: Heard,
}

/// Who chose a destination.
#[derive(Clone, Debug)]
pub enum Consent {
    /// The author wrote it: all but link-local and metadata addresses.
    Author,
    /// A script computed it: public addresses, `egress.allow`, and these hosts with their ports
    /// (`crm.example:443`) that the author wrote in the action's parameters or in `vars`. A host
    /// alone would open all that listens there, hookyard's own admin side too.
    Hosts(Arc<BTreeSet<String>>),
}

/// Why an attempt did not deliver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// A later attempt may succeed; `after` is what the other side asked for.
    #[error("{error}")]
    Retry { error: String, after: Option<Duration> },
    /// The other side answered with an HTTP status that is no success: `retry.never` says whether a
    /// later attempt is made.
    #[error("{error}")]
    Answered { status: u16, error: String, after: Option<Duration> },
    /// The destination does not work: no connection, a broken one, no sense in what it says. A later
    /// attempt may succeed; too many of these in a row and the lane is paused.
    #[error("{0}")]
    Down(String),
    /// No attempt will: the delivery is dead.
    #[error("{0}")]
    Refused(String),
    /// The rule or script itself is at fault: it waits until that is mended.
    #[error("{0}")]
    Blocked(String),
}

/// What the kinds share: the guarded client, the file root, the programs that may be run. Cheap to
/// clone.
#[derive(Clone)]
pub struct Context {
    client: Client,
    files: Files,
    programs: Programs,
}

impl Context {
    /// Touches neither network nor disk, so that it serves dry runs too. `files` is the directory
    /// that the `file` action may write in; it is made when first written to.
    pub fn new(egress: impl Borrow<Egress>, files: impl Into<PathBuf>) -> Self {
        let (client, files) = (Client::new(egress.borrow().clone()), Files::new(files.into()));
        Self { client, files, programs: Programs::default() }
    }

    /// The client that every request goes out by.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same, with other rules for private addresses: after a reload, so that writers of one
    /// file go on sharing its queue.
    #[must_use]
    pub fn with_egress(&self, egress: impl Borrow<Egress>) -> Self {
        Self { client: Client::new(egress.borrow().clone()), ..self.clone() }
    }

    /// The same, with the programs that may be run.
    #[must_use]
    pub fn with_programs(self, programs: Programs) -> Self {
        Self { programs, ..self }
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }
}

/// Makes an action from its parameters; checks all of them that is literal.
pub type Build = fn(&Params, &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>>;

/// A row: an action that YAML can name and scripts can call.
pub type ActionKind = Kind<Build>;

/// The built-in actions. `script` and `exec`, whose effects are checked there, have their rows in
/// `crate::script`.
pub const KINDS: &[ActionKind] = &[http::KIND, slack::KIND, email::KIND, file::KIND, log::KIND, emit::KIND];
