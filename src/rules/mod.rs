//! All of `rules/` compiled together: load, route, find.

use crate::action::{Action, Consent, Context};
use crate::delivery::Retry;
use crate::diagnostic::Diagnostic;
use crate::event::Event;
use crate::journal::Routing;
use crate::registry::ConfigError;
use crate::script::Limits;
use crate::secret::Resolve;
use crate::template::{Params, Vars};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The files of a rule directory: path below it (with `/`) → content.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Reads `*.yaml`, `*.yml` and `*.rhai` below a directory, following symbolic links (a
/// ConfigMap's files are links), skipping names that begin with `.` or end in `~`.
///
/// # Errors
/// The first directory or file that cannot be read. (A file that vanishes between listing and
/// reading is left out: the watcher will call again.)
pub fn read_tree(dir: &Path) -> io::Result<Tree> {
    let _ = dir;
    todo!("match")
}

/// What loading needs to know besides the files.
#[derive(Clone)]
pub struct Settings {
    /// Names of the configured sources (a rule may not name another).
    pub sources: BTreeSet<String>,
    pub resolver: Arc<dyn Resolve>,
    pub limits: Limits,
    pub context: Context,
    /// Whether `requires` is treated as fulfilled (`check` and `test`).
    pub assume_required: bool,
}

/// What became of a load.
pub struct Loaded {
    /// `None` if there is an error among the diagnostics.
    pub rules: Option<RuleSet>,
    /// In order of file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a whole rule directory.
pub fn load(tree: &Tree, settings: &Settings) -> Loaded {
    let _ = (tree, settings);
    todo!("match")
}

/// All rules and scripts of one load. This *is* the router.
pub struct RuleSet {
    pub rules: Vec<Rule>,
    pub vars: Arc<Vars>,
    pub resolver: Arc<dyn Resolve>,
}

/// A rule set that is being served, under its number. Shared as
/// `tokio::sync::watch::Receiver<Option<Arc<Serving>>>`: `None` until there is a first good load.
pub struct Serving {
    pub number: u64,
    pub rules: RuleSet,
}

/// One rule.
pub struct Rule {
    pub name: String,
    /// Changes whenever the rule, its file's keys, `vars` or a script changes: what heals.
    pub digest: [u8; 32],
    pub actions: Vec<Planned>,
}

/// One action of a rule, with its options.
pub struct Planned {
    pub name: String,
    pub kind: String,
    pub params: Params,
    pub action: Arc<dyn Action>,
    pub retry: Retry,
    pub timeout: Duration,
    pub after: Duration,
    /// For the requests of its effects.
    pub consent: Consent,
}

impl RuleSet {
    /// Which rules an event matches and which deliveries that makes. Pure but for `when`.
    pub fn route(&self, event: &Event, generation: u64, now: Timestamp) -> Routing {
        let _ = (event, generation, now);
        todo!("match")
    }

    /// The action that a delivery's id names, if it is loaded and on.
    pub fn find(&self, rule: &str, action: &str) -> Option<(&Rule, &Planned)> {
        let _ = (rule, action);
        todo!("match")
    }

    /// Evaluates the conditions of a delivery that was blocked again.
    ///
    /// # Errors
    /// The sentence of the condition that still errs.
    pub fn holds(&self, rule: &str, action: &str, event: &Event) -> Result<bool, String> {
        let _ = (rule, action, event);
        todo!("match")
    }

    /// Makes the action of an effect.
    ///
    /// # Errors
    /// What its `build` refuses.
    pub fn build_effect(&self, kind: &str, params: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
        let _ = (kind, params);
        todo!("match")
    }

    /// Rules of which `self` differs from `old`: their blocked deliveries are healed.
    pub fn changed_since(&self, old: &RuleSet) -> BTreeSet<String> {
        let _ = old;
        todo!("match")
    }
}
