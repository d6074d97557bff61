//! Everything that is wrong is told at once, where it stands, with what to write instead.

use super::{problems, rules};
use std::time::Duration;

/// Asserts that each of these parts is in a line of its own, in this order, and nothing else is.
fn assert_told(files: &[(&str, &str)], wanted: &[&[&str]]) {
    let lines = problems(files);
    assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
    for (line, parts) in lines.iter().zip(wanted) {
        for part in *parts {
            assert!(line.contains(part), "`{part}` is not in `{line}`");
        }
    }
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let first = "\
vras: {}
rules:
  - name: Bad Name
    match: any
    actions: [{log: {}}]
    stpo: true
  - match: any
    actions: []
";
    let second = "\
rules:
  - name: b
    match: {source: gihub}
    actions: [{flie: {path: x}}, log, {when: 'true'}, {log: {}, file: {path: x}}]
";
    assert_told(
        &[("a.yaml", first), ("b.yml", second)],
        &[
            &["a.yaml:1:1", "`vras`", "did you mean `vars`?"],
            &["a.yaml:3:11", "`Bad Name`", "`bad-name`"],
            &["a.yaml:6:5", "`stpo`", "did you mean `stop`?"],
            &["a.yaml:7:5", "no `name`"],
            &["a.yaml:8:14", "`actions` is empty"],
            &["b.yml:3:21", "no source `gihub`", "did you mean `github`?"],
            &["b.yml:4:16", "no action `flie`", "did you mean `file`?"],
            &["b.yml:4:34", "the text `log`", "`- log: {}`"],
            &["b.yml:4:39", "without a kind"],
            &["b.yml:4:65", "`file` stands beside `log`"],
        ],
    );
}

#[test]
fn a_rule_says_which_events_it_is_for() {
    let text = "rules: [{name: a, actions: [{log: {}}]}]";
    assert_told(&[("a.yaml", text)], &[&["a.yaml:1:16", "`a` has no `match`", "`match: any`"]]);
    rules("match: {status: finished}\nrules: [{name: a, actions: [{log: {}}]}]");
}

#[test]
fn names_are_unique_over_all_files_and_actions_in_their_rule() {
    let text = "rules: [{name: a, match: any, actions: [{log: {}}, {log: {}}]}]";
    let other = "rules: [{name: a, match: any, actions: [{log: {}, name: x}, {file: {path: x}, name: x}]}]";
    assert_told(
        &[("a.yaml", text), ("b.yaml", other)],
        &[
            &["a.yaml:1:53", "two actions `log`", "`name:`"],
            &["b.yaml:1:16", "a rule `a` already, in a.yaml"],
            &["b.yaml:1:85", "two actions named `x`"],
        ],
    );
}

#[test]
fn a_when_is_wrong_at_its_place_inside_the_text() {
    let text = "\
rules:
  - name: a
    match: any
    when: |
      status == 1
        && nope
    actions: [{log: {}, when: 'ü + '}]
";
    assert_told(&[("a.yaml", text)], &[&["a.yaml:6:12", "`nope`"], &["a.yaml:7:3"]]);
}

#[test]
fn a_key_of_vars_belongs_to_one_file() {
    let text = "vars: {team: {a: 1}}\nrules: [{name: NAME, match: any, actions: [{log: {message: '{{ vars.team.a }}'}}]}]";
    let (first, second) = (text.replace("NAME", "a"), text.replace("NAME", "b"));
    assert_told(&[("a.yaml", &first), ("b.yaml", &second)], &[&["b.yaml:1:8", "`team`"]]);
}

#[test]
fn a_wrong_reference_in_vars_is_told_once_and_not_by_every_rule() {
    let rule = "rules: [{name: a, match: any, actions: [{log: {message: '{{ vars.team.a }}'}}]}]";
    let vars = "vars:\n  other: 1\n  team:\n    a: '${'\n";
    assert_told(&[("a.yaml", rule), ("b.yaml", vars)], &[&["b.yaml:4:8", "`}`"]]);
}

#[test]
fn a_broken_script_is_told_once_and_not_by_every_rule() {
    let rule =
        "rules: [{name: a, match: any, actions: [{script: a.rhai}, {script: {file: a.rhai}, name: b}]}]";
    let script = "fn on_event(event) {\n  let x = ;\n}";
    assert_told(&[("a.rhai", script), ("a.yaml", rule)], &[&["a.rhai:2:11"]]);
}

#[test]
fn what_is_not_a_map_or_left_empty_is_told_without_what_it_lacks() {
    let text = "vars:\nretry:\nrules:\n  - text\n  -\ntests: 7\n";
    assert_told(
        &[("a.yaml", text)],
        &[&["a.yaml:4:5", "not a string"], &["a.yaml:5:", "left empty"], &["a.yaml:6:8", "not a number"]],
    );
}

