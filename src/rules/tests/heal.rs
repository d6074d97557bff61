//! What a new rule set heals: the rules that may behave differently, and no others.

use super::{load, settings, tree};
use crate::action::Programs;
use crate::rules::{RuleSet, Settings};

const PLAIN: &str = "rules: [{name: plain, match: any, actions: [{log: {message: hello}}]}]";
const SCRIPTED: &str = "rules: [{name: scripted, match: any, actions: [{script: react.rhai}]}]";
const SCRIPT: &str = "fn on_event(event) { 1 }";

fn set(plain: &str, scripted: &str, script: &str) -> RuleSet {
    let files = tree(&[("a.yaml", plain), ("b.yaml", scripted), ("react.rhai", script)]);
    load(&files, &settings(&[])).rules.expect("they are right")
}

fn changed(plain: &str, scripted: &str, script: &str) -> Vec<String> {
    set(plain, scripted, script).changed_since(&set(PLAIN, SCRIPTED, SCRIPT)).into_iter().collect()
}

#[test]
fn a_changed_rule_heals_and_an_untouched_one_does_not() {
    assert_eq!(changed(PLAIN, SCRIPTED, SCRIPT), [""; 0]);
    assert_eq!(changed(&PLAIN.replace("hello", "bye"), SCRIPTED, SCRIPT), ["plain"]);
    assert_eq!(changed(PLAIN, SCRIPTED, "fn on_event(event) { 2 }"), ["scripted"]);
    assert_eq!(changed(&format!("# why\n{PLAIN}"), SCRIPTED, SCRIPT), [""; 0]);
}

#[test]
fn what_a_file_and_the_rule_set_share_heals_what_it_is_shared_by() {
    assert_eq!(changed(&format!("retry: {{for: 1h}}\n{PLAIN}"), SCRIPTED, SCRIPT), ["plain"]);
    assert_eq!(changed(&format!("vars: {{a: 1}}\n{PLAIN}"), SCRIPTED, SCRIPT), ["plain", "scripted"]);
    let more = PLAIN.replace("rules: [", "rules: [{name: new, match: any, actions: [{log: {}}]}, ");
    assert_eq!(changed(&more, SCRIPTED, SCRIPT), ["new"]);
}

#[test]
fn a_program_that_may_be_run_heals_the_rules_that_could_run_it() {
    const RUNS: &str = "rules: [{name: runs, match: any, actions: [{exec: {program: /bin/a}}]}]";
    let set = |programs: &str| {
        let programs: Programs = serde_json::from_str(programs).expect("a list of programs");
        let settings = settings(&[]);
        let context = settings.context.clone().with_programs(programs);
        load(&tree(&[("a.yaml", PLAIN), ("b.yaml", RUNS)]), &Settings { context, ..settings })
    };
    let before = set(r#"["/bin/a"]"#).rules.expect("it is listed");
    let after = set(r#"["/bin/a","/bin/b"]"#).rules.expect("it is listed");
    assert_eq!(after.changed_since(&before).into_iter().collect::<Vec<_>>(), ["runs"]);
    let refused = set("[]").diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(refused.len() == 1 && refused[0].starts_with("b.yaml:1:"), "{refused:?}");
    assert!(refused[0].contains("`/bin/a` is not among the programs that may be run"), "{refused:?}");
}
