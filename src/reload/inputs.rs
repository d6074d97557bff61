//! Everything on disk that a reload depends on, read at once and compared by content.

use crate::config::{Config, Location};
use crate::diagnostic::Diagnostic;
use crate::rules::{self, Tree};
use std::path::PathBuf;
use std::sync::Arc;

/// One look at the disk.
#[derive(Clone)]
pub(super) struct Inputs {
    /// The configuration as it would be. Shared, because it is only looked at.
    pub config: Result<Config, Arc<Vec<Diagnostic>>>,
    /// The rule directory that was read.
    pub rules: PathBuf,
    /// Its files, or why they cannot be read.
    pub tree: Result<Tree, String>,
}

impl Inputs {
    /// Reads all of it. With a configuration that is broken the rules are still those of `current`.
    pub(super) fn read(location: &Location, current: &Config) -> Self {
        let config = Config::load(location).map_err(Arc::new);
        let rules = config.as_ref().map_or_else(|_| current.rules.clone(), |config| config.rules.clone());
        let tree = rules::read_tree(&rules).map_err(|error| error.to_string());
        Self { config, rules, tree }
    }
}

/// Touched but unchanged files are no change.
impl PartialEq for Inputs {
    fn eq(&self, other: &Self) -> bool {
        let config = match (&self.config, &other.config) {
            (Ok(a), Ok(b)) => a.fingerprint == b.fingerprint,
            (Err(a), Err(b)) => a == b,
            _ => false,
        };
        config && self.rules == other.rules && self.tree == other.tree
    }
}
