//! One rules file as its author wrote it: every key in its place, nothing compiled yet.

use super::action::RawAction;
use super::compile::Compiler;
use super::expect::RuleTest;
use super::keys;
use super::lane::LanePart;
use super::options::{self, RetryPart};
use super::report::Report;
use crate::delivery::is_name;
use crate::diagnostic::{Span, did_you_mean};
use crate::yaml::{Entry, Node, Packed};
use std::time::Duration;

/// A rules file. What is wrong with its shape is in its report already.
pub(super) struct RawFile<'a> {
    pub report: Report<'a>,
    pub node: &'a Node,
    /// The entry as a whole: its key and where that stands are wanted too.
    pub vars: Option<&'a Entry>,
    pub matching: Option<&'a Node>,
    pub retry: RetryPart,
    pub timeout: Option<Duration>,
    /// Its rules, to be read one by one.
    pub rules: Vec<Packed>,
    pub tests: Vec<RuleTest>,
}

/// A rule. Without a name it was reported, and is only looked at for more problems.
pub(super) struct RawRule<'a> {
    pub node: &'a Node,
    pub name: Option<(&'a str, Span)>,
    pub description: Option<&'a str>,
    pub enabled: bool,
    pub requires: Vec<(&'a str, Span)>,
    pub matching: Option<&'a Node>,
    pub when: Option<&'a Node>,
    pub retry: RetryPart,
    pub timeout: Option<Duration>,
    pub lane: LanePart,
    pub actions: Vec<RawAction<'a>>,
    pub stop: bool,
    pub fallback: bool,
    /// Keys that hold storms back: one, or a mistake.
    pub storms: Vec<&'a Entry>,
    pub order: Option<&'a Node>,
}

/// Reads the shape of a file but for its rules.
pub(super) fn read<'a>(node: &'a Node, rules: Vec<Packed>, report: Report<'a>) -> RawFile<'a> {
    let mut file = RawFile {
        report,
        node,
        vars: None,
        matching: None,
        retry: RetryPart::default(),
        timeout: None,
        rules,
        tests: Vec::new(),
    };
    let report = &mut file.report;
    for entry in report.entries(node, "a rules file") {
        let value = &entry.node;
        match report.key(entry, "a rules file", keys::FILE) {
            "vars" => file.vars = Some(entry),
            "match" => file.matching = Some(value),
            "retry" => file.retry = RetryPart::read(value, report),
            "timeout" => file.timeout = options::positive(value, "`timeout`", report),
            "rules" => _ = report.list(value, "`rules`"),
            "tests" => {
                let tests = report.list(value, "`tests`").iter();
                file.tests = tests.filter_map(|node| RuleTest::read(node, report)).collect();
            }
            _ => {}
        }
    }
    file
}

/// Reads the shape of a rule.
pub(super) fn rule<'a>(
    node: &'a Node,
    compiler: &Compiler<'_>,
    report: &mut Report<'_>,
) -> Option<RawRule<'a>> {
    let entries = report.map(node, "a rule")?;
    let mut rule = RawRule {
        node,
        name: None,
        description: None,
        enabled: true,
        requires: Vec::new(),
        matching: None,
        when: None,
        retry: RetryPart::default(),
        timeout: None,
        lane: LanePart::default(),
        actions: Vec::new(),
        stop: false,
        fallback: false,
        storms: Vec::new(),
        order: None,
    };
    for entry in entries {
        let value = &entry.node;
        match report.key(entry, "a rule", keys::RULE) {
            "name" => rule.name = name(value, "a rule's `name`", report),
            "description" => rule.description = report.text(value, "`description`"),
            "enabled" => rule.enabled = report.flag(value, "`enabled`").unwrap_or(true),
            "requires" => rule.requires = requires(value, report),
            "match" => rule.matching = Some(value),
            "when" => rule.when = report.text(value, "`when`").map(|_| value),
            "retry" => rule.retry = RetryPart::read(value, report),
            "timeout" => rule.timeout = options::positive(value, "`timeout`", report),
            key @ ("rate" | "concurrency" | "pause") => rule.lane.read(key, value, report),
            "actions" => rule.actions = actions(value, compiler, report),
            "stop" => rule.stop = report.flag(value, "`stop`").unwrap_or_default(),
            "throttle" | "debounce" | "threshold" | "collect" => rule.storms.push(entry),
            "order" => rule.order = Some(value),
            "fallback" => rule.fallback = report.flag(value, "`fallback`").unwrap_or_default(),
            _ => {}
        }
    }
    if node.get("name").is_none() && !rule.has_misspelt("name") {
        report.error(node.span, "a rule has no `name`: it is what deliveries and tests call it by");
    }
    if node.get("actions").is_none() && !rule.has_misspelt("actions") {
        let help = "write `actions: [{log: {}}]` to begin with";
        report.error_with(node.span, format!("{} has no `actions`", rule.title()), Some(help));
    }
    Some(rule)
}

impl RawRule<'_> {
    /// How sentences name it.
    pub fn title(&self) -> String {
        self.name.map_or_else(|| "a rule".to_owned(), |(name, _)| format!("the rule `{name}`"))
    }

    /// Whether another key was meant as `key`: that is told already.
    pub fn has_misspelt(&self, key: &str) -> bool {
        let unknown = |entry: &&Entry| !keys::has(keys::RULE, &entry.key);
        self.node.entries().iter().filter(unknown).any(|entry| did_you_mean(&entry.key, [key]).is_some())
    }
}

/// A name of a rule or an action.
pub(super) fn name<'a>(node: &'a Node, what: &str, report: &mut Report<'_>) -> Option<(&'a str, Span)> {
    let text = report.text(node, what)?;
    if is_name(text) {
        return Some((text, node.span));
    }
    let help = (!text.is_empty()).then(|| format!("write `{}`", slug(text)));
    let message = format!("{what} is made of a-z, 0-9, `_` and `-`, unlike `{text}`");
    report.error_with(node.span, message, help);
    None
}

fn slug(text: &str) -> String {
    let keep = |c: char| if is_name(c.encode_utf8(&mut [0; 4])) { c } else { '-' };
    text.to_lowercase().chars().map(keep).collect()
}

fn requires<'a>(node: &'a Node, report: &mut Report<'_>) -> Vec<(&'a str, Span)> {
    let items = report.list(node, "`requires`");
    items.iter().filter_map(|item| variable(item, report)).collect()
}

fn variable<'a>(node: &'a Node, report: &mut Report<'_>) -> Option<(&'a str, Span)> {
    let text = report.text(node, "an item of `requires`")?;
    let is_variable = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if is_variable(text) {
        return Some((text, node.span));
    }
    let bare = text.trim_start_matches("${").trim_end_matches('}');
    let help = is_variable(bare).then(|| format!("write the name alone: `{bare}`"));
    report.error_with(node.span, format!("`requires` names environment variables, unlike `{text}`"), help);
    None
}

fn actions<'a>(node: &'a Node, compiler: &Compiler<'_>, report: &mut Report<'_>) -> Vec<RawAction<'a>> {
    let items = report.list(node, "`actions`");
    if items.is_empty() {
        report.error(node.span, "`actions` is empty: a rule does at least one thing, such as `- log: {}`");
    }
    items.iter().filter_map(|item| RawAction::read(item, compiler, report)).collect()
}
