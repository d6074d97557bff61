//! What is leased, until its outcome is kept.

use super::{LaneId, Lanes};
use crate::delivery::DeliveryId;
use crate::journal::State;
use crate::journal::sqlite::fresh::{Fresh, Key, Origin};

/// How many bytes of events may only wait; those that are being attempted are bounded by their number.
const MOST_WAITING_BYTES: usize = 64 << 20;

/// A lease.
#[derive(Clone, Debug)]
pub struct Held {
    pub lane: LaneId,
    pub event: i64,
    pub name: String,
    /// As it is in the table, if that is sure.
    pub state: Option<State>,
    /// Whether its attempt only waits, or has ended and its outcome is still to be kept.
    pub settling: bool,
    /// Whether it has no row yet.
    pub is_fresh: bool,
    pub ties: Ties,
    /// What its effects have of it, if memory has that.
    pub origin: Option<Origin>,
    /// Of its event.
    pub bytes: usize,
}

/// What ties a delivery to others, from the beginning to its end. With what is handed over in memory there is
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Ties {
    /// Its key among those that are made in order.
    pub order: Option<String>,
    /// Its storm window.
    pub window: Option<i64>,
    /// Since when its retry time counts, and that of its effects; `None`: since receipt.
    pub counted_from: Option<i64>,
}

impl Held {
    /// As it was before the lease, of one without a row.
    fn fresh_again(&self, id: &DeliveryId) -> Option<Fresh> {
        let origin = self.origin.as_ref()?;
        let key = (self.event, self.lane, self.name.clone());
        let (due, bytes) = (origin.received_at.as_millisecond(), self.bytes);
        let leased = Box::new(origin.lease(id.clone(), None));
        Some(Fresh { key, due, bytes, has_row: false, commit: 0, leased })
    }

    pub fn is(&self, (event, lane, name): &Key) -> bool {
        (self.event, self.lane, &self.name) == (*event, *lane, name)
    }
}

impl Lanes {
    /// Takes a delivery out.
    pub fn hold(&mut self, id: DeliveryId, held: Held) {
        self.last = held.lane;
        if let Some(lane) = self.lanes.get_mut(&held.lane) {
            lane.leased.insert((held.event, held.name.clone()));
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

    /// Its attempt has ended: its lane has room for another one while the outcome is being kept. Whether
    /// that is news, and somebody waits for room.
    pub fn settle(&mut self, id: &DeliveryId) -> bool {
        self.set_settling(id, true) && self.has_left
    }

    /// Its outcome was not kept, and it is attempted again.
    pub fn resume(&mut self, id: &DeliveryId) {
        self.set_settling(id, false);
    }

    fn set_settling(&mut self, id: &DeliveryId, settling: bool) -> bool {
        let Some(held) = self.held.get_mut(id).filter(|held| held.settling != settling) else { return false };
        held.settling = settling;
        self.waiting_bytes =
            if settling { self.waiting_bytes + held.bytes } else { self.waiting_bytes - held.bytes };
        if let Some(lane) = self.lanes.get_mut(&held.lane) {
            lane.under_way = if settling { lane.under_way - 1 } else { lane.under_way + 1 };
        }
        true
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
}
