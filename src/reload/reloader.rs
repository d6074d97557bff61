//! The one task that loads, swaps and watches.

use super::candidate::{self, Candidate};
use super::inputs::{self, Inputs, Referenced};
use super::stamp::Stamp;
use super::watcher::{Hint, LONGEST, QUIET, Watcher};
use super::{Current, Request, Verdict, blocking};
use crate::action::Context;
use crate::config::{Config, Location};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::journal::{Heal, Journal};
use crate::json::Json;
use crate::rules::{RuleSet, Serving, Tree, own};
use crate::source::Sources;
use jiff::Timestamp;
use metrics::{counter, gauge};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Every so many polls everything is read, whatever the files look like from outside.
const FULL_LOOK_EVERY: u32 = 4;

/// How many problems the event of a failed reload names.
const MOST_TOLD: usize = 20;

/// Loads, swaps, and watches. One task owns it.
pub struct Reloader {
    location: Location,
    journal: Arc<dyn Journal>,
    context: Box<dyn Fn(&Config) -> Context + Send + Sync>,
    /// What the listeners and the journal were opened with.
    started: Arc<Config>,
    /// What was last looked at, good or bad; `None` if it has to be looked at again.
    seen: Option<Arc<Inputs>>,
    /// What that looked like from outside, and the polls since then.
    stamp: Stamp,
    polls: u32,
    /// Whether blocked deliveries could not be made due when they should have been.
    heal_again: bool,
    /// The files behind what is served.
    tree: Option<Tree>,
    referenced: Referenced,
    serving: watch::Sender<Option<Arc<Serving>>>,
    sources: watch::Sender<Arc<Sources>>,
    config: watch::Sender<Arc<Config>>,
    verdict: watch::Sender<Arc<Verdict>>,
}

