//! The lanes in memory: when each has work, what is leased from it, whose turn it is.
//!
//! Only lanes are kept here, never their backlog: a lane with a million deliveries costs as much
//! as one with a single delivery, and a lane with none due costs nothing at a lease. What is fresh is
//! here until it has a row, within a bound.

mod held;
mod queue;
#[cfg(test)]
mod tests;

use super::fresh::{Fresh, Unsettled};
use crate::delivery::DeliveryId;
use hashbrown::{Equivalent, HashMap, HashSet};
pub use held::{Held, Ties};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Number of a row of the table `lanes`.
pub type LaneId = i64;

/// The `not_before` of a lane that nobody closed.
const OPEN: i64 = i64::MIN;

/// One (rule, action).
#[derive(Debug)]
pub struct Lane {
    pub rule: String,
    pub action: String,
    /// No delivery in the table that is not leased is due before then. `None`: there is none.
    due: Option<i64>,
    /// Those that are handed over in memory, the oldest first.
    fresh: VecDeque<Fresh>,
    /// Nothing is leased of it before then.
    not_before: i64,
    /// What is leased: the event's key, and the name.
    leased: HashSet<(i64, String)>,
    /// How many of them are being attempted.
    under_way: usize,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Lanes {
    numbers: HashMap<String, HashMap<String, LaneId>>,
    lanes: BTreeMap<LaneId, Lane>,
    /// Lanes with something due, by the last look.
    ready: BTreeSet<LaneId>,
    /// Lanes to be looked at later, when their next delivery is due or they have room again:
    /// (time, lane).
    waiting: BTreeSet<(i64, LaneId)>,
    held: HashMap<DeliveryId, Held>,
    waiting_bytes: usize,
    pub fresh: Unsettled,
    /// The last commit that is on the disk.
    pub synced: u64,
    /// The lane that was leased from last.
    last: LaneId,
    /// The time of the last look.
    woken_at: i64,
    /// Whether it has left something that was due.
    has_left: bool,
}

impl Lanes {
    pub fn add(&mut self, lane: LaneId, rule: String, action: String) {
        self.numbers.entry(rule.clone()).or_default().insert(action.clone(), lane);
        self.lanes.entry(lane).or_insert(Lane::new(rule, action));
    }

    pub fn number(&self, rule: &str, action: &str) -> Option<LaneId> {
        self.numbers.get(rule)?.get(action).copied()
    }

    pub fn of_rule(&self, rule: &str) -> Vec<LaneId> {
        self.numbers.get(rule).map(|actions| actions.values().copied().collect()).unwrap_or_default()
    }

    /// Those of a rule and an action; of all, where that is not said.
    pub fn matching(&self, rule: Option<&str>, action: Option<&str>) -> Vec<LaneId> {
        let fits = |lane: &Lane| {
            rule.is_none_or(|rule| lane.rule == rule) && action.is_none_or(|action| lane.action == action)
        };
        self.lanes.iter().filter(|(_, lane)| fits(lane)).map(|(number, _)| *number).collect()
    }

    pub fn all(&self) -> Vec<LaneId> {
        self.lanes.keys().copied().collect()
    }

    pub fn get(&self, lane: LaneId) -> Option<&Lane> {
        self.lanes.get(&lane)
    }

    /// A delivery of the lane is due at `due`: the lane is looked at by then.
    pub fn note(&mut self, lane: LaneId, due: i64) {
        let earlier = self.lanes.get(&lane).is_some_and(|lane| lane.due.is_none_or(|known| due < known));
        if earlier {
            self.set_due(lane, Some(due));
        }
    }

    /// What a look at the lane's deliveries found: when the next that is not leased is due.
    pub fn set_due(&mut self, number: LaneId, due: Option<i64>) {
        self.change(number, |lane| lane.due = due);
    }

    /// The lane has no room before that time.
    pub fn close(&mut self, number: LaneId, until: i64) {
        self.change(number, |lane| lane.not_before = until);
    }

    /// All lanes may have room again.
    pub fn open_all(&mut self) {
        let closed = self.lanes.iter().filter(|(_, lane)| lane.not_before > OPEN);
        for number in closed.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.close(number, OPEN);
        }
    }

