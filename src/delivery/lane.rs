//! What the author of a rule says of a lane: how fast it goes, how much of it at once, and when it
//! rests because its destination does not work.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Attempts of a lane under way at once, where nothing says how many.
pub const LANE_CONCURRENCY: usize = 16;

/// What limits a lane. `None`: nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    pub rate: Option<Rate>,
    /// Attempts under way at once; where the rule does not say, `limits.lane_concurrency` does.
    pub concurrency: Option<usize>,
    /// How many its action is made for, where nothing says.
    pub usual: usize,
    pub pause: Option<Pause>,
}

impl Default for LaneLimits {
    fn default() -> Self {
        Self { rate: None, concurrency: None, usual: LANE_CONCURRENCY, pause: Some(Pause::default()) }
    }
}

/// So many attempts in some time, evenly: `10/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per_s: u32,
}

const UNITS: [(&str, u32); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 24 * 3600)];

impl Rate {
    /// More in a second than any lane can do.
    const MOST: u32 = 1_000_000;

    /// Between two attempts that come evenly. Never zero.
    pub fn interval(self) -> Duration {
        let nanoseconds = (u64::from(self.per_s) * 1_000_000_000).div_ceil(u64::from(self.count));
        Duration::from_nanos(nanoseconds)
    }

    /// How many may come at once after a rest: what a second has room for, and at least one.
    pub fn burst(self) -> u32 {
        (self.count / self.per_s).max(1)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, per_s)| *per_s == self.per_s).map_or("s", |(unit, _)| unit);
        write!(f, "{}/{unit}", self.count)
    }
}

/// A text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a whole number from 1 to {most} and a unit of time, such as `10/s`, `600/m`, `100/h` or `5/d`", most = Rate::MOST)]
pub struct NotARate;

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (count, unit) = text.split_once('/').ok_or(NotARate)?;
        let (count, unit) = (count.trim(), unit.trim());
        let (_, per_s) = UNITS.into_iter().find(|(known, _)| *known == unit).ok_or(NotARate)?;
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|count| digits && (1..=Self::MOST).contains(count));
        Ok(Self { count: count.ok_or(NotARate)?, per_s })
    }
}

/// When a lane rests, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// So many failures in a row of its destination: no connection, no answer in time, a 5xx.
    pub after: u32,
    /// Then nothing is tried for so long.
    pub first: Duration,
    /// Each time the one delivery that is tried then fails, it is twice as long, up to this.
    pub max: Duration,
}

impl Default for Pause {
    fn default() -> Self {
        Self { after: 5, first: Duration::from_secs(10), max: Duration::from_secs(600) }
    }
}

impl Pause {
    /// How long the pause with this number is, from 1.
    pub fn length(&self, number: u32) -> Duration {
        let doubled = 2u32.saturating_pow(number.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_unit() {
        let read = |text: &str| text.parse::<Rate>();
        for (text, shown, interval_ms, burst) in [
            ("10/s", "10/s", 100, 10),
            (" 600 / m ", "600/m", 100, 10),
            ("100/h", "100/h", 36_000, 1),
            ("1/d", "1/d", 86_400_000, 1),
            ("090/m", "90/m", 667, 1),
        ] {
            let rate = read(text).expect(text);
            let millis = rate.interval().as_nanos().div_ceil(1_000_000);
            assert_eq!((&*rate.to_string(), millis, rate.burst()), (shown, interval_ms, burst), "{text}");
        }
        assert_eq!(read("1000000/s").map(Rate::interval), Ok(Duration::from_micros(1)));
        for text in ["", "10", "10/", "/s", "0/s", "-1/s", "+1/s", "0.5/s", "1000001/s", "10/sec", "1/s/s"] {
            assert_eq!(read(text), Err(NotARate), "{text}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let lengths = [0, 1, 2, 3, 6, 7, 8, u32::MAX].map(|number| Pause::default().length(number).as_secs());
        assert_eq!(lengths, [10, 10, 20, 40, 320, 600, 600, 600]);
    }
}
