//! When a lane rests: after failures in a row nothing is tried for a while, then one delivery alone;
//! its end decides. Pure over `now`.

use crate::delivery::Pause;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// What an attempt's end says of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It answered, whatever that was.
    Works,
    /// No connection, no answer in time, a 5xx.
    Fails,
    /// Nothing went there, or something else was at fault.
    Nothing,
}

/// What has become of a lane's last attempts.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    /// Failures in a row. Counted apart for each kind of effect (the action itself is ""): that a
    /// script runs says nothing of the service that its effects go to.
    rows: BTreeMap<Box<str>, u32>,
    pub paused: Option<Paused>,
}

/// A lane at rest, or on its way back.
#[derive(Clone, Debug, PartialEq)]
pub struct Paused {
    /// When one delivery is let through. What was begun before says nothing any more.
    pub until: Timestamp,
    /// Since the lane worked: 1 for the first pause.
    pub number: u32,
    /// What failed last.
    pub why: String,
    length: Duration,
    /// Whose success ends it.
    part: Box<str>,
}

/// What an attempt has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Paused { until: Timestamp, why: String },
    Resumed,
}

/// An attempt that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// The kind of the effect; "" for the action itself.
    pub part: &'a str,
    pub sign: Sign,
    /// The error, or the receipt.
    pub why: &'a str,
    pub started_at: Timestamp,
}

impl Breaker {
    /// Whether it has nothing to remember.
    pub fn is_idle(&self) -> bool {
        self.rows.is_empty() && self.paused.is_none()
    }

    /// Until when nothing may be tried. Past that, one delivery at a time.
    pub fn paused_until(&mut self, now: Timestamp) -> Option<Timestamp> {
        let paused = self.paused.as_mut()?;
        // A clock that was set back makes no pause longer.
        paused.until = paused.until.min(later(now, paused.length));
        Some(paused.until)
    }

    /// An attempt has ended: does that pause the lane, or end its pause? A pause that goes on longer
    /// is no change.
    pub fn ended(&mut self, ended: Ended<'_>, pause: Pause, now: Timestamp) -> Option<Change> {
        if self.paused.as_ref().is_some_and(|paused| ended.started_at < paused.until) {
            return None;
        }
        match ended.sign {
            Sign::Works => self.works(ended.part, pause, now),
            Sign::Fails => self.fails(ended, pause, now),
            Sign::Nothing => None,
        }
    }

    /// Another part than the one that failed ends the pause too if that has not come for long: there
    /// may be nothing left of it.
    fn works(&mut self, part: &str, pause: Pause, now: Timestamp) -> Option<Change> {
        self.rows.remove(part);
        let is_over = |paused: &mut Paused| &*paused.part == part || now >= later(paused.until, pause.max);
        self.paused.take_if(is_over).map(|_| Change::Resumed)
    }

    fn fails(&mut self, Ended { part, why, .. }: Ended<'_>, pause: Pause, now: Timestamp) -> Option<Change> {
        let rest = |number: u32, part: Box<str>| {
            let length = pause.length(number);
            Paused { until: later(now, length), number, why: why.to_owned(), length, part }
        };
        if let Some(paused) = &mut self.paused {
            *paused = rest(paused.number.saturating_add(1), std::mem::take(&mut paused.part));
            return None;
        }
        let row = self.rows.entry(part.into()).or_default();
        *row += 1;
        if *row < pause.after {
            return None;
        }
        self.rows.clear();
        let paused = self.paused.insert(rest(1, part.into()));
        Some(Change::Paused { until: paused.until, why: paused.why.clone() })
    }
}

