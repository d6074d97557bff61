//! How much may be leased: in all, and of each lane.

use jiff::Timestamp;
use std::sync::Arc;

/// For each attempt that may be made at once, in all and of a lane, so many are leased: attempts go on
/// while outcomes are kept, but not for ever.
pub const OUTCOMES_PER_ATTEMPT: usize = 16;

/// How much may be leased.
#[derive(Clone)]
pub struct Capacity {
    /// At most this many now.
    pub overall: usize,
    /// Says what each lane has room for.
    pub lanes: Arc<dyn Rooms>,
    /// Lanes that had no room until some time are asked again although it has not come: what
    /// limited them may have changed.
    pub afresh: bool,
}

impl Capacity {
    /// The same for each lane: at most this many of it in all, those under way included.
    pub fn each(overall: usize, in_all: usize) -> Self {
        let room = Room { in_all, until: None };
        Self { overall, lanes: Arc::new(move |_: &str, _: &str| room), afresh: false }
    }
}

/// What lanes have room for. Asked in the middle of a lease, of lanes with something due: it answers
/// from memory, and calls no journal.
pub trait Rooms: Send + Sync {
    /// The room of the lane of this rule's action, as it is now.
    fn room(&self, rule: &str, action: &str) -> Room;
}

impl<F: Fn(&str, &str) -> Room + Send + Sync> Rooms for F {
    fn room(&self, rule: &str, action: &str) -> Room {
        self(rule, action)
    }
}

/// What may be leased of one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// At most this many in all, those included that are being attempted.
    pub in_all: usize,
    /// At most this many more before that time, when the lane is looked at again by itself.
    pub until: Option<(usize, Timestamp)>,
}
