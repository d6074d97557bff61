//! Hot reload: what is on disk is compiled whole, off the request path, and swapped in one step;
//! or what is served stays, and the diagnostics are shown.

mod inputs;
mod watcher;

use crate::action::Context;
use crate::config::{Config, Location};
use crate::diagnostic::{self, Diagnostic};
use crate::journal::{Heal, Journal};
use crate::json::Json;
use crate::rules::{self, RuleSet, Serving, Settings, Tree};
use crate::source::Sources;
use inputs::Inputs;
use jiff::Timestamp;
use metrics::{counter, gauge};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// What the rest of the program sees of the current configuration. Each is replaced in one step.
#[derive(Clone)]
pub struct Current {
    pub serving: watch::Receiver<Option<Arc<Serving>>>,
    pub sources: watch::Receiver<Arc<Sources>>,
    pub config: watch::Receiver<Arc<Config>>,
    /// The verdict on what is on disk now.
    pub verdict: watch::Receiver<Arc<Verdict>>,
}

/// What became of the last look at the disk.
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

/// Loads, swaps, and watches. One task owns it.
pub struct Reloader {
    location: Location,
    journal: Arc<dyn Journal>,
    context: Box<dyn Fn(&Config) -> Context + Send + Sync>,
    /// What was last looked at, good or bad.
    seen: Option<Inputs>,
    serving: watch::Sender<Option<Arc<Serving>>>,
    sources: watch::Sender<Arc<Sources>>,
    config: watch::Sender<Arc<Config>>,
    verdict: watch::Sender<Arc<Verdict>>,
}

/// What a look at the disk came to, before anything is swapped.
struct Candidate {
    config: Arc<Config>,
    tree: Tree,
    rules: RuleSet,
    diagnostics: Vec<Diagnostic>,
}

impl Reloader {
    /// Loads for the first time. With broken rules the newest good generation is served; with
    /// none of those, nothing is, and events wait in the journal.
    pub async fn start(
        location: Location,
        config: Config,
        journal: Arc<dyn Journal>,
        context: impl Fn(&Config) -> Context + Send + Sync + 'static,
    ) -> (Self, Current) {
        let config = Arc::new(config);
        let nothing = Verdict {
            at: Timestamp::now(),
            ok: false,
            generation: None,
            summary: "nothing is loaded yet".into(),
            diagnostics: Vec::new(),
        };
        let (serving, serving_seen) = watch::channel(None);
        let (sources, sources_seen) = watch::channel(Arc::clone(&config.sources));
        let (config, config_seen) = watch::channel(config);
        let (verdict, verdict_seen) = watch::channel(Arc::new(nothing));
        let context = Box::new(context);
        let mut reloader = Self { location, journal, context, seen: None, serving, sources, config, verdict };
        let current = Current {
            serving: serving_seen,
            sources: sources_seen,
            config: config_seen,
            verdict: verdict_seen,
        };
        reloader.reload(false).await;
        if reloader.serving.borrow().is_none() {
            reloader.serve_last_good().await;
        }
        (reloader, current)
    }