#[test]
fn a_script_that_is_not_there_is_told_with_the_one_that_is() {
    let text = "rules: [{name: a, match: any, actions: [{script: lib/raect.rhai}]}]";
    let script = "fn on_event(event) { }";
    let lines = problems(&[("a.yaml", text), ("lib/react.rhai", script)]);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with("a.yaml:1:50") && lines[0].contains("lib/react.rhai"), "{lines:#?}");
}

#[test]
fn a_file_that_is_not_text_or_not_yaml_is_told_with_the_rest() {
    let mut tree = super::tree(&[("b.yaml", "rules: [{name: x"), ("c.yaml", "ruels: []")]);
    tree.insert("a.yaml".into(), b"vars:\n  a: \xff\n".to_vec());
    let lines = super::lines(&super::load(&tree, &super::settings(&[])));
    assert!(lines[0].starts_with("a.yaml: error: the file is not UTF-8"), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("b.yaml:1:")), "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.contains("did you mean `rules`?")), "{lines:#?}");
}

#[test]
fn a_rule_that_an_earlier_one_hides_is_an_error() {
    let file = |first: &str, second: &str| {
        format!("rules:\n  - {{name: a, stop: true, {first}}}\n  - {{name: b, {second}, actions: [{{log: {{}}}}]}}\n")
            .replace("ACTIONS", "actions: [{log: {}}]")
    };
    let hidden = |first: &str, second: &str| {
        problems(&[("a.yaml", &file(first, second))]).iter().any(|line| line.contains("no event reaches"))
    };
    assert!(hidden("match: any, ACTIONS", "match: {status: x}"));
    assert!(hidden("match: {status: [x]}, ACTIONS", "match: {status: [x]}"));
    assert!(hidden("match: {status: [x, {prefix: a}]}, ACTIONS", "match: {status: [x, {prefix: [a]}]}"));
    assert!(hidden("match: {status: [x]}, ACTIONS", "match: {status: x}"));
    assert!(!hidden("match: {status: [x]}, ACTIONS", "match: {status: [x, y]}"));
    assert!(!hidden("match: {payload: {f: [1]}}, ACTIONS", "match: {payload: {f: ['1']}}"));
    assert!(!hidden("match: any, when: status == 1, ACTIONS", "match: {status: x}"));
    assert!(!hidden("match: any, requires: [X], ACTIONS", "match: {status: x}"));
    assert!(!hidden("match: any, fallback: true, ACTIONS", "match: {status: x}"));
    assert!(!hidden("match: any, ACTIONS", "match: {source: hookyard}"));
}

#[test]
fn a_rule_that_its_files_match_excludes_is_told() {
    let told = |of_file: &str, rule: &str| {
        let text = format!("match: {of_file}\nrules: [{{name: a, {rule}, actions: [{{log: {{}}}}]}}]\n");
        problems(&[("a.yaml", &text)]).join("\n")
    };
    let error = "error: no event reaches the rule `a`: its file's `match` wants something else of `source`";
    assert!(
        told("{source: github}", "match: {source: browser-use}")
            .starts_with(&format!("a.yaml:2:16: {error}"))
    );
    assert!(told("{source: github}", "match: {source: hookyard}").contains(error));
    let list = "warning: the rule `a` and its file's `match` want different things of `payload.kind`";
    assert!(told("{payload: {kind: a}}", "match: {payload: {kind: b}}").contains(list));
    assert_eq!(told("{source: github}", "match: {source: browser-use}, enabled: false"), "");
    assert_eq!(told("{source: github}", "match: {status: a}"), "");
}

#[test]
fn what_a_pattern_cannot_find_in_an_event_is_told() {
    let told = |pattern: &str| {
        problems(&[("a.yaml", &format!("rules: [{{name: a, match: {pattern}, actions: [{{log: {{}}}}]}}]"))])
    };
    for (pattern, expected) in [
        ("{metadata: {team: '${TEAM}'}}", "warning: a pattern has no references: `${TEAM}` is meant"),
        ("{metadata: {team: [{prefix: '{{ vars.team }}'}]}}", "warning: a pattern has no templates"),
        ("{headers: {authorization: [{exists: true}]}}", "kept without the header `authorization`"),
        ("{$or: [{status: a}, {$not: {headers: {cookie: a}}}]}", "kept without the header `cookie`"),
    ] {
        let lines = told(pattern);
        assert!(lines.len() == 1 && lines[0].contains(expected), "{pattern}: {lines:?}");
    }
    for pattern in ["{status: ['$5', '{{', '${', 'a$$b']}", "{payload: {headers: {cookie: a}}}"] {
        assert_eq!(told(pattern), [""; 0], "{pattern}");
    }
}

#[test]
fn times_have_a_unit_and_waits_make_sense() {
    let rule =
        |options: &str| format!("rules: [{{name: a, match: any, actions: [{{log: {{}}, {options}}}]}}]");
    for (options, part) in [
        ("timeout: 30", "write `30s`"),
        ("timeout: soon", "`timeout` is no time: `soon`"),
        ("timeout: 0s", "longer than nothing"),
        ("retry: {factor: 0.5}", "`factor` is from 1"),
        ("retry: {first: 2h, max: 1h}", "(2h) is longer than its `max` (1h)"),
        ("retry: {jitter: 20}", "`jitter` is from 0 to 1, not 20"),
        ("retry: {never: [404, 200]}", "an item of `never` is a status from 300 to 599, not 200"),
        ("retry: {never: [4xx]}", "an item of `never` is an HTTP status such as 404, not a "),
        ("retry: {forever: 1h}", "`forever` is no key of `retry`"),
        ("rate: 10", "`rate` needs a unit"),
        ("rate: 0.5/s", "`rate` is a whole number from 1 to 1000000 and a unit of time, such as `10/s`"),
        ("concurrency: 0", "`concurrency` is a whole number from 1 to 1000000, not 0"),
        ("pause: never", "`pause` is `off`, or a map such as `{after: 5,"),
        ("pause: {afer: 3}", "`afer` is no key of `pause`"),
        ("pause: {first: 1m, max: 1s}", "the first `pause` (1m) is longer than its `max` (1s)"),
        ("after: -5s", "`after` is no time"),
    ] {
        assert_told(&[("a.yaml", &rule(options))], &[&["a.yaml:1:", part]]);
    }
}

#[test]
fn retry_is_merged_field_by_field_from_file_to_rule_to_action() {
    let rules = rules(
        "\
retry: {first: 1s, for: 2h, jitter: 0, never: [404]}
timeout: 20s
rules:
  - name: a
    match: any
    retry: {factor: 2, for: 3h}
    actions:
      - {log: {}, name: own, retry: {max: 30s, never: []}, timeout: 5s, after: 1m}
      - {log: {}, name: plain}
",
    );
    let (_, own) = rules.find("a", "own").expect("it is there");
    let seconds = Duration::from_secs;
    assert_eq!((own.retry.first, own.retry.factor, own.retry.max), (seconds(1), 2.0, seconds(30)));
    assert_eq!((own.retry.jitter, own.retry.never.contains(404)), (0.0, false));
    assert_eq!(
        (own.retry.give_up_after, own.timeout, own.after),
        (seconds(3 * 3600), seconds(5), seconds(60))
    );
    let (_, plain) = rules.find("a", "plain").expect("it is there");
    let never = [400, 404].map(|status| plain.retry.never.contains(status));
    assert_eq!((plain.retry.jitter, never), (0.0, [false, true]), "a list replaces the default");
    assert_eq!((plain.retry.max, plain.timeout, plain.after), (seconds(3600), seconds(20), seconds(0)));
    assert!(rules.find("a", "log").is_none() && rules.find("b", "own").is_none());
}

#[test]
fn what_limits_a_lane_is_merged_field_by_field_from_rule_to_action() {
    let rules = rules(
        "\
rules:
  - name: a
    match: any
    rate: 10/s
    pause: {after: 3, first: 1s}
    actions:
      - {log: {}, name: own, rate: 5/m, concurrency: 4, pause: {first: 20m}}
      - {log: {}, name: plain}
      - {log: {}, name: restless, pause: off}
  - {name: b, match: any, pause: off, actions: [{log: {}, name: on, pause: {after: 1}}, {log: {}, name: off}]}
",
    );
    let limits = |rule, action| {
        let lane = rules.find(rule, action).expect("it is there").1.lane;
        let pause = lane.pause.map(|it| (it.after, it.first.as_secs(), it.max.as_secs()));
        (lane.rate.map(|rate| rate.to_string()), lane.concurrency, pause)
    };
    let rate = |text: &str| Some(text.to_owned());
    assert_eq!(limits("a", "own"), (rate("5/m"), Some(4), Some((3, 1200, 1200))));
    assert_eq!(limits("a", "plain"), (rate("10/s"), None, Some((3, 1, 600))));
    assert_eq!(limits("a", "restless"), (rate("10/s"), None, None));
    assert_eq!(limits("b", "on"), (None, None, Some((1, 10, 600))));
    assert_eq!(limits("b", "off"), (None, None, None));
}
