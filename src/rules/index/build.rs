//! Building the index: each rule under the needs that the fewest rules share.

use super::Index;
use super::access::{Key, Need, needs};
use super::brief::Briefs;
use super::hash::trace;
use super::paths::Tree;
use super::table::{Posting, Table};
use crate::pattern::Pattern;
use std::collections::HashMap;

/// A looked-up prefix costs a hash for each length at its path, and is met by more events than an
/// exact value that as many rules share.
const PREFIX_WEIGHT: usize = 4;

/// Builds an index in two rounds over the same rules: [`count`](Self::count) each, then
/// [`add`](Self::add) each.
pub(super) struct Builder {
    tree: Tree,
    /// How many rules could be found by a hash.
    shared: HashMap<u64, u32>,
    entries: Vec<(u64, Posting)>,
    scanned: Vec<u32>,
}

impl Builder {
    pub fn new() -> Self {
        Self { tree: Tree::new(), shared: HashMap::new(), entries: Vec::new(), scanned: Vec::new() }
    }

    /// The first round: which values how many rules have.
    pub fn count<'p>(&mut self, patterns: impl IntoIterator<Item = &'p Pattern>) {
        let needs = self.needs(patterns);
        self.count_all(&needs);
    }

    /// The second: puts `rule` where it is found. All of its patterns must hold. In rule order.
    pub fn add<'p>(&mut self, rule: u32, patterns: impl IntoIterator<Item = &'p Pattern>) {
        let needs = self.needs(patterns);
        let mut needs: Vec<_> = needs.iter().map(|need| self.keys(need)).collect();
        let Some(rarest) = (0..needs.len()).min_by_key(|at| self.cost(&needs[*at])) else {
            self.scanned.push(rule);
            return;
        };
        let keys = needs.swap_remove(rarest);
        let single = needs.iter().filter(|keys| keys.len() == 1);
        let second = single.min_by_key(|keys| self.cost(keys)).map(|keys| keys[0]);
        let also = second.map_or(0, |key| trace(key.hash));
        for key in keys.iter().chain(&second) {
            self.tree.look_up(key.path, key.lookup);
        }
        self.entries.extend(keys.iter().map(|key| (key.hash, Posting { rule, also })));
    }

    pub fn finish(self, briefs: Briefs) -> Index {
        Index {
            paths: self.tree.pack(),
            table: Table::new(self.entries),
            scanned: self.scanned.into_boxed_slice(),
            briefs,
        }
    }

    fn needs<'p>(&mut self, patterns: impl IntoIterator<Item = &'p Pattern>) -> Vec<Need> {
        let mut found = Vec::new();
        patterns.into_iter().for_each(|pattern| needs(pattern, &mut self.tree, &mut found));
        found
    }

    fn count_all(&mut self, needs: &[Need]) {
        for need in needs {
            match need {
                Need::Keys(keys) => {
                    keys.iter().for_each(|key| *self.shared.entry(key.hash).or_default() += 1)
                }
                Need::Either(groups) => groups.iter().for_each(|group| self.count_all(group)),
            }
        }
    }

    /// The keys by which a need is looked up: of each alternative those that the fewest rules
    /// share.
    fn keys(&self, need: &Need) -> Vec<Key> {
        match need {
            Need::Keys(keys) => keys.clone(),
            Need::Either(groups) => groups.iter().flat_map(|group| self.rarest(group)).collect(),
        }
    }

    fn rarest(&self, needs: &[Need]) -> Vec<Key> {
        let keys = needs.iter().map(|need| self.keys(need));
        keys.min_by_key(|keys| self.cost(keys)).unwrap_or_default()
    }

    fn cost(&self, keys: &[Key]) -> usize {
        let cost = |key: &Key| {
            let shared = self.shared.get(&key.hash).copied().unwrap_or_default() as usize;
            if key.is_exact() { shared } else { shared * PREFIX_WEIGHT }
        };
        keys.iter().map(cost).sum()
    }
}
