//! The one decision: what an attempt's end means for its delivery. Pure.

use super::lanes::Sign;
use crate::action::ActionError;
use crate::delivery::{Outcome, Receipt, Retry};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How an attempt ended, or why none was made.
#[derive(Clone, Debug)]
pub enum End {
    Delivered(Receipt),
    Failed(ActionError),
    TimedOut(Duration),
    /// The rule itself is at fault, or gone.
    Broken(String),
    /// The condition could be evaluated at last, and is false.
    Unwanted,
}

/// What the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The attempt that ended, from 1; from there on anew if somebody had it tried again.
    pub number: u32,
    /// Since when its retry time counts: its receipt, or when somebody had it tried again.
    pub counted_from: Timestamp,
    pub now: Timestamp,
    pub retry: Retry,
    /// In 0..1; says how far the wait is spread.
    pub random: f64,
}

/// What an attempt's end says of its destination.
pub fn sign(end: &End) -> Sign {
    match end {
        End::Failed(ActionError::Answered { status: 500.., .. } | ActionError::Down(_)) => Sign::Fails,
        End::TimedOut(_) => Sign::Fails,
        End::Delivered(_) | End::Failed(ActionError::Answered { .. } | ActionError::Refused(_)) => {
            Sign::Works
        }
        End::Failed(ActionError::Retry { .. } | ActionError::Blocked(_)) | End::Broken(_) | End::Unwanted => {
            Sign::Nothing
        }
    }
}

/// Says what becomes of the delivery.
pub fn decide(end: End, terms: &Terms) -> Outcome {
    match end {
        End::Delivered(receipt) => Outcome::Delivered(receipt),
        End::Unwanted => Outcome::Skipped,
        End::Failed(ActionError::Refused(error)) => Outcome::Dead { error },
        End::Failed(ActionError::Blocked(error)) | End::Broken(error) => blocked(error, terms),
        End::Failed(ActionError::Answered { status, error, .. }) if terms.retry.never.contains(status) => {
            Outcome::Dead { error }
        }
        End::Failed(ActionError::Retry { error, after } | ActionError::Answered { error, after, .. }) => {
            again(error, after, terms)
        }
        End::Failed(ActionError::Down(error)) => again(error, None, terms),
        End::TimedOut(limit) => {
            again(format!("no answer within {}", humantime::format_duration(limit)), None, terms)
        }
    }
}

fn again(error: String, after: Option<Duration>, terms: &Terms) -> Outcome {
    let retry = &terms.retry;
    let wait = after.map_or_else(|| retry.wait(terms.number, terms.random), |after| after.min(retry.max));
    let due = later(terms.now, wait);
    if due > end_of(terms) { given_up(&error, retry) } else { Outcome::Retry { due, error } }
}

fn blocked(error: String, terms: &Terms) -> Outcome {
    let until = end_of(terms);
    if terms.now >= until { given_up(&error, &terms.retry) } else { Outcome::Blocked { until, error } }
}

fn given_up(error: &str, retry: &Retry) -> Outcome {
    let time = humantime::format_duration(retry.give_up_after);
    Outcome::Dead { error: format!("given up after {time}: {error}") }
}

/// When the delivery is given up.
fn end_of(terms: &Terms) -> Timestamp {
    later(terms.counted_from, terms.retry.give_up_after)
}

