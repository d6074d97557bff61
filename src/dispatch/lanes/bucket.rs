//! A token bucket, as the one time it takes: when the next attempt would come if all came evenly.
//! Pure over `now`.

use crate::delivery::Rate;
use jiff::Timestamp;

/// Full at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// Nanoseconds since 1970. What is past means a full bucket.
    next: i128,
}

impl Bucket {
    /// How many may go now, and when the next one may after those.
    pub fn room(&mut self, rate: Rate, now: Timestamp) -> (usize, Timestamp) {
        let (interval, burst) = self.meet(rate, now);
        let count = (now.as_nanosecond() + burst - self.next) / interval;
        let then = self.next + (count + 1) * interval - burst;
        let then = Timestamp::from_nanosecond(then).unwrap_or(Timestamp::MAX);
        (usize::try_from(count).unwrap_or(usize::MAX), then)
    }

    /// One goes.
    pub fn take(&mut self, rate: Rate, now: Timestamp) {
        let (interval, _) = self.meet(rate, now);
        self.next += interval;
    }

    /// Brings the time up to now, and says what the rate comes to. A bucket never owes more than it
    /// holds: neither a clock that was set back nor a rate that was raised stops it for long.
    fn meet(&mut self, rate: Rate, now: Timestamp) -> (i128, i128) {
        let interval = i128::try_from(rate.interval().as_nanos()).expect("a day at most");
        let (now, burst) = (now.as_nanosecond(), interval * i128::from(rate.burst()));
        self.next = self.next.clamp(now, now + burst);
        (interval, burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_764_000_000_000 + ms).expect("near now")
    }

    fn rate(text: &str) -> Rate {
        text.parse().expect(text)
    }

    /// Takes all that may go at these times; how many that is at each.
    fn taken(rate: Rate, times_ms: &[i64]) -> Vec<usize> {
        let mut bucket = Bucket::default();
        let take = |ms: &i64| {
            let (count, then) = bucket.room(rate, at(*ms));
            (0..count).for_each(|_| bucket.take(rate, at(*ms)));
            assert_eq!(bucket.room(rate, at(*ms)), (0, then), "the time was told before");
            count
        };
        times_ms.iter().map(take).collect()
    }

    #[test]
    fn after_a_rest_a_seconds_worth_goes_at_once_and_then_evenly() {
        assert_eq!(taken(rate("10/s"), &[0, 99, 100, 199, 200, 450, 5000]), [10, 0, 1, 0, 1, 2, 10]);
        assert_eq!(taken(rate("600/m"), &[0, 100, 1000]), [10, 1, 9]);
        assert_eq!(taken(rate("100/h"), &[0, 35_999, 36_000, 200_000]), [1, 0, 1, 1]);
    }

    #[test]
    fn the_next_one_is_told_to_the_nanosecond() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.room(rate("10/s"), at(0)), (10, at(100)));
        assert_eq!(bucket.room(rate("100/h"), at(0)), (1, at(36_000)));
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_more_than_the_burst() {
        let mut bucket = Bucket::default();
        bucket.take(rate("10/s"), at(3_600_000));
        assert_eq!(bucket.room(rate("10/s"), at(0)), (0, at(100)));
        assert_eq!(bucket.room(rate("10/s"), at(250)), (2, at(300)), "it was brought back once");
        bucket.take(rate("1/d"), at(250));
        assert_eq!(bucket.room(rate("10/s"), at(250)), (0, at(350)), "nor does a rate that was raised");
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_one_burst(
            count in 1u32..200, unit in 0usize..4, steps in proptest::collection::vec(0i64..30_000, 1..60)
        ) {
            let rate = rate(&format!("{count}/{}", ["s", "m", "h", "d"][unit]));
            let times: Vec<_> = steps.iter().scan(0, |now, step| { *now += step; Some(*now) }).collect();
            let all: usize = taken(rate, &times).iter().sum();
            let over_ns = i128::from(*times.last().expect("one at least")) * 1_000_000;
            let evenly = over_ns / i128::try_from(rate.interval().as_nanos()).expect("it is small");
            prop_assert!(all as i128 <= evenly + i128::from(rate.burst()), "{all} in {over_ns} ns");
        }
    }
}
