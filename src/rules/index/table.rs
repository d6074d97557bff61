//! The hash table of the index: flat, built once, open addressing.

use super::hash::trace;

/// From a hash to rules.
pub(super) struct Table {
    /// A power of two of them, at most half of them taken.
    slots: Box<[Slot]>,
    postings: Box<[Posting]>,
}

/// `count` postings from `first` on; a free one has none.
#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u64,
    first: u32,
    count: u32,
}

/// A rule, and the trace of another hash that must be found with it (0: of none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Posting {
    pub rule: u32,
    pub also: u32,
}

impl Table {
    /// In whatever order the entries come.
    pub fn new(mut entries: Vec<(u64, Posting)>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        let hashes = entries.chunk_by(|one, other| one.0 == other.0).count();
        let mut slots = vec![Slot::default(); (hashes * 2).next_power_of_two()].into_boxed_slice();
        let mut first = 0;
        for equal in entries.chunk_by(|one, other| one.0 == other.0) {
            let count = equal.len() as u32;
            let at = position(&slots, equal[0].0);
            slots[at] = Slot { hash: equal[0].0, first, count };
            first += count;
        }
        Self { slots, postings: entries.into_iter().map(|(_, posting)| posting).collect() }
    }

    /// Adds the rules under `hash` of which the other hash is among `found` (sorted).
    pub fn collect(&self, hash: u64, found: &[u64], rules: &mut Vec<u32>) {
        let Slot { first, count, .. } = self.slots[position(&self.slots, hash)];
        let postings = &self.postings[first as usize..][..count as usize];
        let wanted = |posting: &&Posting| posting.also == 0 || contains(found, posting.also);
        rules.extend(postings.iter().filter(wanted).map(|posting| posting.rule));
    }
}

/// Where a hash is, or would be.
fn position(slots: &[Slot], hash: u64) -> usize {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at].count > 0 && slots[at].hash != hash {
        at = (at + 1) & mask;
    }
    at
}

fn contains(found: &[u64], also: u32) -> bool {
    found.binary_search_by_key(&also, |hash| trace(*hash)).is_ok()
}
