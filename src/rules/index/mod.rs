//! The index: from an event to the few rules that it may match, at a cost that hardly depends on
//! how many rules there are.
//!
//! For each rule one *access test* is chosen that must hold in every event the rule matches: the
//! exact value, else the prefix, that the fewest rules share. A rule without one (its leaves are
//! ranges, negations, suffixes) is a candidate for every event. Beside its access test a rule
//! keeps the trace of a second one, which spares most candidates the full check. Candidates are
//! only candidates: the pattern decides, or its brief where that tells.
//!
//! Events are walked along the paths that occur in the index and no others. What is found there
//! is hashed and looked up in one flat table, so that a lookup touches a handful of cache lines.
//! Hashes may collide; that costs one check in vain and no more.

mod access;
mod brief;
mod build;
mod hash;
mod paths;
mod table;

use super::{FileScope, Rule};
use crate::json::Object;
use crate::pattern::Pattern;
use brief::Briefs;
use paths::Paths;
use table::Table;

use build::Builder;

/// Finds the rules that an event may match.
pub(super) struct Index {
    paths: Paths,
    table: Table,
    /// Rules without an access test, in rule order.
    scanned: Box<[u32]>,
    briefs: Briefs,
}

impl Index {
    /// The index of the rules of these files.
    pub fn new(rules: &[Rule], files: &[FileScope]) -> Self {
        let each = || files.iter().flat_map(|file| file.rules.clone().map(move |rule| (rule, file)));
        let mut builder = Builder::new();
        for (rule, file) in each() {
            builder.count(file.pattern.iter().chain(&rules[rule].pattern));
        }
        for (rule, file) in each() {
            let number = u32::try_from(rule).expect("files are bounded to far fewer bytes");
            builder.add(number, file.pattern.iter().chain(&rules[rule].pattern));
        }
        let mut briefs = Briefs::default();
        rules.iter().for_each(|rule| briefs.add(rule.pattern.as_ref()));
        builder.finish(briefs.finish())
    }

    /// Whether a rule's own pattern (not its file's) matches.
    pub fn matches(&self, rule: usize, pattern: Option<&Pattern>, document: &Object) -> bool {
        let told = self.briefs.matches(rule, document);
        told.unwrap_or_else(|| pattern.is_none_or(|pattern| pattern.matches(document)))
    }

    /// The rules that the event may match, in rule order, each once. Every rule that does match is
    /// among them.
    pub fn candidates(&self, document: &Object) -> Vec<u32> {
        let mut found = Vec::with_capacity(8);
        self.paths.find(document, &mut found);
        let mut candidates = self.scanned.to_vec();
        if !found.is_empty() {
            found.sort_unstable();
            found.dedup();
            found.iter().for_each(|hash| self.table.collect(*hash, &found, &mut candidates));
            // Two sorted runs and a few more: the stable sort merges runs.
            candidates.sort();
            candidates.dedup();
        }
        candidates
    }
}

#[cfg(test)]
mod tests;
