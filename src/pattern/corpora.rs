//! Suites that others wrote for EventBridge patterns, run when they are there: `HOOKYARD_CORPORA`
//! or `../shared/corpora` beside the project. Pattern and event are nested under `payload`,
//! because a document's own fields are fixed.

use super::*;
use crate::json;
use crate::yaml;
use std::path::{Path, PathBuf};

/// Patterns that only one of EventBridge and hookyard takes, by the end of their ids, besides the
/// rows that are tagged.
const DECIDED: &[(&str, &str)] = &[
    ("content_anything_prefix_ignorecase_EXC", "prefix takes equals-ignore-case inside anything-but too"),
    ("content_anything_suffix_ignorecase_EXC", "suffix takes equals-ignore-case inside anything-but too"),
    ("JsonRuleCompilerTest.testCompile/56", "the list form is allowed everywhere"),
    ("JsonRuleCompilerTest.testCompile/62", "the list form is allowed everywhere"),
    ("JsonRuleCompilerTest.testCompile/88", "`exactly` is undocumented there and not known here"),
    ("JsonRuleCompilerTest.testNumericExpressions/6", "numbers are exact, small ones too"),
];

/// Whether an answer differs from EventBridge's for a reason.
fn explained(row: &serde_json::Value, pattern: &str) -> bool {
    let id = row["id"].as_str().unwrap_or_default();
    row.get("quirk").is_some()
        || row.get("differs").is_some()
        || DECIDED.iter().any(|(end, _)| id.ends_with(end))
        // YAML is wider than JSON, and a list under `payload` is a list of alternatives.
        || !matches!(json::parse(pattern.as_bytes()), Ok(Json::Object(_)))
}

fn answer(pattern: &str, event: &str) -> &'static str {
    let text = format!("{{\"payload\": {pattern}}}");
    let Ok(node) = yaml::parse(&"a.yaml".into(), &text.into()) else { return "invalid" };
    let Ok((pattern, _)) = Pattern::compile(&node) else { return "invalid" };
    let Ok(event) = json::parse(event.as_bytes()) else { return "event-refused" };
    let document = [("payload", event)].into_iter().collect::<Object>();
    if pattern.matches(&document) { "match" } else { "nomatch" }
}

fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let directory = std::env::var_os("HOOKYARD_CORPORA").map_or_else(beside, PathBuf::from);
    directory.is_dir().then_some(directory)
}

#[test]
fn the_answers_are_those_of_eventbridge() {
    let Some(directory) = directory() else {
        eprintln!("skipped: there are no corpora (HOOKYARD_CORPORA)");
        return;
    };
    let (mut rows, mut differing, mut unexplained) = (0, 0, Vec::new());
    for name in ["localstack", "event-ruler", "event-ruler-valid", "quamina", "moto"] {
        let text = std::fs::read_to_string(directory.join(format!("{name}.jsonl"))).expect(name);
        for line in text.lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect(line);
            let field = |name: &str| row.get(name).and_then(|it| it.as_str()).unwrap_or_default();
            let expected = row.get("hookyard").and_then(|it| it.as_str()).unwrap_or(field("expect"));
            let event = if field("event").is_empty() { "{}" } else { field("event") };
            let given = answer(field("pattern"), event);
            rows += 1;
            if given == expected || (expected == "valid" && given != "invalid") {
                continue;
            }
            differing += 1;
            if std::env::var_os("DUMP").is_some() {
                println!("DIFF {given} {line}");
            }
            if !explained(&row, field("pattern")) {
                unexplained.push(format!("{given} instead of {expected}: {line}"));
            }
        }
    }
    eprintln!("{rows} rows, {differing} differ, {} unexplained", unexplained.len());
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}
