//! Rule tests say what was missing, what was unexpected, and what was different.

use super::{lines, load, settings, tree};
use crate::rules::expect::run_tests;

const RULES: &str = r#"
rules:
  - name: one
    match: {status: x}
    when: payload.n > 1
    actions:
      - file: {path: a.txt, text: "{{ payload.n }}"}
      - script: react.rhai
tests:
  - name: the test
    event: {source: browser-use, payload: {n: 2, status: x}}
    expect: EXPECT
"#;
const SCRIPT: &str = r#"fn on_event(event) {
    if event.payload.n == 13 { retry("unlucky", "1s"); }
    log(#{name: "note", message: `n is ${event.payload.n}`});
}"#;
const FILE: &str = "{rule: one, action: file, params: {text: '2'}}";
const NOTE: &str = "{rule: one, action: script, effect: note, params: {message: n is 2}}";

/// The failure of the one test, with this expectation and event.
async fn failure(expect: &str, event: &str) -> Option<String> {
    let text = RULES.replace("EXPECT", expect).replace("{n: 2,", event);
    let tree = tree(&[("a.yaml", &text), ("react.rhai", SCRIPT)]);
    let loaded = load(&tree, &settings(&[]));
    let shown = lines(&loaded).join("\n");
    let results = run_tests(&tree, &loaded.rules.expect(&shown)).await;
    assert_eq!((results.len(), results[0].line, results[0].name.as_str()), (1, 10, "the test"));
    results.into_iter().next()?.failure
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_out_is_compared_in_any_order_and_only_in_part() {
    assert_eq!(failure(&format!("[{NOTE}, {FILE}]"), "{n: 2,").await, None);
    assert_eq!(failure(&format!("[{FILE}, {NOTE}, {{rule: one, action: script}}]"), "{n: 2,").await, None);
    assert_eq!(failure("[]", "{n: 0,").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_what_is_missing_unexpected_or_different() {
    let text = failure("[{rule: one, action: fiel}]", "{n: 2,").await.expect("it fails");
    assert!(text.contains("missing: one/fiel"), "{text}");
    assert!(text.contains(r#"unexpected: one/file {"path":"a.txt","text":"2"}"#), "{text}");
    assert!(text.contains("unexpected: one/script/note"), "{text}");

    let text =
        failure(&format!("[{}, {NOTE}]", FILE.replace("'2'", "'3'")), "{n: 2,").await.expect("it fails");
    assert_eq!(text, r#"different: one/file: params.text: wanted "3", got "2""#);

    let text = failure(&format!("[{FILE}, {FILE}, {NOTE}]"), "{n: 2,").await.expect("it fails");
    assert_eq!(text, "missing: one/file");

    let text = failure("[{rule: oen, action: file}]", "{n: 0,").await.expect("it fails");
    assert_eq!(text, "missing: oen/file; there is no such rule: did you mean `one`?");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_blocked_fails_the_test_and_a_retry_is_told() {
    let text = failure("[]", "{n: '2',").await.expect("it fails");
    assert!(text.contains("one/file is blocked: ") && text.contains("one/script is blocked: "), "{text}");

    let file = FILE.replace("'2'", "'13'");
    assert_eq!(failure(&format!("[{file}]"), "{n: 13,").await, None);
    let text = failure(&format!("[{file}, {NOTE}]"), "{n: 13,").await.expect("it fails");
    assert!(text.contains("missing: one/script/note") && text.contains("unlucky"), "{text}");
}

#[test]
fn a_test_is_checked_at_load() {
    let text = "tests: [{name: a, event: {source: github, staus: x}, expect: [{rule: a}]}, {nme: b}]";
    let shown = lines(&load(&tree(&[("a.yaml", text)]), &settings(&[])));
    for part in
        ["did you mean `status`?", "no `action`", "did you mean `name`?", "no `event`", "`expect: []`"]
    {
        assert!(shown.iter().any(|line| line.contains(part)), "{part}: {shown:#?}");
    }
}
