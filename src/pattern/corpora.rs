//! Suites that others wrote for EventBridge patterns, run when they are there: `HOOKYARD_CORPORA`
//! or `../shared/corpora` beside the project. Pattern and event are nested under `payload`,
//! because a document's own fields are fixed.

use super::*;
use crate::json;
use crate::yaml;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Answers that differ from EventBridge's although nothing in the row says so: the end of the
/// row's id, hookyard's answer, and why.
const DECIDED: &[(&str, &str, &str)] = &[
    ("content_anything_prefix_ignorecase_EXC", "nomatch", "prefix is the same inside anything-but"),
    ("content_anything_suffix_ignorecase_EXC", "match", "suffix is the same inside anything-but"),
    ("content_wildcard_complex_EXC", "match", "wildcards take linear time, however many stars"),
    ("JsonRuleCompilerTest.testCompile/56", "nomatch", "the list form is taken everywhere"),
    ("JsonRuleCompilerTest.testCompile/62", "nomatch", "the list form is taken everywhere"),
    ("JsonRuleCompilerTest.testCompile/88", "invalid", "`exactly` is not known"),
    ("JsonRuleCompilerTest.testNumericExpressions/6", "nomatch", "numbers are exact, small ones too"),
    ("invalid_json_pattern_1", "nomatch", "YAML quotes less than JSON"),
    ("TestWildcardSyntax/1", "nomatch", "YAML quotes less than JSON"),
    ("static/anything_but/bads0/0", "nomatch", "YAML quotes less than JSON"),
    ("static/anything_but/bads0/3", "nomatch", "YAML quotes less than JSON"),
];

/// The points of the page's table on which rows say that hookyard differs; they give its answer.
const POINTS: &[&str] =
    &["list form", "keys with dots", "exists on containers", "bare scalar", "duplicate keys", "$or order"];

/// Oddities that rows are marked with, and what was decided of them.
const QUIRKS: &[(&str, &str)] = &[
    ("casefold:", "the full mappings of Unicode, which give these rows EventBridge's answer"),
    ("service-limit: wildcard complexity", "no such limit: the row is among the decided"),
];

fn answer(pattern: &str, event: &str) -> &'static str {
    let file = "a.yaml".into();
    // Only a map can stand under `payload` and still be a pattern.
    let nested = match yaml::parse(&file, &pattern.into()) {
        Ok(node) if matches!(node.value, yaml::Value::Map(_)) => format!("{{\"payload\": {pattern}}}"),
        Ok(_) => pattern.to_owned(),
        Err(_) => return "invalid",
    };
    let Ok(node) = yaml::parse(&file, &nested.into()) else { return "invalid" };
    let Ok((pattern, _)) = Pattern::compile(&node) else { return "invalid" };
    let Ok(event) = json::parse(event.as_bytes()) else { return "event-refused" };
    let document = [("payload", event)].into_iter().collect::<Object>();
    let matches = pattern.matches(&document);
    assert_eq!(matches, pattern.explain(&document).holds, "the explanation of {pattern:?} disagrees");
    if matches { "match" } else { "nomatch" }
}

/// What hookyard has to answer, and the reason where that is not EventBridge's answer.
fn expected(row: &Json) -> (String, Option<String>) {
    let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default();
    if let Some(quirk) = row.get("quirk").and_then(Json::as_str) {
        assert!(QUIRKS.iter().any(|(known, _)| quirk.starts_with(known)), "decide on the quirk {quirk}");
    }
    if let Some((_, answer, why)) = DECIDED.iter().find(|(end, ..)| text("id").ends_with(end)) {
        return ((*answer).to_owned(), Some((*why).to_owned()));
    }
    let Some(points) = row.get("differs").and_then(Json::as_array) else {
        return (text("expect").to_owned(), None);
    };
    let points = points.iter().filter_map(Json::as_str).collect::<Vec<_>>();
    assert!(points.iter().all(|point| POINTS.contains(point)), "decide on {points:?}");
    let answer = if text("hookyard").is_empty() { text("expect") } else { text("hookyard") };
    (answer.to_owned(), Some(points.join(", ")))
}

fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let directory = std::env::var_os("HOOKYARD_CORPORA").map_or_else(beside, PathBuf::from);
    directory.is_dir().then_some(directory)
}

#[test]
fn the_answers_are_those_of_eventbridge_or_differ_for_a_reason() {
    let Some(directory) = directory() else {
        eprintln!("skipped: there are no corpora (HOOKYARD_CORPORA)");
        return;
    };
    let (mut rows, mut wrong, mut reasons) = (0, Vec::new(), BTreeMap::<String, usize>::new());
    for name in ["localstack", "event-ruler", "event-ruler-valid", "quamina", "moto"] {
        let text = std::fs::read_to_string(directory.join(format!("{name}.jsonl"))).expect(name);
        for line in text.lines() {
            let row = json::parse(line.as_bytes()).expect(line);
            let field = |name: &str| row.get(name).and_then(Json::as_str);
            let given = answer(field("pattern").expect(line), field("event").unwrap_or("{}"));
            let (expected, why) = expected(&row);
            rows += 1;
            let same = |expected: &str| given == expected || (expected == "valid" && given != "invalid");
            if !same(&expected) {
                wrong.push(format!("{given} instead of {expected}: {line}"));
            } else if let Some(why) = why {
                assert!(!same(field("expect").expect(line)), "no difference any more ({why}): {line}");
                *reasons.entry(why).or_default() += 1;
            }
        }
    }
    let differing = reasons.values().sum::<usize>();
    eprintln!("{rows} rows, {} as EventBridge, {differing} otherwise: {reasons:#?}", rows - differing);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (end, _, why) in DECIDED {
        assert!(reasons.contains_key(*why), "{end} is not in the corpora");
    }
}
