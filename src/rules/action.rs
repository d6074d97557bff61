//! One action of a rule: its kind and the options beside it, read and compiled.

use super::compile::Compiler;
use super::file;
use super::keys;
use super::lane::LanePart;
use super::options::{self, Outer, RetryPart};
use super::report::{Report, suggestion};
use super::{Planned, SCRIPT};
use crate::action::{Action, Consent};
use crate::diagnostic::Span;
use crate::event::WINDOW;
use crate::json::Json;
use crate::registry::ConfigError;
use crate::script::may_define;
use crate::template::Params;
use crate::yaml::{Entry, Node, Value};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Of an attempt, where no level says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An action as written.
pub(super) struct RawAction<'a> {
    node: &'a Node,
    pub name: Option<(&'a str, Span)>,
    pub kind: &'a str,
    pub kind_span: Span,
    pub value: &'a Node,
    pub when: Option<&'a Node>,
    retry: RetryPart,
    timeout: Option<Duration>,
    lane: LanePart,
    after: Duration,
}

impl<'a> RawAction<'a> {
    /// Reads an item of `actions`.
    pub fn read(node: &'a Node, compiler: &Compiler<'_>, report: &mut Report<'_>) -> Option<Self> {
        if let Value::String(text) = &node.value {
            let help = format!("write `- {text}: {{}}`");
            report.error_with(node.span, format!("an action is a map, not the text `{text}`"), Some(help));
            return None;
        }
        let entries = report.map(node, "an action")?;
        let kind = kind_entry(node, entries, compiler, report)?;
        let mut action = Self {
            node,
            name: None,
            kind: &kind.key,
            kind_span: kind.key_span,
            value: &kind.node,
            when: None,
            retry: RetryPart::default(),
            timeout: None,
            lane: LanePart::default(),
            after: Duration::ZERO,
        };
        for entry in entries.iter().filter(|entry| keys::has(keys::OPTION, &entry.key)) {
            let value = &entry.node;
            match entry.key.as_str() {
                "name" => action.name = file::name(value, "an action's `name`", report),
                "when" => action.when = report.text(value, "`when`").map(|_| value),
                "retry" => action.retry = RetryPart::read(value, report),
                "timeout" => action.timeout = options::positive(value, "`timeout`", report),
                key @ ("rate" | "concurrency" | "pause") => action.lane.read(key, value, report),
                "after" => {
                    action.after = options::duration(value, "`after`", report).unwrap_or_default();
                }
                _ => {}
            }
        }
        Some(action)
    }

    /// What it is called in deliveries and tests.
    pub fn effective_name(&self) -> &'a str {
        self.name.map_or(self.kind, |(name, _)| name)
    }
}

/// The one entry that is no option: the kind.
fn kind_entry<'a>(
    node: &Node,
    entries: &'a [Entry],
    compiler: &Compiler<'_>,
    report: &mut Report<'_>,
) -> Option<&'a Entry> {
    let is_kind = |name: &str| compiler.scripts.kind_names().any(|kind| kind == name);
    let candidates = || entries.iter().filter(|entry| !keys::has(keys::OPTION, &entry.key));
    let mut known = candidates().filter(|entry| is_kind(&entry.key));
    let Some(kind) = known.next() else {
        match candidates().next() {
            // It is, as soon as that script is mended.
            Some(entry) if compiler.broken_scripts.values().any(|text| may_define(text, &entry.key)) => {}
            Some(entry) => {
                let message = format!("there is no action `{}`", entry.key);
                let help = suggestion(&entry.key, compiler.scripts.kind_names());
                report.error_with(entry.key_span, message, Some(help));
            }
            None => {
                let help = "name a kind beside the options, as in `- log: {}`";
                report.error_with(node.span, "an action without a kind does nothing", Some(help));
            }
        }
        return None;
    };
    for second in known {
        let message = format!("one action does one thing: `{}` stands beside `{}`", second.key, kind.key);
        let help = format!("make it an item of its own: `- {}: …`", second.key);
        report.error_with(second.key_span, message, Some(help));
    }
    for entry in candidates().filter(|entry| !is_kind(&entry.key)) {
        report.unknown_key(entry, "an action", keys::names(keys::OPTION));
    }
    Some(kind)
}

