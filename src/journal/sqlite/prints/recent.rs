//! The newest fingerprints in memory: a queue in the order of their commits, and an index over it.
//!
//! Each takes 16 bytes in the queue and some 6 in the index, which holds places in the queue and no
//! second copy of what stands there.

use hashbrown::HashTable;
use std::collections::VecDeque;

/// First 8 bytes of a fingerprint, and the key of its event.
pub type Entry = (i64, i64);

/// A place in the queue that stays the same while others leave it; it comes round after 2^32.
pub type Place = u32;

#[derive(Debug, Default)]
pub struct Recent {
    entries: VecDeque<Entry>,
    /// The place of the first of them.
    first: Place,
    /// Of each fingerprint the newest place.
    index: HashTable<Place>,
}

impl Recent {
    /// Room for so many is reserved, and taken up as they come: growing would need the old and the
    /// new for a moment.
    pub fn with_capacity(count: usize) -> Self {
        let (entries, index) = (VecDeque::with_capacity(count), HashTable::with_capacity(count));
        Self { entries, first: 0, index }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Its event's key, of the newest that begins like this.
    pub fn find(&self, print: i64) -> Option<i64> {
        let place = self.index.find(hash(print), |place| self.at(*place).is_some_and(|it| it.0 == print))?;
        self.at(*place).map(|entry| entry.1)
    }

    /// The entry at a place, if it has not left.
    pub fn at(&self, place: Place) -> Option<Entry> {
        self.entries.get(place.wrapping_sub(self.first) as usize).copied()
    }

    pub fn push(&mut self, entry: Entry) {
        let place = self.first.wrapping_add(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        self.entries.push_back(entry);
        let Self { entries, first, index } = self;
        let print = |place: &Place| entries[place.wrapping_sub(*first) as usize].0;
        match index.find_mut(hash(entry.0), |known| print(known) == entry.0) {
            Some(known) => *known = place,
            None => drop(index.insert_unique(hash(entry.0), place, |place| hash(print(place)))),
        }
    }

    /// Forgets the oldest.
    pub fn pop(&mut self, count: usize) {
        for _ in 0..count {
            let Some((print, _)) = self.entries.front() else { return };
            if let Ok(known) = self.index.find_entry(hash(*print), |place| *place == self.first) {
                known.remove();
            }
            self.entries.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// The places of the oldest in the order of their fingerprints, as far as pages of a table matter:
    /// by their first 16 bits. Sorting them fully would take ten times as long.
    pub fn oldest_by_print(&self, count: usize) -> Vec<Place> {
        let oldest = || self.entries.iter().take(count);
        let bucket = |print: i64| (print.cast_unsigned() ^ (1 << 63)) as usize >> 48;
        let mut next = vec![0u32; 1 << 16];
        oldest().for_each(|entry| next[bucket(entry.0)] += 1);
        let mut begin = 0;
        for slot in &mut next {
            begin += std::mem::replace(slot, begin);
        }
        let mut places = vec![0; oldest().len()];
        for (entry, place) in oldest().zip(0u32..) {
            let slot = &mut next[bucket(entry.0)];
            places[*slot as usize] = self.first.wrapping_add(place);
            *slot += 1;
        }
        places
    }
}

/// Fingerprints are digests, so their bits are as good as a hash's; the index takes its buckets from
/// the low bits and its tags from the high ones.
fn hash(print: i64) -> u64 {
    print.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn it_finds_the_newest_of_what_has_not_left(
            steps in prop::collection::vec((any::<bool>(), 0i64..40), 0..200),
            first in prop_oneof![Just(0u32), Just(u32::MAX - 20)],
        ) {
            let mut recent = Recent { first, ..Recent::default() };
            let mut model: VecDeque<Entry> = VecDeque::new();
            for ((pushes, print), seq) in steps.into_iter().zip(0i64..) {
                let print = print.wrapping_mul(0x1234_5678_9abc_def1);
                if pushes {
                    recent.push((print, seq));
                    model.push_back((print, seq));
                } else {
                    recent.pop(2);
                    model.drain(..model.len().min(2));
                }
                let newest: HashMap<i64, i64> = model.iter().copied().collect();
                prop_assert_eq!(recent.len(), model.len());
                for entry in &model {
                    prop_assert_eq!(recent.find(entry.0), newest.get(&entry.0).copied());
                }
                prop_assert_eq!(recent.index.len(), newest.len());
            }
            let places = recent.oldest_by_print(7);
            let entries: Vec<_> = places.iter().map(|place| recent.at(*place).unwrap()).collect();
            prop_assert!(entries.is_sorted_by_key(|entry| entry.0 >> 48));
            let mut all = entries;
            all.sort_unstable();
            let mut oldest: Vec<_> = model.iter().take(7).copied().collect();
            oldest.sort_unstable();
            prop_assert_eq!(all, oldest);
        }
    }
}
