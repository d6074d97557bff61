//! The lanes in memory: when each has work, what is leased from it, whose turn it is.
//!
//! Only lanes are kept here, never their backlog: a lane with a million deliveries costs as much
//! as one with a single delivery, and a lane with none due costs nothing at a lease. What is fresh is
//! here until it has a row, within a bound.

use super::fresh::{Fresh, Key, Origin, Unsettled};
use crate::delivery::DeliveryId;
use crate::journal::State;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Number of a row of the table `lanes`.
pub type LaneId = i64;

/// How many bytes of events may only wait; those that are being attempted are bounded by their number.
const MOST_WAITING_BYTES: usize = 64 << 20;

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
    /// Keys of what is leased: the event's, and the names.
    leased: HashMap<i64, Vec<String>>,
    /// How many they are, and how many of them are being attempted.
    count: usize,
    under_way: usize,
}

/// A lease.
#[derive(Clone, Debug)]
pub struct Held {
    pub lane: LaneId,
    pub event: i64,
    pub name: String,
    /// As it is in the table, if that is sure.
    pub state: Option<State>,
    /// Whether its attempt has ended, and only its outcome is still to be kept.
    pub settling: bool,
    /// Whether it has no row yet.
    pub is_fresh: bool,
    /// What its effects have of it, if memory has that.
    pub origin: Option<Origin>,
    /// Of its event.
    pub bytes: usize,
}

impl Held {
    /// As it was before the lease, of one without a row.
    fn fresh_again(&self, id: &DeliveryId) -> Option<Fresh> {
        let origin = self.origin.as_ref()?;
        let key = (self.event, self.lane, self.name.clone());
        let (due, bytes) = (origin.received_at.as_millisecond(), self.bytes);
        Some(Fresh { key, due, bytes, has_row: false, leased: origin.lease(id.clone(), None) })
    }

    fn is(&self, (event, lane, name): &Key) -> bool {
        (self.event, self.lane, &self.name) == (*event, *lane, name)
    }
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
    /// The lane that was leased from last.
    last: LaneId,
    /// The time of the last look.
    woken_at: i64,
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

