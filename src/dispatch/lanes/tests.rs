//! What is remembered of lanes, for how long, and what is shown.

use super::*;
use crate::delivery::Pause;
use std::time::Duration;

const LANE: (&str, &str) = ("r", "a");

fn at(s: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + s).expect("near now")
}

fn limits(rate: &str) -> LaneLimits {
    let pause = Pause { after: 2, first: Duration::from_secs(10), max: Duration::from_secs(10) };
    LaneLimits { rate: rate.parse().ok(), concurrency: Some(4), pause: Some(pause), ..LaneLimits::default() }
}

fn end(lanes: &Lanes, limits: LaneLimits, sign: Sign, now: i64) -> Option<Change> {
    let ended = Ended { part: "", sign, why: "503", started_at: at(now) };
    lanes.ended(LANE.0, LANE.1, limits, ended, at(now))
}

fn shown(lanes: &Lanes, now: i64) -> Vec<String> {
    let line = |it: LaneStatus| {
        let until = it.paused_until.map(|until| until.as_second() - at(0).as_second());
        format!("{}/{} {} {until:?} {:?} {}", it.rule, it.action, it.state.name(), it.why, {
            it.rate.map(|rate| rate.to_string()).unwrap_or_default()
        })
    };
    lanes.snapshot(at(now)).into_iter().map(line).collect()
}

#[test]
fn a_lane_without_a_word_has_the_room_that_all_have() {
    let room = Lanes::default().room(LANE, LaneLimits::default(), 16, at(0));
    assert_eq!(room, Room { in_all: 16, until: None });
    let room = Lanes::default().room(LANE, limits(""), 16, at(0));
    assert_eq!(room, Room { in_all: 4, until: None });
}

#[test]
fn what_is_leased_takes_from_the_rate() {
    let lanes = Lanes::default();
    assert_eq!(lanes.room(LANE, limits("2/s"), 16, at(0)).until.map(|(count, _)| count), Some(2));
    lanes.leased(LANE.0, LANE.1, limits("2/s"), at(0));
    lanes.leased(LANE.0, LANE.1, limits("2/s"), at(0));
    let room = lanes.room(LANE, limits("2/s"), 16, at(0));
    assert_eq!(room.until, Some((0, at(0) + jiff::SignedDuration::from_millis(500))));
    assert_eq!(lanes.room(("r", "other"), limits("2/s"), 16, at(0)).until.map(|(count, _)| count), Some(2));
    assert_eq!(shown(&lanes, 0), ["r/a open None None 2/s"]);
}

#[test]
fn a_paused_lane_has_no_room_then_that_for_one_then_all() {
    let lanes = Lanes::default();
    assert_eq!(end(&lanes, limits(""), Sign::Fails, 0), None);
    assert_eq!(shown(&lanes, 0), [""; 0], "that is nothing yet");
    let paused = Change::Paused { until: at(10), why: "503".into() };
    assert_eq!(end(&lanes, limits(""), Sign::Fails, 0), Some(paused));
    assert_eq!(lanes.room(LANE, limits(""), 16, at(9)), Room { in_all: 4, until: Some((0, at(10))) });
    assert_eq!(shown(&lanes, 9), [r#"r/a paused Some(10) Some("503") "#]);
    assert_eq!(lanes.room(LANE, limits(""), 16, at(10)), Room { in_all: 1, until: None });
    assert_eq!(shown(&lanes, 10), [r#"r/a probing Some(10) Some("503") "#]);
    assert_eq!(end(&lanes, limits(""), Sign::Works, 10), Some(Change::Resumed));
    assert_eq!(lanes.room(LANE, limits(""), 16, at(10)), Room { in_all: 4, until: None });
}

#[test]
fn a_lane_that_works_and_has_no_rate_is_forgotten() {
    let lanes = Lanes::default();
    assert_eq!(end(&lanes, limits(""), Sign::Works, 0), None);
    assert!(lanes.known().is_empty());
    end(&lanes, limits(""), Sign::Fails, 0);
    assert!(!lanes.known().is_empty());
    end(&lanes, limits(""), Sign::Works, 0);
    assert!(lanes.known().is_empty());
    let restless = LaneLimits { pause: None, ..limits("") };
    (0..9).for_each(|_| assert_eq!(end(&lanes, restless, Sign::Fails, 0), None));
    assert!(lanes.known().is_empty());
}

#[test]
fn other_rules_end_every_pause_but_not_the_rate() {
    let lanes = Lanes::default();
    lanes.leased(LANE.0, LANE.1, limits("1/h"), at(0));
    (0..2).for_each(|_| _ = end(&lanes, limits("1/h"), Sign::Fails, 0));
    lanes.leased("gone", "a", limits("1/h"), at(0));
    let rate = |rule: &str, _: &str| limits("1/h").rate.filter(|_| rule == "r");
    assert_eq!(lanes.renew(rate), [("r".to_owned(), "a".to_owned())]);
    assert_eq!(lanes.room(LANE, limits("1/h"), 16, at(1)).until, Some((0, at(3600))));
    assert_eq!(shown(&lanes, 1), ["r/a open None None 1/h"]);
    assert_eq!(lanes.renew(|_, _| None), [], "it was not paused any more");
    assert!(lanes.known().is_empty());
}
