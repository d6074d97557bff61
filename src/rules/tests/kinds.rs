//! Action kinds among the scripts, as rules use them.

use super::{lines, load, problems, settings, tree};
use crate::rules::expect::run_tests;
use crate::rules::{RuleSet, keys};
use crate::script;

const KIND: &str = r#"const ACTION = #{name: "chat", summary: "Chats.", params: #{text: "template", wait: "duration?"}};
fn on_event(event, params) { log(#{name: "said", message: `${params.text} ${params.wait == ()}`}); }"#;

const RULES: &str = r#"
rules:
  - name: tell
    match: any
    actions: [{chat: {text: "{{ payload.task_id }}"}}]
tests:
  - name: it is told
    event: {payload: {task_id: "{{ 7*7 }} ${HOME}"}}
    expect: [{rule: tell, action: chat, effect: said, params: {message: "{{ 7*7 }} ${HOME} true"}}]
"#;

#[test]
fn what_stands_beside_a_kind_can_name_none() {
    assert_eq!(keys::names(keys::OPTION).collect::<Vec<_>>(), script::OPTIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_test_runs_a_kind_and_sees_its_effects() {
    let tree =
        tree(&[("a.yaml", &RULES.replace("${HOME}\"}}", "$${HOME}\"}}")), ("actions/chat.rhai", KIND)]);
    let loaded = load(&tree, &settings(&[]));
    let shown = lines(&loaded).join("\n");
    let results = run_tests(&tree, &loaded.rules.expect(&shown)).await;
    assert_eq!(results.len(), 1);
    assert_eq!(
        results[0].failure.as_deref(),
        Some(
            "different: tell/chat/said: params.message: wanted \"{{ 7*7 }} ${HOME} true\", got \"{{ 7*7 }} $${HOME} true\""
        ),
        "an event is data: no dollar is taken from it"
    );
    let tree = super::tree(&[("a.yaml", RULES), ("actions/chat.rhai", KIND)]);
    let loaded = load(&tree, &settings(&[]));
    let results = run_tests(&tree, &loaded.rules.expect("they are right")).await;
    assert_eq!(results[0].failure, None);
}

#[test]
fn parameters_of_a_kind_are_checked_where_they_stand() {
    let found = |action: &str| {
        let text = format!("rules:\n  - name: tell\n    match: any\n    actions:\n      - chat: {action}\n");
        problems(&[("a.yaml", &text), ("chat.rhai", KIND)])
    };
    assert_eq!(found("{text: hello, wait: 5m}"), [""; 0]);
    for (action, wanted) in [
        ("{txt: hello}", "a.yaml:5:16: error: there is no parameter `txt` (did you mean `text`?)"),
        (
            "{text: hello, wait: 5 parsecs}",
            "a.yaml:5:35: error: a duration like `30s` is wanted here, not the string `\"5 parsecs\"`",
        ),
        (
            "{text: hello, wait: 18446744073709551615s 1s}",
            "a.yaml:5:35: error: a duration like `30s` is wanted here",
        ),
        ("hello", "a.yaml:5:15: error: "),
    ] {
        let found = found(action);
        assert!(found.iter().any(|line| line.starts_with(wanted)), "{action}: {found:#?}");
    }
}

/// A script that is broken is the one thing that is wrong, whatever its kind is used for.
#[test]
fn a_broken_kind_is_one_error_where_it_is_broken() {
    for (broken, wanted) in [
        (KIND.replace("on_event(event, params) {", "on_event(event, params) { if"), "chat.rhai:2:"),
        (KIND.replace("log(", "lgo("), "chat.rhai:2:30: error: there is no function `lgo`"),
        (KIND.replace("summary: \"Chats.\", ", ""), "chat.rhai:1:7: error: `ACTION` has no `summary`"),
        (
            KIND.replace("\"template\"", "\"templat\""),
            "chat.rhai:1:7: error: the parameter `text` has no type",
        ),
        (
            KIND.replace("on_event", "on_evnt"),
            "chat.rhai:1:7: error: an action kind does its work in a function",
        ),
        (
            format!("import \"gone\" as gone;\n{KIND}"),
            "chat.rhai:1:8: error: there is no script `gone` to import",
        ),
        (format!("{KIND}\nthrow \"at load\";"), "chat.rhai:3:1: error: at load"),
    ] {
        let files = [("a.yaml", RULES), ("chat.rhai", &broken)];
        let found = problems(&files);
        assert_eq!(found.len(), 1, "{broken}: {found:#?}");
        assert!(found[0].starts_with(wanted), "{wanted}: {found:?}");
        // Also where a script calls it.
        let caller = "fn on_event(event) { chat(#{text: \"a\"}); }";
        let both = problems(&[files[0], files[1], ("main.rhai", caller)]);
        let elsewhere = both.iter().filter(|line| !line.starts_with("chat.rhai")).collect::<Vec<_>>();
        assert!(elsewhere.iter().all(|line| line.contains("`chat`")) && both.len() <= 2, "{both:#?}");
    }
}

#[test]
fn a_kind_that_changed_heals_the_rules_that_use_it() {
    let plain = "rules: [{name: plain, match: any, actions: [{log: {}}]}]";
    let set = |kind: &str| -> RuleSet {
        let files = tree(&[("a.yaml", RULES), ("b.yaml", plain), ("chat.rhai", kind)]);
        let loaded = load(&files, &settings(&[]));
        let shown = lines(&loaded).join("\n");
        loaded.rules.expect(&shown)
    };
    let changed = |kind: &str| set(kind).changed_since(&set(KIND)).into_iter().collect::<Vec<_>>();
    assert_eq!(changed(KIND), [""; 0]);
    assert_eq!(changed(&KIND.replace("name: \"said\"", "name: \"told\"")), ["tell"]);
    assert_eq!(changed(&KIND.replace("Chats.", "Tells.")), ["tell"]);
}
