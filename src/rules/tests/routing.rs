//! Which rules an event matches, and which deliveries that makes.

use super::{event, rules};
use crate::journal::Routing;
use crate::rules::{RuleSet, load};
use jiff::{SignedDuration, Timestamp};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn route(rules: &RuleSet, document: &str) -> Routing {
    rules.route(&event(document), 7, NOW)
}

fn names(rules: &RuleSet, document: &str) -> Vec<String> {
    route(rules, document).rules
}

/// A file of rules that log: name and the rest of each.
fn file(entries: &[(&str, &str)]) -> String {
    let rule =
        |(name, rest): &(&str, &str)| format!("  - {{name: {name}, {rest}, actions: [{{log: {{}}}}]}}\n");
    format!("rules:\n{}", entries.iter().map(rule).collect::<String>())
}

#[test]
fn every_rule_that_matches_gets_the_event_in_order() {
    let rules = rules(&file(&[
        ("b", "match: {status: [x, y]}"),
        ("no", "match: {status: z}"),
        ("a", "match: {status: y}, when: payload.n > 1"),
    ]));
    let routing = route(&rules, r#"{"source":"github","status":"y","payload":{"n":2}}"#);
    assert_eq!(routing.rules, ["b", "a"]);
    assert_eq!(routing.generation, 7);
    let ids: Vec<_> = routing.deliveries.iter().map(|delivery| delivery.id.to_string()).collect();
    assert_eq!(ids, ["evt_00000000000000000000000001/b/log", "evt_00000000000000000000000001/a/log"]);
    assert_eq!(names(&rules, r#"{"source":"github","status":"y","payload":{"n":1}}"#), ["b"]);
    assert_eq!(names(&rules, r#"{"source":"github"}"#), [""; 0]);
}

#[test]
fn the_pattern_of_a_file_holds_for_all_of_its_rules() {
    let text = file(&[("a", "match: {status: x}"), ("b", "match: any")]);
    let rules = rules(&format!("match: {{source: github}}\n{text}"));
    assert_eq!(names(&rules, r#"{"source":"github","status":"x"}"#), ["a", "b"]);
    assert_eq!(names(&rules, r#"{"source":"browser-use","status":"x"}"#), [""; 0]);
}

#[test]
fn stop_ends_its_own_file_only() {
    let first = file(&[("a", "match: {status: x}, stop: true"), ("b", "match: any")]);
    let second = file(&[("c", "match: any")]);
    let tree = super::tree(&[("a.yaml", &first), ("b.yaml", &second)]);
    let rules = load(&tree, &super::settings(&[])).rules.expect("they are right");
    assert_eq!(names(&rules, r#"{"status":"x"}"#), ["a", "c"]);
    assert_eq!(names(&rules, r#"{"status":"y"}"#), ["b", "c"]);
}

#[test]
fn a_fallback_is_for_what_no_other_rule_wanted() {
    let rules = rules(&file(&[
        ("strays", "match: any, fallback: true"),
        ("a", "match: {status: x}"),
        ("audit", "match: any"),
    ]));
    assert_eq!(names(&rules, r#"{"status":"x"}"#), ["a", "audit"]);
    assert_eq!(names(&rules, r#"{"status":"y"}"#), ["strays", "audit"]);
}

#[test]
fn own_events_are_seen_by_rules_that_name_them() {
    let rules = rules(&file(&[
        ("all", "match: any"),
        ("others", "match: {source: [{anything-but: github}]}"),
        ("own", "match: {source: [github, hookyard]}"),
        ("strays", "match: any, fallback: true"),
    ]));
    assert_eq!(names(&rules, r#"{"source":"hookyard"}"#), ["own"]);
    assert_eq!(names(&rules, r#"{"source":"browser-use"}"#), ["all", "others"]);
}

#[test]
fn a_when_that_errs_blocks_its_rule_and_loses_nothing() {
    let rules = rules(&file(&[
        ("bad", "match: {status: x}, when: payload.n > 1, stop: true"),
        ("next", "match: {status: x}"),
        ("strays", "match: any, fallback: true"),
    ]));
    let routing = route(&rules, r#"{"status":"x","payload":{"n":"2"}}"#);
    assert_eq!(routing.rules, ["bad", "next"]);
    assert!(routing.deliveries[0].blocked.is_some() && routing.deliveries[1].blocked.is_none());
    assert_eq!(routing.deliveries[0].due, NOW + SignedDuration::from_hours(24));

    assert!(rules.holds("bad", "log", &event(r#"{"payload":{"n":"2"}}"#)).is_err());
    assert_eq!(rules.holds("bad", "log", &event(r#"{"payload":{"n":2}}"#)), Ok(true));
    assert_eq!(rules.holds("bad", "log", &event(r#"{"payload":{"n":1}}"#)), Ok(false));
    assert!(rules.holds("bad", "gone", &event("{}")).is_err());
}

#[test]
fn an_action_has_a_condition_and_a_delay_of_its_own() {
    let rules = rules(
        "\
rules:
  - name: a
    match: any
    actions:
      - {log: {}, name: large, when: payload.n > 1}
      - {log: {}, name: later, after: 1m}
",
    );
    let actions = |document: &str| {
        let deliveries = route(&rules, document).deliveries;
        let action =
            |d: crate::journal::NewDelivery| (d.id.action.to_string(), d.due - NOW, d.blocked.is_some());
        deliveries
            .into_iter()
            .map(action)
            .map(|(name, due, blocked)| (name, due.as_secs(), blocked))
            .collect::<Vec<_>>()
    };
    let later = || ("later".to_owned(), 60, false);
    assert_eq!(actions(r#"{"payload":{"n":2}}"#), [("large".to_owned(), 0, false), later()]);
    assert_eq!(actions(r#"{"payload":{"n":1}}"#), [later()]);
    assert_eq!(actions(r#"{"payload":{"n":"1"}}"#), [("large".to_owned(), 24 * 3600, true), later()]);
}