/// Reports actions of one rule that cannot be told apart.
pub(super) fn check_names(actions: &[RawAction<'_>], rule: &str, report: &mut Report<'_>) {
    for (index, action) in actions.iter().enumerate() {
        let name = action.effective_name();
        if actions[..index].iter().all(|other| other.effective_name() != name) {
            continue;
        }
        match action.name {
            Some((_, span)) => report.error(span, format!("{rule} has two actions named `{name}`")),
            None => {
                let message = format!("{rule} has two actions `{name}`: they need names to be told apart");
                let help = "write a `name:` beside the kind of one of them";
                report.error_with(action.kind_span, message, Some(help));
            }
        }
    }
}

/// Actions that were compiled without a word, by what they were made from: thousands of rules
/// often do the same.
#[derive(Default)]
pub(super) struct SharedActions(HashMap<[u8; 32], Arc<Planned>>);

impl SharedActions {
    /// The action, made if it is the first of its sort.
    pub fn get(
        &mut self,
        raw: &RawAction<'_>,
        outer: Outer,
        report: &mut Report<'_>,
        make: impl FnOnce(&mut Report<'_>) -> Option<Planned>,
    ) -> Option<Arc<Planned>> {
        let made_from = format!("{} {outer:?}", raw.node.to_json());
        let key = Sha256::digest(made_from).into();
        if let Some(planned) = self.0.get(&key) {
            return Some(Arc::clone(planned));
        }
        let before = report.count();
        let planned = Arc::new(make(report)?);
        if report.count() == before {
            self.0.insert(key, Arc::clone(&planned));
        }
        Some(planned)
    }
}

impl Compiler<'_> {
    /// Compiles an action. `None` if that cannot be done, with the reasons reported.
    pub(super) fn action(
        &self,
        raw: &RawAction<'_>,
        outer: Outer,
        report: &mut Report<'_>,
    ) -> Option<Planned> {
        let when = raw.when.map(|node| self.condition(node, report));
        let retry = raw.retry.over(outer.retry).finish(report);
        let mut lane = raw.lane.over(outer.lane).finish(report);
        let (params, action) = self.build(raw, report)?;
        lane.usual = action.concurrency();
        let mut authorities = params.authorities(&*self.settings.resolver);
        authorities.extend(self.vars_hosts.iter().cloned());
        let reads_window = params.reads(WINDOW);
        Some(Planned {
            reads_window,
            name: raw.effective_name().to_owned(),
            kind: raw.kind.to_owned(),
            params,
            action,
            retry,
            timeout: raw.timeout.or(outer.timeout).unwrap_or(TIMEOUT),
            lane,
            after: raw.after,
            consent: Consent::Hosts(Arc::new(authorities)),
            when: when.unwrap_or(Some(None))?,
        })
    }

    fn build(&self, raw: &RawAction<'_>, report: &mut Report<'_>) -> Option<(Params, Arc<dyn Action>)> {
        // Without all of `vars`, every path into it would be reported as wrong.
        if !self.vars_whole {
            return None;
        }
        let value = self.parameters(raw, report)?;
        let script = value.get("file").and_then(Json::as_str).filter(|_| raw.kind == SCRIPT);
        if script.is_some_and(|file| self.broken_scripts.contains_key(file)) {
            return None;
        }
        let built = self.params(raw.kind, &value).and_then(|params| {
            let action = self.scripts.action(raw.kind, &params)?;
            Ok((params, action))
        });
        built.map_err(|errors| errors.into_iter().for_each(|error| report.config(raw.value, error))).ok()
    }

    /// What stands behind the kind, in its long form.
    fn parameters(&self, raw: &RawAction<'_>, report: &mut Report<'_>) -> Option<Json> {
        match raw.value.to_json() {
            Json::Null => Some(Json::Object(crate::json::Object::new())),
            Json::String(file) if raw.kind == SCRIPT => Some(Json::object([("file", Json::String(file))])),
            map @ Json::Object(_) => Some(map),
            _ => {
                report.wrong_type(
                    raw.value,
                    &format!("what stands behind `{}`", raw.kind),
                    "a map of parameters",
                );
                None
            }
        }
    }

    fn params(&self, kind: &str, value: &Json) -> Result<Params, Vec<ConfigError>> {
        let schema = self.scripts.schema(kind).expect("its name was looked up when it was read");
        Params::compile(value, &schema, &self.vars)
    }
}