    /// Changes a lane. If it is to be looked at another time then, it is not ready until that has come.
    fn change(&mut self, number: LaneId, change: impl FnOnce(&mut Lane)) {
        let Some(lane) = self.lanes.get_mut(&number) else { return };
        let before = lane.look_at();
        change(lane);
        let after = lane.look_at();
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.waiting.remove(&(before, number));
        }
        self.ready.remove(&number);
        self.waiting.extend(after.map(|time| (time, number)));
    }

    /// Lanes whose time has come by `now` are ready from here on. The clock may have been set back: then
    /// those that were ready may not be.
    pub fn wake(&mut self, now: i64) {
        if now < std::mem::replace(&mut self.woken_at, now) {
            let ready = std::mem::take(&mut self.ready).into_iter();
            self.waiting.extend(ready.filter_map(|number| Some((self.lanes[&number].look_at()?, number))));
        }
        while let Some((_, lane)) = self.waiting.first().filter(|(due, _)| *due <= now).copied() {
            self.waiting.pop_first();
            self.ready.insert(lane);
        }
    }

    /// Whether a lane that is ready has something that may be leased now: from the table, or of a commit
    /// that is on the disk.
    pub fn is_open(&self, lane: &Lane, now: i64) -> bool {
        let is_on_disk = |fresh: &Fresh| fresh.commit <= self.synced;
        lane.due.is_some_and(|due| due <= now) || lane.fresh.front().is_some_and(is_on_disk)
    }

    /// Up to `count` ready lanes that have room, beginning behind the last one served.
    pub fn turn(&self, count: usize, mut has_room: impl FnMut(LaneId, &Lane) -> bool) -> Vec<LaneId> {
        let open = |number: &LaneId| has_room(*number, &self.lanes[number]);
        let behind = self.ready.range(self.last + 1..);
        behind.chain(self.ready.range(..=self.last)).copied().filter(open).take(count).collect()
    }

    /// At the end of a look: whether something is left that may be leased as soon as there is room.
    pub fn leave(&mut self, now: i64) -> bool {
        self.has_left = self.ready.iter().any(|number| self.is_open(&self.lanes[number], now));
        self.has_left
    }

    /// When the first lane that is not ready is to be looked at.
    pub fn next_due(&self) -> Option<i64> {
        self.waiting.first().map(|(due, _)| *due)
    }
}

/// A delivery of a lane, to look for among those that are leased: its hash is the pair's.
#[derive(Hash)]
struct Named<'a> {
    event: i64,
    name: &'a str,
}

impl Equivalent<(i64, String)> for Named<'_> {
    fn equivalent(&self, (event, name): &(i64, String)) -> bool {
        self.event == *event && self.name == name
    }
}

impl Lane {
    fn new(rule: String, action: String) -> Self {
        let (fresh, leased) = (VecDeque::new(), HashSet::new());
        Self { rule, action, due: None, fresh, not_before: OPEN, leased, under_way: 0 }
    }

    /// When there is something to lease at the earliest.
    fn look_at(&self) -> Option<i64> {
        let fresh = self.fresh.front().map(|fresh| fresh.due);
        let first = self.due.into_iter().chain(fresh).min();
        first.map(|due| due.max(self.not_before))
    }

    /// Before when no delivery in the table is due that is not leased; `None`: there is none.
    pub fn due(&self) -> Option<i64> {
        self.due
    }

    /// How many are handed over in memory and wait.
    pub fn queued(&self) -> usize {
        self.fresh.len()
    }

    pub fn is_leased(&self, event: i64, name: &str) -> bool {
        self.leased.contains(&Named { event, name })
    }

    fn end(&mut self, held: &Held) {
        if self.leased.remove(&Named { event: held.event, name: &held.name }) {
            self.under_way -= usize::from(!held.settling);
        }
    }

    /// How many are leased.
    pub fn leased(&self) -> usize {
        self.leased.len()
    }

    /// How many of them are being attempted.
    pub fn under_way(&self) -> usize {
        self.under_way
    }
}