    /// Watches and answers requests until `shutdown`.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>, shutdown: CancellationToken) {
        let mut watcher = watcher::Watcher::start(&self.config.borrow());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                request = requests.recv() => match request {
                    Some(answer) => {
                        let verdict = self.reload(true).await;
                        // The asker may have gone: the verdict is in the status as well.
                        let _ = answer.send(verdict);
                    }
                    None => return,
                },
                () = watcher.changed() => {
                    self.reload(false).await;
                }
            }
            watcher.follow(&self.config.borrow());
        }
    }

    /// Looks at the disk and serves what is there if it is good and new. `asked` is whether a
    /// person wants it: then an empty directory is taken at its word.
    async fn reload(&mut self, asked: bool) -> Arc<Verdict> {
        let location = self.location.clone();
        let current = Arc::clone(&self.config.borrow());
        let inputs = blocking(move || Inputs::read(&location, &current)).await;
        if !asked && self.seen.as_ref() == Some(&inputs) {
            return Arc::clone(&self.verdict.borrow());
        }
        let result = match self.refuse_vanished(&inputs, asked) {
            Some(kept) => Err(kept),
            None => self.compile(inputs.clone()).await,
        };
        self.seen = Some(inputs);
        match result {
            Ok(candidate) => self.swap(candidate).await,
            Err(diagnostics) => self.keep(diagnostics),
        }
    }

    /// A directory that vanished or is empty never replaces a set that is not (an unmounted
    /// volume, a checkout half way), unless a person asks for it. At a first start it is no generation.
    fn refuse_vanished(&self, inputs: &Inputs, asked: bool) -> Option<Vec<Diagnostic>> {
        let missing = match &inputs.tree {
            Ok(tree) if !tree.is_empty() || asked => return None,
            Ok(_) => "has no rules in it: put a .yaml file there".to_owned(),
            Err(error) => error.clone(),
        };
        let directory = inputs.rules.display().to_string();
        Some(vec![Diagnostic::error(directory, missing)])
    }

    async fn compile(&self, inputs: Inputs) -> Result<Candidate, Vec<Diagnostic>> {
        let config = inputs.config.map(Arc::new).map_err(|error| (*error).clone())?;
        let tree = inputs.tree.map_err(|error| vec![Diagnostic::error(inputs.rules.display().to_string(), error)])?;
        let settings = settings(&config, (self.context)(&config));
        let (loaded, tree) = blocking(move || (rules::load(&tree, &settings), tree)).await;
        match loaded.rules {
            Some(rules) => Ok(Candidate { config, tree, rules, diagnostics: loaded.diagnostics }),
            None => Err(loaded.diagnostics),
        }
    }

    async fn swap(&mut self, candidate: Candidate) -> Arc<Verdict> {
        let now = Timestamp::now();
        let number = match self.journal.keep_generation(&candidate.tree, now).await {
            Ok(number) => number,
            Err(error) => {
                self.seen = None;
                return self.keep(vec![Diagnostic::error("journal", error.to_string())]);
            }
        };
        let old = self.serving.borrow().clone();
        let old_config = Arc::clone(&self.config.borrow());
        let heal = healed(old.as_deref(), &candidate.rules, old_config.limits != candidate.config.limits
            || old_config.egress != candidate.config.egress);
        for key in old_config.needs_restart(&candidate.config) {
            warn!("{key} has changed: it is used from the next start on");
        }
        let count = candidate.rules.rules.len();
        self.sources.send_replace(Arc::clone(&candidate.config.sources));
        self.config.send_replace(candidate.config);
        self.serving.send_replace(Some(Arc::new(Serving { number, rules: candidate.rules })));
        counter!("hookyard_reloads_total", "result" => "good").increment(1);
        gauge!("hookyard_generation").set(number as f64);
        self.heal(heal, now).await;
        let rules = if count == 1 { "rule" } else { "rules" };
        let summary = format!("generation {number} is served: {count} {rules}");
        info!("{summary}");
        for warning in &candidate.diagnostics {
            warn!("{warning}");
        }
        self.publish(Verdict { at: now, ok: true, generation: Some(number), summary, diagnostics: candidate.diagnostics })
    }

    async fn heal(&self, which: Heal, now: Timestamp) {
        match self.journal.heal(which, now).await {
            Ok(0) => {}
            Ok(count) => info!("{count} blocked deliveries are due again"),
            Err(error) => error!("blocked deliveries could not be made due: {error}"),
        }
    }

    fn keep(&mut self, diagnostics: Vec<Diagnostic>) -> Arc<Verdict> {
        let generation = self.serving.borrow().as_ref().map(|serving| serving.number);
        let served = generation.map_or_else(
            || "no rules are served, events wait in the journal".to_owned(),
            |number| format!("generation {number} is still served"),
        );
        let summary = format!("{}: {served}", diagnostic::summary(&diagnostics));
        counter!("hookyard_reloads_total", "result" => "bad").increment(1);
        for diagnostic in &diagnostics {
            error!("{diagnostic}");
        }
        error!("{summary}");
        self.publish(Verdict { at: Timestamp::now(), ok: false, generation, summary, diagnostics })
    }

    fn publish(&self, verdict: Verdict) -> Arc<Verdict> {
        let verdict = Arc::new(verdict);
        self.verdict.send_replace(Arc::clone(&verdict));
        verdict
    }

    async fn serve_last_good(&mut self) {
        let generation = match self.journal.newest_generation().await {
            Ok(Some(generation)) => generation,
            Ok(None) => return,
            Err(error) => return error!("the last good rules cannot be read: {error}"),
        };
        let config = Arc::clone(&self.config.borrow());
        let settings = settings(&config, (self.context)(&config));
        let loaded = blocking(move || rules::load(&generation.files, &settings)).await;
        let number = generation.number;
        let Some(rules) = loaded.rules else {
            return error!("generation {number}, the last good rules, does not load with this configuration");
        };
        self.serving.send_replace(Some(Arc::new(Serving { number, rules })));
        gauge!("hookyard_generation").set(number as f64);
        let last = Arc::clone(&self.verdict.borrow());
        let summary = format!("{}: generation {number}, the last good one, is served", diagnostic::summary(&last.diagnostics));
        warn!("{summary}");
        self.publish(Verdict { generation: Some(number), summary, ..(*last).clone() });
    }
}

/// Whose blocked deliveries a swap heals: raised limits and egress may mend any of them.
fn healed(old: Option<&Serving>, new: &RuleSet, limits_changed: bool) -> Heal {
    match old {
        Some(old) if !limits_changed => Heal::Rules(new.changed_since(&old.rules)),
        _ => Heal::All,
    }
}

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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("reading and compiling do not panic, and are not aborted")
}
