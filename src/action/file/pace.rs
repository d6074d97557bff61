//! How often files are synced, all together. A sync costs as much for one line as for hundreds: where many
//! files are written, their lines gather until it is their turn.

use std::time::Duration;
use tokio::time::Instant;

/// From one turn to the next: a thousand syncs in a second take a fifth of a core.
const APART: Duration = Duration::from_millis(1);
/// What earlier ones did not use of that is left to later ones, up to so much.
const SAVED: Duration = Duration::from_millis(50);
/// No file waits longer for its turn: with more files that are written there are more syncs.
const LONGEST: Duration = Duration::from_millis(100);

pub(super) struct Pace {
    /// The next turn, if somebody wants it by then.
    next: Instant,
}

impl Pace {
    pub fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// When the turn is that nobody else has.
    pub fn turn(&mut self, now: Instant) -> Instant {
        let turn = now.max(self.next);
        if self.next + SAVED < now {
            self.next = now - SAVED;
        }
        self.next = (self.next + APART).min(now + LONGEST);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits_ms(pace: &mut Pace, now: Instant, count: usize) -> Vec<u128> {
        (0..count).map(|_| (pace.turn(now) - now).as_millis()).collect()
    }

    #[test]
    fn turns_come_one_after_the_other_but_none_late() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(waits_ms(&mut pace, start, 4), [0, 1, 2, 3]);
        assert_eq!(waits_ms(&mut pace, start + APART * 2, 2), [2, 3]);
        let waits = waits_ms(&mut pace, start, 300);
        assert_eq!((waits[0], waits[299]), (6, LONGEST.as_millis()));
    }

    #[test]
    fn after_a_rest_some_need_not_wait() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let waits = waits_ms(&mut pace, start + Duration::from_secs(3600), 53);
        let (at_once, later) = waits.split_at(51);
        assert!(at_once.iter().all(|wait| *wait == 0), "{waits:?}");
        assert_eq!(later, [1, 2]);
    }
}
