//! All of `rules/` compiled together: load, route, find.
//!
//! [`read_tree`] takes a directory into memory; [`load`] compiles it whole, or says everything
//! that is wrong with it; the [`RuleSet`] that results is the router. Nothing here is started or
//! stored: a rule set is a value, swapped in one step.

mod action;
mod compile;
mod digest;
pub mod expect;
mod file;
mod index;
mod keys;
mod lane;
mod load;
mod matching;
mod options;
pub mod own;
mod references;
pub mod rehearse;
mod report;
mod route;
mod schema;
mod storm;
pub mod trace;
mod tree;
mod vars;

pub use load::{Loaded, Settings, load, user_kinds};
pub use schema::{SchemaKind, built_in_kinds, schema};
pub use tree::{MAX_TREE_BYTES, Tree, TreeError, read_tree};

use crate::action::{Action, Consent};
use crate::delivery::{LaneLimits, Retry};
use crate::event::Event;
use crate::pattern::Pattern;
use crate::registry::ConfigError;
use crate::script::{self, Condition, Scripts};
use crate::secret::Resolve;
use crate::template::{Params, Vars};
use hashbrown::HashMap;
use index::Index;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The action kind that runs a file among the rules.
const SCRIPT: &str = script::KIND.name;

/// All rules and scripts of one load. This *is* the router.
pub struct RuleSet {
    /// Those that are on, in path order of their files and in order of place.
    pub rules: Vec<Rule>,
    /// Those that are not, and why.
    pub off: Vec<Off>,
    pub vars: Arc<Vars>,
    pub resolver: Arc<dyn Resolve>,
    files: Vec<FileScope>,
    index: Index,
    by_name: HashMap<String, usize>,
    scripts: Arc<Scripts>,
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
    /// The file it stands in, relative to the rule directory.
    pub file: Arc<str>,
    pub description: Option<Box<str>>,
    /// Changes whenever the rule, its file's keys, `vars` or a script changes: what heals.
    pub digest: [u8; 32],
    /// Equal actions are one, shared by their rules.
    pub actions: Box<[Arc<Planned>]>,
    /// `None`: only what the file's pattern says.
    pattern: Option<Pattern>,
    /// In a box, as whatever few rules have: of many rules the candidates are in no cache, and the
    /// less there is of each the sooner it is there.
    when: Option<Box<Condition>>,
    stop: bool,
    fallback: bool,
    /// Whether it is written for every event, and so does not keep fallbacks from being tried.
    any: bool,
    /// Whether it names hookyard's own events.
    sees_own: bool,
    /// Which of many events act.
    control: Option<Box<storm::Control>>,
    /// What makes its deliveries come one after the other.
    order: Option<Box<storm::Order>>,
}

/// One action of a rule, with its options.
pub struct Planned {
    pub name: String,
    pub kind: String,
    pub params: Params,
    pub action: Arc<dyn Action>,
    pub retry: Retry,
    pub timeout: Duration,
    pub lane: LaneLimits,
    pub after: Duration,
    /// For the requests of its effects.
    pub consent: Consent,
    when: Option<Condition>,
    /// Whether its parameters read `window`, which only rules that control storms have.
    reads_window: bool,
}

/// A rule that is not in force, by its author's wish or for want of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Off {
    pub rule: String,
    pub file: Arc<str>,
    /// `SLACK_WEBHOOK_URL is not set`, or that it says `enabled: false`.
    pub why: String,
}

/// The rules of one file and the pattern that holds for all of them.
struct FileScope {
    pattern: Option<Pattern>,
    rules: Range<usize>,
}

impl RuleSet {
    /// The action that a delivery's id names, if it is loaded and on.
    pub fn find(&self, rule: &str, action: &str) -> Option<(&Rule, &Planned)> {
        let rule = &self.rules[*self.by_name.get(rule)?];
        let planned = rule.actions.iter().find(|planned| planned.name == action)?;
        Some((rule, planned))
    }

    /// The event as an attempt at an action of a rule sees it.
    pub fn seen(&self, rule: &str, event: &Arc<Event>) -> Arc<Event> {
        let rule = self.by_name.get(rule).map(|index| &self.rules[*index]);
        rule.map_or_else(|| Arc::clone(event), |rule| rule.seen(event))
    }

    /// Makes the action of an effect.
    ///
    /// # Errors
    /// What its `build` refuses.
    pub fn build_effect(&self, kind: &str, params: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
        self.scripts.action(kind, params)
    }

    /// Rules of which `self` differs from `old`: their blocked deliveries are healed.
    pub fn changed_since(&self, old: &RuleSet) -> BTreeSet<String> {
        let digest = |name: &str| old.by_name.get(name).map(|index| old.rules[*index].digest);
        let changed = self.rules.iter().filter(|rule| digest(&rule.name) != Some(rule.digest));
        changed.map(|rule| rule.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
