//! The JSON Schema beside the reader: what loads is fine by it, and each key is known to both.

use super::shipped::shipped;
use super::{problems, settings};
use crate::pattern::tests::validator;
use crate::registry::{Param, ParamType};
use crate::rules::keys::{self, Key, Takes};
use crate::rules::{SchemaKind, built_in_kinds, read_tree, schema, user_kinds};
use crate::yaml;
use serde_json::Value;

fn value(text: &str) -> Value {
    let node =
        yaml::parse(&"a.yaml".into(), &text.into()).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    node.to_json().to_serde()
}

#[test]
fn what_is_shipped_is_fine() {
    let mut files = 0;
    for dir in shipped() {
        let tree = read_tree(&dir).expect("it can be read");
        let user = user_kinds(&tree, &settings(&[]));
        let kinds: Vec<_> =
            built_in_kinds().into_iter().chain(user.iter().map(SchemaKind::of_user)).collect();
        let check = validator(schema(&kinds));
        for (path, text) in tree.iter().filter(|(path, _)| !path.ends_with(".rhai")) {
            let text = std::str::from_utf8(text).expect("it is text");
            assert_eq!(check(&value(text)), Ok(()), "{}/{path}", dir.display());
            files += 1;
        }
    }
    assert!(files > 6, "{files}");
    let check = validator(schema(&built_in_kinds()));
    let readme = include_str!("../../../README.md");
    let rules = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    assert_eq!(check(&value(rules)), Ok(()));
}

#[test]
fn the_examples_of_the_kinds_are_fine() {
    let check = validator(schema(&built_in_kinds()));
    let rows = crate::action::KINDS.iter().map(|kind| kind.example).chain([crate::script::KIND.example]);
    for example in rows {
        let action = example.trim_end().replace('\n', "\n        ");
        let text = format!("rules:\n  - name: a\n    match: any\n    actions:\n      - {action}\n");
        assert_eq!(check(&value(&text)), Ok(()), "{text}");
    }
}

/// A file with every key that there is.
fn whole() -> String {
    let file = "\
vars: {a: 1}
match: {source: github}
retry: {first: 5s, factor: 3, max: 1h, for: 24h, jitter: 0.2, never: [404, 501]}
timeout: 30s
rules:
  - name: r
    description: words
    enabled: true
    requires: [A]
    match: any
    when: 'true'
    retry: {for: 1h 30m}
    timeout: 5s
    rate: 10/s
    concurrency: 4
    pause: {after: 3, first: 1s, max: 1m}
    actions: [{log: {}, name: n, when: 'true', retry: {}, timeout: 5s, rate: 600/m, concurrency: 1, pause: off, after: 0s}]
    stop: true
    fallback: false
    throttle: {per: a, within: 5s}
    order: {per: a}
  - {name: s, match: any, actions: [{log: {}}], debounce: {per: a, quiet: 5s, max: 1m}}
  - {name: t, match: any, actions: [{log: {}}], threshold: {per: a, count: 5, within: 1m}}
  - {name: u, match: any, actions: [{log: {}}], collect: {per: a, until: '08:00', zone: UTC, max: 5}}
  - {name: v, match: any, actions: [{log: {}}], collect: {within: 5s}}
tests:
  - name: t
    event: {status: a}
    expect: [{rule: r, action: n, effect: slack-1, params: {}}]
    state: {n: {k: 1}}
    fetch: [{url: https://x.example/, method: GET, status: 200, headers: {a: b}, json: {}, body: ''}]
";
    file.to_owned()
}

/// The tables, and where in [`whole`] a map of each stands.
const TABLES: &[(&[Key], &str)] = &[
    (keys::FILE, ""),
    (keys::RULE, "/rules/0"),
    (keys::THROTTLE, "/rules/0/throttle"),
    (keys::DEBOUNCE, "/rules/1/debounce"),
    (keys::THRESHOLD, "/rules/2/threshold"),
    (keys::COLLECT, "/rules/3/collect"),
    (keys::ORDER, "/rules/0/order"),
    (keys::OPTION, "/rules/0/actions/0"),
    (keys::RETRY, "/retry"),
    (keys::PAUSE, "/rules/0/pause"),
    (keys::TEST, "/tests/0"),
    (keys::EXPECT, "/tests/0/expect/0"),
    (keys::ANSWER, "/tests/0/fetch/0"),
];

/// A rule has one storm control, so the others stand in rules of their own.
fn place_of<'p>(key: &str, pointer: &'p str) -> &'p str {
    match (pointer, key) {
        ("/rules/0", "debounce") => "/rules/1",
        ("/rules/0", "threshold") => "/rules/2",
        ("/rules/0", "collect") => "/rules/3",
        ("/rules/3/collect", "within") => "/rules/4/collect",
        _ => pointer,
    }
}

/// The file with what stands at a pointer replaced, added or (by `None`) removed.
fn changed(pointer: &str, key: &str, new: Option<Value>) -> Value {
    let mut file = value(&whole());
    let map = file.pointer_mut(pointer).and_then(Value::as_object_mut).expect(pointer);
    match new {
        Some(new) => _ = map.insert(key.to_owned(), new),
        None => _ = map.remove(key),
    }
    file
}

/// What the reader and the schema say of a file: whether it is fine.
fn verdicts(check: &impl Fn(&Value) -> Result<(), String>, file: &Value) -> (bool, bool) {
    let text = file.to_string();
    let errors = problems(&[("a.yaml", &text)]).into_iter().filter(|line| line.contains(" error: ")).count();
    (errors == 0, check(file).is_ok())
}

