//! Storm control and order as rules write them.

use super::{event, problems, rules};
use crate::journal::{Routing, StormKind};
use jiff::Timestamp;
use std::time::Duration;

const NOW: &str = "2026-11-26T07:30:00Z";

fn route(control: &str) -> Routing {
    let text = format!(
        "rules: [{{name: r, match: any, {control}, actions: [{{log: {{}}}}, {{file: {{path: a}}}}]}}]"
    );
    let document =
        r#"{"source":"github","status":"x","payload":{"task_id":"t-1","n":1.50,"deep":{"a":[1]}}}"#;
    rules(&text).route(&event(document), 7, NOW.parse::<Timestamp>().unwrap())
}

fn kind(control: &str) -> StormKind {
    let mut storms = route(control).storms;
    assert_eq!(storms.len(), 1, "{control}");
    storms.remove(0).kind
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn each_control_is_as_it_is_for_the_event() {
    let seconds = Duration::from_secs;
    assert_eq!(kind("throttle: {within: 10m}"), StormKind::Throttle { until: at("2026-11-26T07:40:00Z") });
    let debounce = StormKind::Debounce { quiet: seconds(30), max: seconds(300) };
    assert_eq!(kind("debounce: {quiet: 30s}"), debounce);
    let debounce = StormKind::Debounce { quiet: seconds(30), max: seconds(60) };
    assert_eq!(kind("debounce: {quiet: 30s, max: 1m}"), debounce);
    let threshold = StormKind::Threshold { count: 5, within: seconds(600) };
    assert_eq!(kind("threshold: {count: 5, within: 10m}"), threshold);
    let collect = |until: &str, max| StormKind::Collect { until: at(until), max };
    assert_eq!(kind("collect: {within: 10m}"), collect("2026-11-26T07:40:00Z", 500));
    assert_eq!(kind(r#"collect: {until: "08:00", max: 3}"#), collect("2026-11-26T08:00:00Z", 3));
    let there = kind(r#"collect: {until: "08:00", zone: Europe/Berlin}"#);
    assert_eq!(there, collect("2026-11-27T07:00:00Z", 500), "it is half past eight there");
}

#[test]
fn a_key_is_text_of_any_value_and_a_long_one_its_digest() {
    let key = |per: &str| route(&format!("throttle: {{per: {per}, within: 1m}}")).storms.remove(0).key;
    assert_eq!(key(r#""{{ payload.task_id }}""#), "t-1");
    assert_eq!(key(r#""{{ payload.task_id }}/{{ payload.n }}""#), "t-1/1.50");
    assert_eq!(key(r#""{{ payload.deep }}""#), r#"{"a":[1]}"#);
    assert_eq!(key("all"), "all");
    assert_eq!(key(r#""{{ 'x' * 600 }}""#).len(), 64);
    let storms = route("throttle: {within: 1m}").storms;
    assert_eq!(storms[0].key, "");
    let routing = route(r#"order: {per: "{{ payload.task_id }}"}"#);
    let orders: Vec<_> = routing.deliveries.iter().map(|delivery| delivery.order.as_deref()).collect();
    assert_eq!((routing.storms.len(), orders), (0, vec![Some("t-1"); 2]));
}

#[test]
fn a_key_that_cannot_be_filled_in_blocks_what_it_would_have_decided() {
    for control in
        [r#"throttle: {per: "{{ payload.nope }}", within: 1m}"#, r#"order: {per: "{{ payload.nope }}"}"#]
    {
        let routing = route(control);
        assert_eq!((routing.rules.len(), routing.storms.len()), (1, 0), "{control}");
        for delivery in routing.deliveries {
            let why = delivery.blocked.expect("it waits for the rule to be mended");
            assert!(why.contains("`per`") && why.contains("nope"), "{why}");
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (control, parts) in [
        ("throttle: {}", &["1:41", "`throttle` has no `within`"][..]),
        ("throttle: {within: 10}", &["needs a unit"]),
        ("throttle: {within: 1m, quiet: 5s}", &["`quiet` is no key of `throttle`"]),
        (
            "throttle: {within: 1m}, debounce: {quiet: 5s}",
            &["1:55", "`throttle` and `debounce` are both there"],
        ),
        ("debounce: {quiet: 5s, max: 1s}", &["`max` is shorter than `quiet`"]),
        ("threshold: {count: 1, within: 5s}", &["`count` is a whole number from 2 to 1000"]),
        ("threshold: {count: five}", &["`threshold` has no `within`"]),
        ("collect: {}", &["either after a time or at one", "until"]),
        ("collect: {within: 5m, until: \"08:00\"}", &["either after a time or at one"]),
        ("collect: {within: 5m, zone: UTC}", &["`zone` belongs to `until`"]),
        ("collect: {until: 8}", &["`until`"]),
        ("collect: {until: \"8 o'clock\"}", &["a time of day such as \"08:00\""]),
        (
            "collect: {until: \"08:00\", zone: Berlin}",
            &["no time zone `Berlin`", "did you mean `Europe/Berlin`?"],
        ),
        ("order: {}", &["`order` has no `per`"]),
        ("order: {per: \"{{ paylod.x }}\"}", &["`paylod` is not defined"]),
        ("throtle: {within: 1m}", &["did you mean `throttle`?"]),
        (
            "throttle: {per: \"{{ window.count }}\", within: 1m}",
            &["1:47", "`window` is not there yet when `per` is filled in"],
        ),
        ("order: {per: \"{{ window.first.id }}\"}", &["`window` is not there yet"]),
        ("throttle: {per: \"{{ ide }}\", within: 5}", &["`ide` is not defined", "needs a unit"]),
        ("debounce: {per: \"{{ ide }}\", quiet: 5, max: 7}", &["`ide` is not defined", "`quiet`", "`max`"]),
        ("threshold: {per: \"{{ ide }}\", count: 1, within: 5}", &["`ide`", "`count`", "`within`"]),
        (
            "collect: {per: \"{{ ide }}\", until: \"8\", zone: Berlin, max: 0}",
            &["`ide`", "a time of day", "no time zone `Berlin`", "`max`"],
        ),
        (
            "stop: true, actions: [{log: {message: \"{{ window.count }}\"}}]",
            &["`window` is there only where"],
        ),
    ] {
        let actions = if control.contains("actions") { "" } else { ", actions: [{log: {}}]" };
        let text = format!("rules: [{{name: r, match: any, {control}{actions}}}]");
        let told = problems(&[("a.yaml", &text)]).join("\n");
        for part in parts {
            assert!(told.contains(part), "{control}: `{part}` is not in `{told}`");
        }
    }
}

#[test]
fn what_is_blocked_by_its_condition_has_its_place_in_the_order() {
    for control in ["", "throttle: {within: 1m}, "] {
        let routing = route(&format!(
            r#"{control}when: payload.nope > 1, order: {{per: "{{{{ payload.task_id }}}}"}}"#
        ));
        for delivery in &routing.deliveries {
            assert!(delivery.blocked.as_ref().is_some_and(|why| why.contains("nope")), "{delivery:?}");
            assert_eq!(delivery.order.as_deref(), Some("t-1"));
        }
        assert_eq!((routing.deliveries.len(), routing.storms.len()), (2, 0));
    }
}
