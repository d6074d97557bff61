//! What the README shows is true: its rules, its script and its configuration load and pass.

use crate::support::Home;
use std::fs;
use std::path::Path;

/// The texts of all fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(readme).expect("the README is there");
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

/// What its one test does not show: the rule with the condition, and the script.
const MORE_TESTS: &str = r#"
tests:
  - name: a task over its budget
    event: {type: agent.task.status_update, payload: {task_id: t-2, status: failed, cost: 12, metadata: {team: marketing, campaign: q4-x, budget: "10"}}}
    state: {costs: {marketing: 0.5}}
    expect:
      - {rule: task-failed, action: slack, params: {url: "${SLACK_MARKETING}", text: "t-2: failed"}}
      - {rule: task-failed, action: crm, params: {json: {cost: 12}}}
      - {rule: task-failed, action: script, effect: slack-1, params: {url: "${SLACK_OPS}", text: marketing has spent 12.50}}
      - {rule: task-failed, action: script, effect: file-1, params: {json: {task: t-2, team: marketing, spent: 12.5}}}
"#;

#[test]
fn the_readmes_rules_and_script_load_and_pass_their_tests() {
    let home = Home::with_rules(&blocks("yaml")[0]);
    home.write("rules/react.rhai", &blocks("rust")[0]);
    home.write("rules/more.yaml", MORE_TESTS);
    let checked = home.ok(&["check"]);
    assert!(checked.contains("2 rules in 2 files, 1 script: no problems"), "{checked}");
    let tested = home.ok(&["test"]);
    assert!(tested.contains("2 passed, 0 failed"), "{tested}");
}

#[test]
fn the_readmes_configuration_loads() {
    let home = Home::with_rules("rules: [{name: all, match: any, actions: [{log: {}}]}]");
    home.write("hookyard.yaml", &blocks("yaml")[1]);
    let mut command = home.command(&["check"]);
    let output = command.env("HOOKYARD_ADMIN_TOKEN", "t0ken").output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
