//! Everything on disk that a reload depends on, read at once and compared by content.

use super::stamp::Stamp;
use crate::config::{Config, Location};
use crate::diagnostic::Diagnostic;
use crate::rules::{self, Tree};
use crate::secret::{self, Part, Reference};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that rules refer to (`${file:…}`), as a digest; `None` for one that cannot be read.
pub(super) type Referenced = BTreeMap<PathBuf, Option<[u8; 32]>>;

/// One look at the disk.
#[derive(Clone)]
pub(super) struct Inputs {
    /// The configuration as it would be. Shared, because it is only looked at.
    pub config: Result<Config, Arc<Vec<Diagnostic>>>,
    /// The rule directory that was read.
    pub rules: PathBuf,
    /// Its files, or why they cannot be read.
    pub tree: Result<Tree, String>,
    pub referenced: Referenced,
}

impl Inputs {
    /// Reads all of it. With a configuration that is broken the rules are still those of `current`.
    pub(super) fn read(location: &Location, current: &Config) -> Self {
        let config = Config::load(location).map_err(Arc::new);
        let rules = config.as_ref().map_or_else(|_| current.rules.clone(), |config| config.rules.clone());
        let tree = rules::read_tree(&rules).map_err(|error| error.to_string());
        let referenced = tree.as_ref().map(|tree| referenced(tree, location)).unwrap_or_default();
        Self { config, rules, tree, referenced }
    }

    /// The same, and whether nothing was written meanwhile: a file that is being written in place
    /// would otherwise be taken for what it is half way.
    pub(super) fn read_steadily(location: &Location, current: &Config) -> (Self, Stamp, bool) {
        let before = Stamp::of(current, []);
        let inputs = Self::read(location, current);
        let steady = before == Stamp::of(current, []);
        let stamp = inputs.stamp(current);
        (inputs, stamp, steady)
    }

    /// What these files look like from outside.
    pub(super) fn stamp(&self, current: &Config) -> Stamp {
        let config = self.config.as_ref().unwrap_or(current);
        Stamp::of(config, self.referenced.keys().cloned())
    }
}

/// The name under which generations of a rule directory are kept: its absolute path. Links are not
/// followed: what `current` leads to changes with every release, what is meant by it does not.
pub fn name_of(rules: &Path) -> String {
    let absolute = std::path::absolute(rules).unwrap_or_else(|_| rules.to_owned());
    // Only the components: `rules/` is `rules`.
    absolute.components().collect::<PathBuf>().to_string_lossy().into_owned()
}

/// Touched but unchanged files are no change.
impl PartialEq for Inputs {
    fn eq(&self, other: &Self) -> bool {
        let config = match (&self.config, &other.config) {
            (Ok(a), Ok(b)) => a.fingerprint == b.fingerprint,
            (Err(a), Err(b)) => a == b,
            _ => false,
        };
        config && self.rules == other.rules && self.tree == other.tree && self.referenced == other.referenced
    }
}

/// Found by their spelling alone: one too many costs a look at a file, nothing else.
fn referenced(tree: &Tree, location: &Location) -> Referenced {
    let texts = tree.iter().filter(|(path, _)| !path.ends_with(".rhai"));
    let paths = texts.flat_map(|(_, text)| paths(&String::from_utf8_lossy(text)));
    let below = paths.map(|path| location.directory().join(path));
    below.map(|path| (path.clone(), digest(&path))).collect()
}

fn paths(text: &str) -> Vec<String> {
    let starts = text.match_indices("${file:").map(|(at, _)| &text[at..]);
    let reference = |rest: &str| secret::split(&rest[..=rest.find('}')?]).ok()?.pop();
    let path = |part| match part {
        Part::Reference(Reference::File { path }) => Some(path),
        _ => None,
    };
    starts.filter_map(reference).filter_map(path).collect()
}

fn digest(path: &PathBuf) -> Option<[u8; 32]> {
    // Reading a pipe or a device would wait for ever.
    let regular = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let content = regular.then(|| std::fs::read(path).ok()).flatten()?;
    Some(Sha256::digest(content).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_directory_has_one_name() {
        for path in ["/etc/rules", "/etc/rules/", "/etc/./rules", "/etc//rules"] {
            assert_eq!(name_of(Path::new(path)), "/etc/rules", "{path}");
        }
        assert_eq!(name_of(Path::new("rules/")), name_of(Path::new("./rules")));
    }

    #[test]
    fn references_to_files_are_found_by_their_spelling() {
        let text = "url: ${file: a/b }\nauth: {bearer: \"x ${file:t}\"} \n${FILE} ${file:} ${file:";
        assert_eq!(paths(text), ["a/b", "t"]);
    }
}
