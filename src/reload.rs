//! Hot reload: what is on disk is compiled whole, off the request path, and swapped in one step;
//! or what is served stays, and the diagnostics are shown.

mod candidate;
mod inputs;
mod reloader;
mod stamp;
mod watcher;

use crate::action::Context;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::json::Json;
use crate::rules::{Serving, Settings};
use crate::source::Sources;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

pub use inputs::name_of;
pub use reloader::Reloader;

/// What the rest of the program sees of the current configuration. Each is replaced in one step.
#[derive(Clone)]
pub struct Current {
    pub serving: watch::Receiver<Option<Arc<Serving>>>,
    pub sources: watch::Receiver<Arc<Sources>>,
    pub config: watch::Receiver<Arc<Config>>,
    /// The verdict on what is on disk now.
    pub verdict: watch::Receiver<Arc<Verdict>>,
}

/// What became of the last look at the disk that found a change.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub at: Timestamp,
    /// Whether what is on disk is what is served.
    pub ok: bool,
    /// The generation that is served now.
    pub generation: Option<u64>,
    /// One sentence.
    pub summary: String,
    pub diagnostics: Vec<Diagnostic>,
}

impl Verdict {
    /// As `/api/status` and `POST /api/reload` show it.
    pub fn to_json(&self) -> Json {
        Json::object([
            ("at", self.at.to_string().into()),
            ("ok", self.ok.into()),
            ("generation", self.generation.into()),
            ("summary", self.summary.as_str().into()),
            ("diagnostics", Json::Array(self.diagnostics.iter().map(Diagnostic::to_json).collect())),
        ])
    }
}

/// A wish for a reload now, and where its verdict goes. It also takes an empty directory at its
/// word, which the watcher never does.
pub type Request = oneshot::Sender<Arc<Verdict>>;

/// What loading the rules of a configuration needs to know.
pub fn settings(config: &Config, context: Context) -> Settings {
    Settings {
        sources: config.sources.iter().map(|source| source.name().to_owned()).collect(),
        resolver: Arc::new(config.environment.clone()),
        limits: config.limits.script(),
        context,
        assume_required: false,
    }
}

/// Reading and compiling, off the threads that answer requests. `None` if it panicked, which is a
/// bug of hookyard that must not end the watching.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) => {
            tracing::error!("reading the rules failed inside hookyard, which is a bug: {error}");
            None
        }
    }
}