#[test]
fn each_key_is_read_and_described() {
    let check = validator(schema(&built_in_kinds()));
    assert_eq!(verdicts(&check, &value(&whole())), (true, true), "{:?}", problems(&[("a.yaml", &whole())]));
    for (table, pointer) in TABLES {
        for key in *table {
            let pointer = place_of(key.name, pointer);
            let place = format!("{pointer}/{}", key.name);
            assert!(value(&whole()).pointer(&place).is_some(), "{place}: put it into the whole file");
            assert!(key.summary.ends_with(['.', '`']), "{place}");
            let wrong = if matches!(key.takes, Takes::Factor | Takes::Count | Takes::Events) {
                Value::from("x")
            } else {
                Value::from(7)
            };
            let wrong = changed(pointer, key.name, Some(wrong));
            let any = key.takes == Takes::Any;
            assert_eq!(verdicts(&check, &wrong), (any, any), "{place} with a value of another type");
            let without = changed(pointer, key.name, None);
            let optional = !key.required;
            // One of `within` and `until` is needed, which the schema does not say.
            let reads = optional && !["/rules/3/collect/until", "/rules/4/collect/within"].contains(&&*place);
            assert_eq!(verdicts(&check, &without), (reads, optional), "{place} left out");
        }
        let misspelt = changed(pointer, "stpo", Some(Value::Null));
        assert_eq!(verdicts(&check, &misspelt), (false, false), "an unknown key at {pointer}");
    }
}

#[test]
fn what_a_schema_can_tell_of_a_file_is_refused() {
    let check = validator(schema(&built_in_kinds()));
    let rule = |rest: &str| format!("rules: [{{name: a, {rest}}}]");
    for text in [
        rule("actions: [{log: {}}]"),
        rule("match: any"),
        rule("match: any, actions: []"),
        rule("match: any, actions: [log]"),
        rule("match: any, actions: [{name: x}]"),
        rule("match: any, actions: [{flie: {path: x}}]"),
        rule("match: any, actions: [{log: {}, file: {path: x}}]"),
        rule("match: any, actions: [{file: }]"),
        rule("match: any, actions: [{file: {pth: x}}]"),
        rule("match: any, actions: [{file: {path: x, keep: many}}]"),
        rule("match: any, actions: [{file: {path: x, rotate: -1}}]"),
        rule("match: any, actions: [{http: {url: 7}}]"),
        rule("match: any, actions: [{log: {}, timeout: 30}]"),
        rule("match: any, actions: [{log: {}, after: soon}]"),
        rule("match: {status: [{prefx: a}]}, actions: [{log: {}}]"),
        rule("match: any, requires: ['${A}'], actions: [{log: {}}]"),
        "rules: [{name: Bad Name, match: any, actions: [{log: {}}]}]".to_owned(),
        "retry: {factor: 0.5}".to_owned(),
        "retry: {jitter: 1.5}".to_owned(),
        "retry: {jitter: -0.1}".to_owned(),
        "retry: {never: 404}".to_owned(),
        "retry: {never: [200]}".to_owned(),
        "retry: {never: [600]}".to_owned(),
        "retry: {never: [404.5]}".to_owned(),
        "retry: {never: ['404']}".to_owned(),
        rule("match: any, rate: 10, actions: [{log: {}}]"),
        rule("match: any, rate: 10/sec, actions: [{log: {}}]"),
        rule("match: any, rate: 0/s, actions: [{log: {}}]"),
        rule("match: any, concurrency: 0, actions: [{log: {}}]"),
        rule("match: any, concurrency: 1.5, actions: [{log: {}}]"),
        rule("match: any, actions: [{log: {}, pause: never}]"),
        rule("match: any, actions: [{log: {}, pause: {after: 0}}]"),
        "tests: [{name: a, event: {task_id: x}, expect: []}]".to_owned(),
        "[]".to_owned(),
    ] {
        assert_eq!(verdicts(&check, &value(&text)), (false, false), "{text}");
    }
}

#[test]
fn what_may_be_left_empty_or_filled_in_is_fine() {
    let check = validator(schema(&built_in_kinds()));
    for text in [
        "",
        "vars:\nretry:\nrules:\ntests:\n",
        "retry: {never: }\nrules: [{name: a, match: any, retry: {never: []}, actions: [{log: {}}]}]",
        "rules: [{name: a, match: any, pause: , rate: ' 10 / h', actions: [{log: {}, pause: {}}]}]",
        "match: {status: a}\nrules: [{name: a, requires: , actions: [{log: }, {script: a.rhai}]}]",
        "rules: [{name: a, match: any, actions: [{file: {path: x, keep: '${KEEP:-3}', rotate: '{{ vars.size }}'}}]}]",
    ] {
        assert_eq!(check(&value(text)), Ok(()), "{text}");
    }
}

#[test]
fn a_kind_of_the_users_is_like_any_other() {
    let params = vec![
        Param { name: "room", ty: ParamType::String, required: true, summary: "Where." },
        Param { name: "times", ty: ParamType::Integer, required: false, summary: "How often." },
    ];
    let mut kinds = built_in_kinds();
    kinds.push(SchemaKind { name: "ring", summary: "Rings a bell.", params });
    let schema = schema(&kinds);
    let ring = schema.pointer("/$defs/action/properties/ring").expect("it is there");
    assert_eq!(ring["description"], "Rings a bell.");
    let check = validator(schema);
    let file = |action: &str| value(&format!("rules: [{{name: a, match: any, actions: [{action}]}}]"));
    assert_eq!(check(&file("{ring: {room: hall, times: '{{ payload.n }}'}, name: x}")), Ok(()));
    for wrong in ["{ring: {}}", "{ring: {room: hall, times: often}}", "{ring: {room: hall}, log: {}}"] {
        assert!(check(&file(wrong)).is_err(), "{wrong}");
    }
}