fn later(time: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    time.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Pause = Pause { after: 3, first: Duration::from_secs(10), max: Duration::from_secs(25) };

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(1_764_000_000 + s).expect("near now")
    }

    /// The lane after one more attempt, begun at `from` and ended at `to`.
    fn attempt(lane: &mut Breaker, sign: Sign, (from, to): (i64, i64)) -> String {
        of_part(lane, "", sign, (from, to))
    }

    fn of_part(lane: &mut Breaker, part: &str, sign: Sign, (from, to): (i64, i64)) -> String {
        let ended = Ended { part, sign, why: "503", started_at: at(from) };
        match lane.ended(ended, PAUSE, at(to)) {
            Some(Change::Paused { until, why }) => {
                format!("paused until {}: {why}", until.as_second() - at(0).as_second())
            }
            Some(Change::Resumed) => "resumed".into(),
            None => String::new(),
        }
    }

    fn until(lane: &mut Breaker, now: i64) -> Option<i64> {
        lane.paused_until(at(now)).map(|until| until.as_second() - at(0).as_second())
    }

    #[test]
    fn failures_in_a_row_pause_and_one_that_works_ends_the_row() {
        let mut lane = Breaker::default();
        for sign in [Sign::Fails, Sign::Fails, Sign::Nothing, Sign::Works, Sign::Fails, Sign::Fails] {
            assert_eq!(attempt(&mut lane, sign, (0, 1)), "");
        }
        assert_eq!(attempt(&mut lane, Sign::Nothing, (0, 1)), "");
        assert_eq!((until(&mut lane, 1), lane.is_idle()), (None, false));
        assert_eq!(attempt(&mut lane, Sign::Fails, (1, 2)), "paused until 12: 503");
        assert_eq!(until(&mut lane, 2), Some(12));
    }

    #[test]
    fn what_was_begun_before_the_pause_says_nothing_more() {
        let mut lane = Breaker::default();
        (0..3).for_each(|_| _ = attempt(&mut lane, Sign::Fails, (0, 0)));
        for sign in [Sign::Fails, Sign::Works] {
            assert_eq!(attempt(&mut lane, sign, (0, 30)), "");
            assert_eq!(until(&mut lane, 30), Some(10));
        }
    }

    #[test]
    fn the_one_let_through_decides() {
        let mut lane = Breaker::default();
        (0..3).for_each(|_| _ = attempt(&mut lane, Sign::Fails, (0, 0)));
        assert_eq!(attempt(&mut lane, Sign::Nothing, (10, 11)), "");
        assert_eq!(until(&mut lane, 11), Some(10), "the next one is let through at once");
        assert_eq!(attempt(&mut lane, Sign::Fails, (11, 12)), "");
        assert_eq!(until(&mut lane, 12), Some(32), "twice as long");
        assert_eq!(attempt(&mut lane, Sign::Fails, (32, 33)), "");
        assert_eq!(until(&mut lane, 33), Some(58), "no longer than the longest");
        assert_eq!(attempt(&mut lane, Sign::Works, (58, 59)), "resumed");
        assert!(lane.is_idle());
    }

    #[test]
    fn a_part_that_works_neither_ends_the_row_nor_the_pause_of_another() {
        let mut lane = Breaker::default();
        for _ in 0..2 {
            assert_eq!(of_part(&mut lane, "http", Sign::Fails, (0, 0)), "");
            assert_eq!(attempt(&mut lane, Sign::Works, (0, 0)), "");
        }
        assert_eq!(of_part(&mut lane, "http", Sign::Fails, (0, 0)), "paused until 10: 503");
        assert_eq!(attempt(&mut lane, Sign::Works, (10, 10)), "");
        assert_eq!(until(&mut lane, 10), Some(10));
        assert_eq!(of_part(&mut lane, "http", Sign::Works, (10, 10)), "resumed");
    }

    #[test]
    fn a_part_that_does_not_come_again_holds_nothing_up() {
        let mut lane = Breaker::default();
        (0..3).for_each(|_| _ = of_part(&mut lane, "http", Sign::Fails, (0, 0)));
        let changes = [10, 34, 35].map(|now| attempt(&mut lane, Sign::Works, (now, now)));
        assert_eq!(changes, ["", "", "resumed"], "after the longest pause");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_pause_longer() {
        let mut lane = Breaker::default();
        (0..3).for_each(|_| _ = attempt(&mut lane, Sign::Fails, (3600, 3600)));
        assert_eq!(until(&mut lane, 3600), Some(3610));
        assert_eq!(until(&mut lane, 0), Some(10));
    }
}