fn later(time: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    time.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn after(seconds: u64) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    /// `retry: {max: 1h, for: 24h}`, the event received at the epoch.
    fn decided(end: End, number: u32, now_s: u64) -> String {
        decided_by(Retry::default(), end, number, now_s)
    }

    fn decided_by(retry: Retry, end: End, number: u32, now_s: u64) -> String {
        let counted_from = Timestamp::UNIX_EPOCH;
        let terms = Terms { number, counted_from, now: after(now_s), retry, random: 0.5 };
        match decide(end, &terms) {
            Outcome::Delivered(receipt) => format!("delivered: {}", receipt.line),
            Outcome::Retry { due, error } => format!("retry at {}: {error}", due.as_second()),
            Outcome::Blocked { until, error } => format!("blocked until {}: {error}", until.as_second()),
            Outcome::Skipped => "skipped".into(),
            Outcome::Dead { error } => format!("dead: {error}"),
        }
    }

    fn retry(after_s: Option<u64>) -> End {
        End::Failed(ActionError::Retry { error: "503".into(), after: after_s.map(Duration::from_secs) })
    }

    #[test]
    fn a_failure_is_tried_again_by_the_schedule_or_when_asked() {
        assert_eq!(decided(retry(None), 1, 100), "retry at 105: 503");
        assert_eq!(decided(retry(None), 3, 100), "retry at 145: 503");
        assert_eq!(decided(retry(Some(7)), 3, 100), "retry at 107: 503");
        assert_eq!(decided(retry(Some(0)), 3, 100), "retry at 100: 503");
        assert_eq!(decided(retry(Some(9 * HOUR)), 1, 0), "retry at 3600: 503", "capped at max");
        let slow = End::TimedOut(Duration::from_secs(30));
        assert_eq!(decided(slow, 1, 100), "retry at 105: no answer within 30s");
    }

    #[test]
    fn an_answer_is_final_if_the_rule_says_so() {
        let answered = |status: u16, after_s: Option<u64>| {
            let (error, after) = (status.to_string(), after_s.map(Duration::from_secs));
            End::Failed(ActionError::Answered { status, error, after })
        };
        for (status, verdict) in
            [(400, "dead: 400"), (410, "dead: 410"), (404, "retry at 5: 404"), (500, "retry at 5: 500")]
        {
            assert_eq!(decided(answered(status, None), 1, 0), verdict);
        }
        assert_eq!(decided(answered(429, Some(7)), 1, 0), "retry at 7: 429");
        assert_eq!(decided(answered(503, Some(9 * HOUR)), 1, 0), "retry at 3600: 503", "capped at max");
        let by = |never: &[u16]| Retry { never: never.iter().copied().collect(), ..Retry::default() };
        assert_eq!(decided_by(by(&[404]), answered(404, Some(7)), 1, 0), "dead: 404");
        assert_eq!(decided_by(by(&[404]), answered(400, None), 1, 0), "retry at 5: 400", "a list replaces");
        assert_eq!(decided_by(by(&[]), answered(422, None), 1, 0), "retry at 5: 422");
    }

    #[test]
    fn only_a_destination_that_does_not_work_counts_against_its_lane() {
        let answered =
            |status| End::Failed(ActionError::Answered { status, error: String::new(), after: None });
        for (end, expected) in [
            (answered(500), Sign::Fails),
            (answered(503), Sign::Fails),
            (End::Failed(ActionError::Down("refused".into())), Sign::Fails),
            (End::TimedOut(Duration::from_secs(1)), Sign::Fails),
            (answered(404), Sign::Works),
            (answered(429), Sign::Works),
            (End::Failed(ActionError::Refused("410".into())), Sign::Works),
            (End::Delivered(Receipt::of("204")), Sign::Works),
            (retry(None), Sign::Nothing),
            (End::Failed(ActionError::Blocked("no rule".into())), Sign::Nothing),
            (End::Broken("no rule".into()), Sign::Nothing),
            (End::Unwanted, Sign::Nothing),
        ] {
            assert_eq!(sign(&end), expected, "{end:?}");
        }
        let down = End::Failed(ActionError::Down("refused".into()));
        assert_eq!(decided(down, 1, 100), "retry at 105: refused");
    }

    #[test]
    fn what_would_come_after_the_retry_time_is_dead() {
        assert_eq!(decided(retry(None), 1, 24 * HOUR - 5), "retry at 86400: 503");
        assert_eq!(decided(retry(None), 1, 24 * HOUR - 4), "dead: given up after 1day: 503");
        assert_eq!(decided(retry(Some(u64::MAX)), 1, 24 * HOUR), "dead: given up after 1day: 503");
    }

    #[test]
    fn what_the_rule_broke_waits_until_the_retry_time_is_over() {
        for end in [End::Broken("no rule".into()), End::Failed(ActionError::Blocked("no rule".into()))] {
            assert_eq!(decided(end.clone(), 1, 100), "blocked until 86400: no rule");
            assert_eq!(decided(end, 1, 24 * HOUR), "dead: given up after 1day: no rule");
        }
    }

    #[test]
    fn the_rest_ends_it() {
        let receipt = Receipt::of("204");
        assert_eq!(decided(End::Delivered(receipt), 1, 100 * HOUR), "delivered: 204");
        assert_eq!(decided(End::Failed(ActionError::Refused("410 Gone".into())), 1, 0), "dead: 410 Gone");
        assert_eq!(decided(End::Unwanted, 1, 0), "skipped");
    }
}