impl Reloader {
    /// Loads for the first time. With broken rules the newest good generation of their directory is
    /// served; with none of those, nothing is, and events wait in the journal.
    pub async fn start(
        location: Location,
        config: Config,
        journal: Arc<dyn Journal>,
        context: impl Fn(&Config) -> Context + Send + Sync + 'static,
    ) -> (Self, Current) {
        let started = Arc::new(config);
        tell_sources(None, &started.sources);
        let (serving, serving_seen) = watch::channel(None);
        let (sources, sources_seen) = watch::channel(Arc::clone(&started.sources));
        let (config, config_seen) = watch::channel(Arc::clone(&started));
        let (verdict, verdict_seen) = watch::channel(Arc::new(nothing_yet()));
        let mut reloader = Self {
            location,
            journal,
            context: Box::new(context),
            started,
            seen: None,
            stamp: Stamp::default(),
            polls: 0,
            heal_again: false,
            tree: None,
            referenced: Referenced::default(),
            serving,
            sources,
            config,
            verdict,
        };
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
        let mut watcher = Watcher::start(&self.config.borrow());
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
                hint = watcher.changed() => {
                    if self.heal_again {
                        // All of them: one too many is attempted once more, nothing else.
                        self.heal(Heal::All, Timestamp::now()).await;
                    }
                    if hint == Hint::Event || self.looks_changed().await {
                        self.reload(false).await;
                    }
                }
            }
            watcher.follow(&self.config.borrow());
        }
    }

    /// Whether a poll has to read everything. If something looks changed, it first waits until the
    /// saving has come to rest.
    async fn looks_changed(&mut self) -> bool {
        self.polls += 1;
        if self.polls >= FULL_LOOK_EVERY || self.seen.is_none() {
            return true;
        }
        let Some(mut stamp) = self.look_from_outside().await else { return true };
        if stamp == self.stamp {
            return false;
        }
        let latest = Instant::now() + LONGEST;
        while Instant::now() < latest {
            sleep(QUIET).await;
            match self.look_from_outside().await {
                Some(next) if next != stamp => stamp = next,
                _ => return true,
            }
        }
        true
    }

    async fn look_from_outside(&self) -> Option<Stamp> {
        let (seen, current) = (self.seen.clone()?, Arc::clone(&self.config.borrow()));
        blocking(move || seen.stamp(&current)).await
    }

    /// Reads everything; again while somebody is writing, but not for ever.
    async fn look(&mut self) -> Option<Inputs> {
        let latest = Instant::now() + LONGEST;
        loop {
            let (location, current) = (self.location.clone(), Arc::clone(&self.config.borrow()));
            let (inputs, stamp, steady) =
                blocking(move || Inputs::read_steadily(&location, &current)).await?;
            if steady || Instant::now() >= latest {
                (self.stamp, self.polls) = (stamp, 0);
                return Some(inputs);
            }
            sleep(QUIET).await;
        }
    }

    /// Looks at the disk and serves what is there if it is good and new. `asked` is whether a
    /// person wants it: then an empty directory is taken at its word.
    async fn reload(&mut self, asked: bool) -> Arc<Verdict> {
        let Some(inputs) = self.look().await.map(Arc::new) else {
            return Arc::clone(&self.verdict.borrow());
        };
        if !asked && self.seen.as_ref() == Some(&inputs) {
            return Arc::clone(&self.verdict.borrow());
        }
        self.seen = Some(Arc::clone(&inputs));
        let verdict = match self.candidate(&inputs, asked).await {
            Ok(candidate) => self.swap(candidate).await,
            Err(diagnostics) => Err(diagnostics),
        };
        match verdict {
            Ok(verdict) => verdict,
            Err(diagnostics) => {
                self.follow_configuration(&inputs).await;
                self.keep(diagnostics, asked).await
            }
        }
    }

    async fn candidate(&self, inputs: &Inputs, asked: bool) -> Result<Candidate, Vec<Diagnostic>> {
        let (config, tree, referenced) = candidate::readable(inputs, asked)?;
        self.compile(config, tree, referenced).await
    }

    async fn compile(
        &self,
        config: Config,
        tree: Tree,
        referenced: Referenced,
    ) -> Result<Candidate, Vec<Diagnostic>> {
        self.refuse_unguarded(&config)?;
        let context = (self.context)(&config);
        let mut candidate = Candidate::compile(Arc::new(config), context, tree, referenced).await?;
        candidate.warn_of_restart(&self.started);
        Ok(candidate)
    }

    /// The admin listener stays where it was opened: off loopback it must not lose its token.
    fn refuse_unguarded(&self, config: &Config) -> Result<(), Vec<Diagnostic>> {
        let open = [&self.started.admin.listen, &config.admin.listen]
            .into_iter()
            .find(|listen| config.admin.token.is_none() && !crate::config::is_loopback(listen));
        let Some(listen) = open else { return Ok(()) };
        let message = format!("admin.token is not set, but others can reach the admin side at {listen}");
        Err(vec![
            Diagnostic::error(self.location.name(), message)
                .with_help("set admin.token, or restart with the admin side on 127.0.0.1"),
        ])
    }

    /// Rules that are broken must not keep a changed secret or limit from being used: the
    /// configuration is taken alone, if the rules that are served work with it.
    async fn follow_configuration(&mut self, inputs: &Inputs) {
        let Ok(config) = &inputs.config else { return };
        if config.fingerprint == self.config.borrow().fingerprint {
            return;
        }
        let serving = self.serving.borrow().as_ref().map(|serving| serving.number);
        let (Some(tree), Some(number)) = (self.tree.clone(), serving) else {
            return self.follow_alone(config);
        };
        let referenced = self.referenced.clone();
        match self.compile(config.clone(), tree, referenced).await {
            Ok(candidate) => {
                self.serve(candidate, number, Timestamp::now()).await;
                info!("the configuration has changed, and is used with the rules of generation {number}");
            }
            Err(_) => {
                warn!("the configuration has changed, but the rules that are served do not load with it");
                self.follow_alone(config);
            }
        }
    }

    /// A secret that was taken away, a token or a limit hold whatever the rules are.
    fn follow_alone(&self, config: &Config) {
        if self.refuse_unguarded(config).is_err() {
            return;
        }
        tell_sources(Some(&self.sources.borrow()), &config.sources);
        self.sources.send_replace(Arc::clone(&config.sources));
        self.config.send_replace(Arc::new(config.clone()));
        info!("the configuration has changed: sources, limits and the admin side follow it");
    }

    async fn swap(&mut self, candidate: Candidate) -> Result<Arc<Verdict>, Vec<Diagnostic>> {
        let now = Timestamp::now();
        let directory = inputs::name_of(&candidate.config.rules);
        let number = match self.journal.keep_generation(&directory, &candidate.tree, now).await {
            Ok(number) => number,
            Err(error) => {
                // Not seen: the next poll tries again.
                self.seen = None;
                return Err(vec![Diagnostic::error("journal", error.to_string())]);
            }
        };
        let count = candidate.rules.rules.len();
        let diagnostics = candidate.diagnostics.clone();
        self.serve(candidate, number, now).await;
        counter!("hookyard_reloads_total", "result" => "good").increment(1);
        let rules = if count == 1 { "rule" } else { "rules" };
        let summary = format!("generation {number} is served: {count} {rules}");
        info!("{summary}");
        log(&diagnostics);
        Ok(self.publish(Verdict { at: now, ok: true, generation: Some(number), summary, diagnostics }))
    }

    /// From here on requests are routed and deliveries made by this.
    async fn serve(&mut self, candidate: Candidate, number: u64, now: Timestamp) {
        let old = self.serving.borrow().clone();
        let old_config = Arc::clone(&self.config.borrow());
        let heal = candidate.heals(old.as_deref(), &old_config, &self.referenced);
        tell_sources(Some(&old_config.sources), &candidate.config.sources);
        self.sources.send_replace(Arc::clone(&candidate.config.sources));
        self.config.send_replace(candidate.config);
        self.show(number, candidate.rules);
        (self.tree, self.referenced) = (Some(candidate.tree), candidate.referenced);
        self.heal(heal, now).await;
    }

    fn show(&self, number: u64, rules: RuleSet) {
        self.serving.send_replace(Some(Arc::new(Serving { number, rules })));
        gauge!("hookyard_generation").set(number as f64);
    }

    async fn heal(&mut self, which: Heal, now: Timestamp) {
        let healed = self.journal.heal(which, now).await;
        self.heal_again = healed.is_err();
        match healed {
            Ok(0) => {}
            Ok(count) => info!("{count} blocked deliveries are due again"),
            Err(error) => error!("blocked deliveries could not be made due, and will be soon: {error}"),
        }
    }

    /// What is served stays. The same diagnostics again are no news, unless somebody asked.
    async fn keep(&self, diagnostics: Vec<Diagnostic>, asked: bool) -> Arc<Verdict> {
        let last = Arc::clone(&self.verdict.borrow());
        let generation = self.serving.borrow().as_ref().map(|serving| serving.number);
        let served = generation.map_or_else(
            || "no rules are served, events wait in the journal".to_owned(),
            |number| format!("generation {number} is still served"),
        );
        let summary = format!("{}: {served}", diagnostic::summary(&diagnostics));
        if asked || last.ok || last.diagnostics != diagnostics {
            counter!("hookyard_reloads_total", "result" => "bad").increment(1);
            log(&diagnostics);
            error!("{summary}");
            self.tell(&summary, &diagnostics).await;
        }
        self.publish(Verdict { at: Timestamp::now(), ok: false, generation, summary, diagnostics })
    }

    /// Tells the rules that are served of those that could not be.
    async fn tell(&self, summary: &str, diagnostics: &[Diagnostic]) {
        let Some(serving) = self.serving.borrow().clone() else { return };
        let problem = |found: &Diagnostic| {
            let line = found.span.map_or(Json::Null, |span| span.line.into());
            Json::object([
                ("file", Json::from(&*found.file)),
                ("line", line),
                ("message", found.message.as_str().into()),
            ])
        };
        let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
        let payload = Json::object([
            ("summary", Json::from(summary)),
            ("generation", serving.number.into()),
            ("problems", errors.take(MOST_TOLD).map(problem).collect::<Vec<_>>().into()),
        ]);
        serving.announce(&*self.journal, own::RELOAD_FAILED, payload, Timestamp::now()).await;
    }

    fn publish(&self, verdict: Verdict) -> Arc<Verdict> {
        gauge!("hookyard_reload_ok").set(f64::from(u8::from(verdict.ok)));
        let verdict = Arc::new(verdict);
        self.verdict.send_replace(Arc::clone(&verdict));
        verdict
    }

    /// Only of the same rule directory: another one's rules are not what was asked for.
    async fn serve_last_good(&mut self) {
        let directory = inputs::name_of(&self.config.borrow().rules);
        let generation = match self.journal.newest_generation(&directory).await {
            Ok(Some(generation)) => generation,
            Ok(None) => return,
            Err(error) => return error!("the last good rules cannot be read: {error}"),
        };
        let config = Arc::clone(&self.config.borrow());
        let context = (self.context)(&config);
        let number = generation.number;
        let compiled = Candidate::compile(config, context, generation.files, Referenced::default()).await;
        let Ok(candidate) = compiled else {
            return error!("generation {number}, the last good rules, does not load with this configuration");
        };
        self.tree = Some(candidate.tree);
        self.show(number, candidate.rules);
        let last = Arc::clone(&self.verdict.borrow());
        let summary = format!(
            "{}: generation {number}, the last good one, is served",
            diagnostic::summary(&last.diagnostics)
        );
        warn!("{summary}");
        self.publish(Verdict { generation: Some(number), summary, ..(*last).clone() });
    }
}

/// Each in the log at its own level.
fn log(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        match diagnostic.severity {
            Severity::Error => error!("{diagnostic}"),
            Severity::Warning => warn!("{diagnostic}"),
        }
    }
}

fn nothing_yet() -> Verdict {
    Verdict {
        at: Timestamp::now(),
        ok: false,
        generation: None,
        summary: "nothing is loaded yet".into(),
        diagnostics: Vec::new(),
    }
}

/// Says which sources begin or cease to wait for their secret.
fn tell_sources(old: Option<&Sources>, new: &Sources) {
    for source in new.iter() {
        let name = source.name();
        let waited = old.and_then(|old| old.named(name)).map(|source| source.is_waiting());
        match (waited, source.is_waiting()) {
            (Some(false) | None, true) => warn!(
                "source {name} waits for its secret: all but the sender's creation test is answered 503"
            ),
            (Some(true), false) => info!("source {name} has its secret and receives"),
            _ => {}
        }
    }
}
