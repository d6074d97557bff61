//! What is handed over in memory: the queues of the lanes.

use super::{LaneId, Lanes};
use crate::journal::sqlite::fresh::{Fresh, Key, MOST_AGE_MS, Unsettled};
use std::collections::VecDeque;

impl Lanes {
    /// Whether a new delivery may be handed over in memory: not past older ones of its lane, nor behind
    /// those that wait for a clock that was set back.
    pub fn takes_fresh(&self, number: LaneId, due: i64) -> bool {
        let Some(lane) = self.lanes.get(&number) else { return true };
        let is_late = lane.fresh.back().is_some_and(|last| last.due > due.saturating_add(MOST_AGE_MS));
        lane.due.is_none_or(|first| first > due) && !is_late
    }

    /// A delivery that is handed over in memory.
    pub fn push_fresh(&mut self, fresh: Fresh) {
        self.queue(fresh, VecDeque::push_back);
    }

    /// The same for one that was taken out, and was not attempted.
    pub fn return_fresh(&mut self, fresh: Fresh) {
        self.queue(fresh, VecDeque::push_front);
    }

    fn queue(&mut self, fresh: Fresh, push: impl FnOnce(&mut VecDeque<Fresh>, Fresh)) {
        self.fresh.add(&fresh);
        let number = fresh.key.1;
        self.change(number, |lane| push(&mut lane.fresh, fresh));
    }

    /// The oldest of a lane that are due and on the disk, up to `count`.
    pub fn take_fresh(&mut self, number: LaneId, count: usize, now: i64) -> Vec<Fresh> {
        let (mut taken, synced) = (Vec::new(), self.synced);
        self.change(number, |lane| {
            let may_go = |fresh: &&Fresh| fresh.due <= now && fresh.commit <= synced;
            let due = lane.fresh.iter().take(count).take_while(may_go).count();
            taken.extend(lane.fresh.drain(..due));
        });
        taken
    }

    /// Nobody is to lease it from memory any more, unless the transaction under way fails. When it is
    /// due, if it waited there.
    pub fn withdraw(&mut self, key: &Key) -> Option<i64> {
        let mut withdrawn = None;
        self.change(key.1, |lane| {
            let at = lane.fresh.iter().position(|fresh| fresh.key == *key);
            withdrawn = at.and_then(|at| lane.fresh.remove(at));
        });
        let due = withdrawn.as_ref().map(|fresh| fresh.due);
        self.fresh.withdrawn.extend(withdrawn);
        due
    }

    /// What was withdrawn was not put down.
    pub fn return_withdrawn(&mut self) {
        let withdrawn = std::mem::take(&mut self.fresh.withdrawn);
        withdrawn.into_iter().rev().for_each(|fresh| self.return_fresh(fresh));
    }

    /// These have rows now.
    pub fn put_down(&mut self, keys: &[Key]) {
        for key in keys {
            // One that was put back into memory meanwhile is looked for in the table from now on.
            if let Some(due) = self.withdraw(key) {
                self.note(key.1, due);
            }
            self.fresh.remove(key);
            let held = self.held.values_mut().find(|held| held.is_fresh && held.is(key));
            if let Some(held) = held {
                held.is_fresh = false;
            }
        }
        self.fresh.withdrawn.clear();
    }

    /// All have rows now: the table has to be asked.
    pub fn forget_fresh(&mut self) {
        self.fresh = Unsettled::default();
        self.held.values_mut().for_each(|held| held.is_fresh = false);
        let queued = self.lanes.iter().filter(|(_, lane)| !lane.fresh.is_empty());
        for number in queued.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.change(number, |lane| lane.fresh.clear());
        }
    }
}