    /// Whether a new delivery may be handed over in memory: not past older ones of its lane.
    pub fn takes_fresh(&self, number: LaneId, due: i64) -> bool {
        self.lanes.get(&number).is_none_or(|lane| lane.due.is_none_or(|first| first > due))
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

    /// The oldest of a lane that are due, up to `count`.
    pub fn take_fresh(&mut self, number: LaneId, count: usize, now: i64) -> Vec<Fresh> {
        let mut taken = Vec::new();
        self.change(number, |lane| {
            let due = lane.fresh.iter().take(count).take_while(|fresh| fresh.due <= now).count();
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

    /// Up to `count` ready lanes that have room, beginning behind the last one served.
    pub fn turn(&self, count: usize, mut has_room: impl FnMut(LaneId, &Lane) -> bool) -> Vec<LaneId> {
        let open = |number: &LaneId| has_room(*number, &self.lanes[number]);
        let behind = self.ready.range(self.last + 1..);
        behind.chain(self.ready.range(..=self.last)).copied().filter(open).take(count).collect()
    }

    /// Takes a delivery out.
    pub fn hold(&mut self, id: DeliveryId, held: Held) {
        self.last = held.lane;
        if let Some(lane) = self.lanes.get_mut(&held.lane) {
            lane.leased.entry(held.event).or_default().push(held.name.clone());
            lane.count += 1;
            lane.under_way += usize::from(!held.settling);
        }
        self.held.insert(id, held);
    }

    /// Whether memory has room for more that will only wait one day.
    pub fn may_hold_more(&self) -> bool {
        self.waiting_bytes < MOST_WAITING_BYTES
    }

    pub fn held(&self, id: &DeliveryId) -> Option<&Held> {
        self.held.get(id)
    }

    /// Its attempt has ended: its lane has room for another one while the outcome is being kept.
    pub fn settle(&mut self, id: &DeliveryId) {
        self.set_settling(id, true);
    }

    /// Its outcome was not kept, and it is attempted again.
    pub fn resume(&mut self, id: &DeliveryId) {
        self.set_settling(id, false);
    }

    fn set_settling(&mut self, id: &DeliveryId, settling: bool) {
        let Some(held) = self.held.get_mut(id).filter(|held| held.settling != settling) else { return };
        held.settling = settling;
        self.waiting_bytes =
            if settling { self.waiting_bytes + held.bytes } else { self.waiting_bytes - held.bytes };
        if let Some(lane) = self.lanes.get_mut(&held.lane) {
            lane.under_way = if settling { lane.under_way - 1 } else { lane.under_way + 1 };
        }
    }

    /// After a commit that may have been made or not, the table has to be asked.
    pub fn doubt_states(&mut self) {
        self.held.values_mut().for_each(|held| held.state = None);
    }

    /// Ends a lease; what is still open is due at `due`.
    pub fn end(&mut self, id: &DeliveryId, due: Option<i64>) {
        let Some(held) = self.held.remove(id) else { return };
        if held.settling {
            self.waiting_bytes -= held.bytes;
        }
        if let Some(lane) = self.lanes.get_mut(&held.lane) {
            lane.end(&held);
        }
        self.fresh.remove(&(held.event, held.lane, held.name));
        if let Some(due) = due {
            self.note(held.lane, due);
        }
    }

    /// Puts a lease back unchanged: into memory, if it has no row. When it is due may have been changed
    /// meanwhile: the next look at the table says.
    pub fn release(&mut self, id: &DeliveryId) {
        let fresh = self.held.get(id).filter(|held| held.is_fresh).and_then(|held| held.fresh_again(id));
        let Some(fresh) = fresh else { return self.end(id, Some(i64::MIN)) };
        self.end(id, None);
        self.return_fresh(fresh);
    }

    /// When the first lane that is not ready is to be looked at.
    pub fn next_due(&self) -> Option<i64> {
        self.waiting.first().map(|(due, _)| *due)
    }
}

impl Lane {
    fn new(rule: String, action: String) -> Self {
        let (fresh, leased) = (VecDeque::new(), HashMap::new());
        Self { rule, action, due: None, fresh, not_before: OPEN, leased, count: 0, under_way: 0 }
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
        self.leased.get(&event).is_some_and(|names| names.iter().any(|called| called == name))
    }

    fn end(&mut self, held: &Held) {
        let Some(names) = self.leased.get_mut(&held.event) else { return };
        names.retain(|called| *called != held.name);
        if names.is_empty() {
            self.leased.remove(&held.event);
        }
        self.count -= 1;
        self.under_way -= usize::from(!held.settling);
    }

    /// How many are leased.
    pub fn leased(&self) -> usize {
        self.count
    }

    /// How many of them are being attempted.
    pub fn under_way(&self) -> usize {
        self.under_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(count: LaneId) -> Lanes {
        let mut lanes = Lanes::default();
        for lane in 1..=count {
            lanes.add(lane, format!("r{lane}"), "a".into());
            lanes.note(lane, 10);
        }
        lanes
    }

    fn hold(lanes: &mut Lanes, lane: LaneId, event: i64) -> DeliveryId {
        let id: DeliveryId = format!("evt_01JDFV3M4X0000000000000000/r{lane}/a/e-{event}").parse().unwrap();
        let held = Held {
            lane,
            event,
            name: String::new(),
            state: None,
            settling: false,
            is_fresh: false,
            origin: None,
            bytes: 0,
        };
        lanes.hold(id.clone(), held);
        id
    }

    #[test]
    fn a_lane_is_ready_when_its_time_has_come() {
        let mut lanes = lanes(2);
        lanes.note(2, 5);
        lanes.note(2, 7);
        lanes.wake(9);
        assert_eq!(lanes.turn(9, |_, _| true), [2]);
        assert_eq!(lanes.next_due(), Some(10));
        lanes.set_due(2, None);
        lanes.wake(10);
        assert_eq!(lanes.turn(9, |_, _| true), [1]);
        assert_eq!(lanes.next_due(), None);
    }

    #[test]
    fn turns_go_round_and_pass_over_lanes_without_room() {
        let mut lanes = lanes(4);
        lanes.wake(10);
        hold(&mut lanes, 2, 1);
        assert_eq!(lanes.turn(9, |_, lane| lane.under_way() < 2), [3, 4, 1, 2]);
        assert_eq!(lanes.turn(9, |_, lane| lane.under_way() < 1), [3, 4, 1]);
        assert_eq!(lanes.turn(1, |number, _| number != 3), [4]);
    }

    #[test]
    fn a_closed_lane_is_not_looked_at_before_its_time_unless_all_are_opened() {
        let mut lanes = lanes(2);
        lanes.wake(10);
        lanes.close(1, 50);
        lanes.note(1, 5);
        lanes.wake(49);
        assert_eq!((lanes.turn(9, |_, _| true), lanes.next_due()), (vec![2], Some(50)));
        lanes.wake(50);
        assert_eq!((lanes.turn(9, |_, _| true), lanes.next_due()), (vec![1, 2], None));
        lanes.set_due(1, None);
        lanes.close(2, 90);
        lanes.set_due(2, Some(99));
        assert_eq!(lanes.next_due(), Some(99), "when it has room nothing is due");
        lanes.set_due(2, Some(60));
        lanes.open_all();
        assert_eq!(lanes.next_due(), Some(60));
    }

    #[test]
    fn a_lane_has_room_again_when_an_attempt_has_ended_not_only_when_its_outcome_is_kept() {
        let mut lanes = lanes(1);
        let (one, other) = (hold(&mut lanes, 1, 1), hold(&mut lanes, 1, 2));
        let counts = |lanes: &Lanes| lanes.get(1).map(|lane| (lane.leased(), lane.under_way()));
        lanes.settle(&one);
        lanes.settle(&one);
        assert_eq!(counts(&lanes), Some((2, 1)));
        assert!(lanes.get(1).unwrap().is_leased(1, ""), "nobody else attempts it");
        lanes.resume(&one);
        assert_eq!(counts(&lanes), Some((2, 2)));
        lanes.settle(&other);
        lanes.end(&other, None);
        lanes.end(&one, None);
        assert_eq!(counts(&lanes), Some((0, 0)));
    }

    #[test]
    fn a_released_lease_is_looked_at_again_and_an_ended_one_is_not() {
        let mut lanes = lanes(1);
        let id = hold(&mut lanes, 1, 1);
        lanes.set_due(1, None);
        assert!(lanes.get(1).unwrap().is_leased(1, ""));
        lanes.release(&id);
        assert_eq!((lanes.next_due(), lanes.get(1).unwrap().under_way()), (Some(i64::MIN), 0));
        let id = hold(&mut lanes, 1, 1);
        lanes.set_due(1, None);
        lanes.end(&id, None);
        assert_eq!((lanes.next_due(), lanes.held(&id).is_none()), (None, true));
    }
}
