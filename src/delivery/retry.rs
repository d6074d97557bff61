//! When a failed delivery is tried again, and which answers end it at once.

use std::time::Duration;

/// When a failed delivery is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Before the second attempt.
    pub first: Duration,
    /// Each wait is this many times the one before.
    pub factor: f64,
    /// No wait is longer; `Retry-After` is obeyed up to it.
    pub max: Duration,
    /// Counted from the event's receipt; what is not delivered by then is dead.
    pub give_up_after: Duration,
    /// By which part of itself a wait may be shorter or longer, from 0 to 1: so what failed together
    /// does not come back together.
    pub jitter: f64,
    /// The answers to a request that no repetition can change.
    pub never: Statuses,
}

impl Default for Retry {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        Self {
            first: Duration::from_secs(5),
            factor: 3.0,
            max: minutes(60),
            give_up_after: minutes(24 * 60),
            jitter: 0.2,
            never: [400, 410, 413, 422].into_iter().collect(),
        }
    }
}

impl Retry {
    /// How long to wait after the attempt with this number (from 1). `random` is in 0..1.
    pub fn wait(&self, attempt: u32, random: f64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let longest = self.max.as_secs_f64();
        let wait = (self.first.as_secs_f64() * self.factor.powi(exponent)).min(longest);
        let wait = (wait * (1.0 + self.jitter * (2.0 * random - 1.0))).min(longest);
        // What no `Duration` can hold is longer than the longest.
        Duration::try_from_secs_f64(wait).unwrap_or(self.max)
    }
}

/// A set of HTTP statuses that are no success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statuses([u64; 5]);

impl Statuses {
    /// The least and the greatest that it can hold.
    pub const RANGE: (u16, u16) = (300, 599);

    pub fn contains(&self, status: u16) -> bool {
        Self::place(status).is_some_and(|(word, bit)| self.0[word] & bit != 0)
    }

    fn place(status: u16) -> Option<(usize, u64)> {
        let (least, greatest) = Self::RANGE;
        let offset = (least..=greatest).contains(&status).then(|| status - least)?;
        Some((usize::from(offset / 64), 1 << (offset % 64)))
    }
}

/// Those out of range are left out.
impl FromIterator<u16> for Statuses {
    fn from_iter<T: IntoIterator<Item = u16>>(statuses: T) -> Self {
        let mut set = Self::default();
        for (word, bit) in statuses.into_iter().filter_map(Self::place) {
            set.0[word] |= bit;
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_are_spread() {
        let retry = Retry::default();
        let seconds = |attempt, random| retry.wait(attempt, random).as_secs_f64();
        assert_eq!(seconds(1, 0.5), 5.0);
        assert_eq!(seconds(3, 0.5), 45.0);
        assert_eq!(seconds(50, 0.5), 3600.0);
        assert!((seconds(1, 0.0) - 4.0).abs() < 1e-9 && seconds(1, 0.99) < 6.0);
        assert!(seconds(u32::MAX, 0.99) <= 3600.0);
        for (first, factor) in [
            (Duration::MAX, 3.0),
            (Duration::ZERO, f64::INFINITY),
            (Duration::MAX, -1.0),
            (Duration::MAX, f64::NAN),
        ] {
            let retry = Retry { first, factor, max: Duration::MAX, ..retry };
            assert!((1..5).all(|attempt| retry.wait(attempt, 0.99) <= Duration::MAX));
        }
    }

    #[test]
    fn jitter_is_a_part_of_the_wait() {
        let spread = |jitter| {
            let retry = Retry { jitter, ..Retry::default() };
            [0.0, 0.5, 1.0].map(|random| retry.wait(2, random).as_secs_f64())
        };
        assert_eq!(spread(0.0), [15.0, 15.0, 15.0]);
        assert_eq!(spread(0.5), [7.5, 15.0, 22.5]);
        assert_eq!(spread(1.0), [0.0, 15.0, 30.0]);
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let edges = [300, 363, 364, 427, 428, 599];
        let set: Statuses = edges.into_iter().chain([0, 299, 600, u16::MAX]).collect();
        let held: Vec<u16> = (0..=u16::MAX).filter(|status| set.contains(*status)).collect();
        assert_eq!(held, edges);
    }
}
