//! Rules that are off, and references that are not there.

use super::{lines, load, settings, tree, with_resolver};
use crate::diagnostic::Severity;
use crate::secret::{DryRun, Environment};
use std::sync::Arc;

const SLACK: &str = "\
rules:
  - name: slack
    requires: [URL, TOKEN]
    match: any
    actions: [{http: {url: 'https://a.example/', headers: {x-token: '${TOKEN}'}}}]
";

#[test]
fn a_rule_is_off_with_a_note_while_what_it_requires_is_unset() {
    let files = tree(&[("a.yaml", SLACK)]);
    let loaded = load(&files, &settings(&[("URL", "")]));
    let shown = lines(&loaded);
    assert_eq!(shown, ["a.yaml:3:16: warning: the rule `slack` is off: URL and TOKEN are not set"]);
    let rules = loaded.rules.expect("a note is no error");
    assert!(rules.rules.is_empty() && rules.find("slack", "http").is_none());
    assert_eq!(rules.off[0].rule, "slack");
    assert_eq!(rules.off[0].why, "URL and TOKEN are not set");

    let loaded = load(&files, &settings(&[("URL", "u"), ("TOKEN", "t")]));
    assert_eq!(lines(&loaded), [""; 0]);
    assert!(loaded.rules.is_some_and(|rules| rules.find("slack", "http").is_some() && rules.off.is_empty()));
}

#[test]
fn a_disabled_rule_is_off_without_a_note_but_still_checked() {
    let text = "rules: [{name: a, enabled: false, match: any, actions: [{KIND: {}}]}]";
    let loaded = load(&tree(&[("a.yaml", &text.replace("KIND", "log"))]), &settings(&[]));
    assert_eq!(lines(&loaded), [""; 0]);
    assert_eq!(loaded.rules.expect("it is right").off.len(), 1);
    let loaded = load(&tree(&[("a.yaml", &text.replace("KIND", "lgo"))]), &settings(&[]));
    assert!(loaded.rules.is_none());
}

#[test]
fn an_unset_reference_is_an_error_where_it_stands_in_rules_that_are_on() {
    let on = SLACK.replace("    requires: [URL, TOKEN]\n", "");
    let loaded = load(&tree(&[("a.yaml", &on)]), &settings(&[]));
    let shown = lines(&loaded);
    assert_eq!(shown.len(), 1, "{shown:#?}");
    assert!(shown[0].starts_with("a.yaml:4:69: error: "), "{shown:#?}");
    assert!(shown[0].contains("TOKEN") && shown[0].contains("`requires: [TOKEN]`"), "{shown:#?}");
    assert!(loaded.rules.is_none());
}

#[test]
fn a_reference_in_vars_counts_where_a_rule_uses_that_entry() {
    let vars = "vars: {used: '${USED}', unused: '${UNUSED}'}";
    let rule = "rules: [{name: a, match: any, actions: [{http: {url: '{{ vars.used }}'}}]}]";
    let shown = lines(&load(&tree(&[("a.yaml", rule), ("b.yaml", vars)]), &settings(&[])));
    assert_eq!(shown.len(), 1, "{shown:#?}");
    assert!(shown[0].starts_with("a.yaml:1:") && shown[0].contains("USED"), "{shown:#?}");
    assert!(shown[0].contains("b.yaml") && !shown[0].contains("UNUSED"), "{shown:#?}");
}

#[test]
fn with_placeholders_an_unset_reference_is_a_warning() {
    let mut settings = with_resolver(Arc::new(DryRun(Environment::default())));
    settings.assume_required = true;
    let guarded = load(&tree(&[("a.yaml", SLACK)]), &settings);
    assert_eq!(guarded.diagnostics.len(), 0, "what `requires` names is assumed: {:#?}", lines(&guarded));
    let unguarded = SLACK.replace("requires:", "# requires:");
    let loaded = load(&tree(&[("a.yaml", unguarded.as_str())]), &settings);
    assert_eq!(loaded.diagnostics.len(), 1, "{:#?}", lines(&loaded));
    assert_eq!(loaded.diagnostics[0].severity, Severity::Warning);
    assert!(loaded.rules.is_some_and(|rules| rules.rules.len() == 1));
}
