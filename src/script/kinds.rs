//! Action kinds written in Rhai: a file with `const ACTION` is one, usable by its name in YAML and in scripts.

use super::check::Natives;
use super::library::{HANDLER, Script, Scripts};
use crate::delivery::is_name;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::registry::{Param, ParamType};
use rhai::{Dynamic, Engine, ImmutableString, Map, Position, Stmt};
use std::collections::BTreeMap;

/// The constant that makes a file a kind.
const ACTION: &str = "ACTION";

/// What stands beside the kind of an action in YAML.
pub const OPTIONS: [&str; 8] = ["name", "when", "retry", "timeout", "rate", "concurrency", "pause", "after"];

/// Those of them that a script hands over among the parameters.
const OPTIONS_OF_CALLS: [&str; 2] = ["name", "after"];

/// What can stand in `params`, behind each name.
const TYPES: &[(&str, ParamType)] = &[
    ("string", ParamType::String),
    ("template", ParamType::String),
    ("url", ParamType::Url),
    ("number", ParamType::Number),
    ("integer", ParamType::Integer),
    ("bool", ParamType::Bool),
    ("duration", ParamType::Duration),
    ("list", ParamType::List),
    ("map", ParamType::Map),
    ("any", ParamType::Any),
];

/// A user's action kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserKind {
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// The script, from the rule directory on.
    pub file: String,
    params: Vec<UserParam>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct UserParam {
    name: String,
    ty: ParamType,
    required: bool,
    summary: String,
}

impl UserParam {
    fn shape(&self) -> Param<'_> {
        Param { name: &self.name, ty: self.ty, required: self.required, summary: &self.summary }
    }
}

impl UserKind {
    /// Its parameters, as those of the built-in kinds are.
    pub fn schema(&self) -> Vec<Param<'_>> {
        self.params.iter().map(UserParam::shape).collect()
    }

    /// Names of the parameters that may be left out.
    pub(super) fn optional(&self) -> impl Iterator<Item = &str> {
        self.params.iter().filter(|param| !param.required).map(|param| param.name.as_str())
    }

    /// YAML that uses it.
    pub fn example(&self) -> String {
        let required = self.params.iter().filter(|param| param.required);
        let value = |ty| match ty {
            ParamType::Url => "\"https://example.com/\"",
            ParamType::Bool => "true",
            ParamType::Integer | ParamType::Number => "1",
            ParamType::Duration => "5m",
            ParamType::List => "[]",
            ParamType::Map => "{}",
            _ => "\"{{ status }}\"",
        };
        let given: Vec<_> = required.map(|param| format!("{}: {}", param.name, value(param.ty))).collect();
        format!("{}: {{{}}}", self.name, given.join(", "))
    }
}

pub(super) type Kinds = BTreeMap<String, UserKind>;

/// The kinds of all files. `built_in`: names that are taken.
pub(super) fn collect<'a>(
    scripts: &Scripts,
    built_in: impl Iterator<Item = &'a str> + Clone,
    natives: &Natives,
    engine: &Engine,
) -> (Kinds, Vec<Diagnostic>) {
    let (mut kinds, mut problems) = (Kinds::new(), Vec::new());
    for script in scripts.values() {
        let Some(at) = place(script) else { continue };
        let mut reader = Reader { script, at, problems: Vec::new() };
        let kind = reader.kind();
        if let Some(kind) = &kind {
            let taken = built_in.clone().any(|name| name == kind.name) || natives.has(&kind.name, 1);
            // A word of the language could not be called.
            let callable = engine.compile(format!("{}(1);", kind.name)).is_ok();
            if taken || !callable || OPTIONS.contains(&kind.name.as_str()) {
                reader.problem(format!("`{}` is the name of something built in", kind.name), None);
            } else if let Some(first) = kinds.get(&kind.name) {
                reader.problem(
                    format!("there is an action kind `{}` already, in {}", kind.name, first.file),
                    None,
                );
            }
        }
        if script.handler.is_none() {
            let help = format!("add `fn {HANDLER}(event, params) {{ … }}`");
            reader.problem("an action kind does its work in a function".to_owned(), Some(help));
        }
        match kind.filter(|_| reader.problems.is_empty()) {
            Some(kind) => _ = kinds.insert(kind.name.clone(), kind),
            None => problems.append(&mut reader.problems),
        }
    }
    (kinds, problems)
}

/// Whether a text that does not parse may have been meant to define a kind.
pub fn may_define(text: &str, name: &str) -> bool {
    text.contains(ACTION) && text.contains(&format!("\"{name}\""))
}

/// Where a file says that it is a kind.
fn place(script: &Script) -> Option<Position> {
    script.ast.statements().iter().find_map(|statement| match statement {
        Stmt::Var(variable, ..) if variable.0.name == ACTION => Some(variable.0.pos),
        _ => None,
    })
}

struct Reader<'a> {
    script: &'a Script,
    at: Position,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn problem(&mut self, message: String, help: Option<String>) {
        let problem = self.script.source.error(self.at, message);
        self.problems.push(match help {
            Some(help) => problem.with_help(help),
            None => problem,
        });
    }

    fn kind(&mut self) -> Option<UserKind> {
        let constant = self.script.ast.iter_literal_variables(true, false).find(|(name, ..)| *name == ACTION);
        let Some(map) = constant.and_then(|(.., value)| value.try_cast::<Map>()) else {
            let help =
                "write `const ACTION = #{name: \"…\", summary: \"…\", params: #{…}};`, all of it literal";
            self.problem(format!("`{ACTION}` says what kind of action the file is"), Some(help.into()));
            return None;
        };
        for key in map.keys().filter(|key| !["name", "summary", "params"].contains(&key.as_str())) {
            let help = did_you_mean(key, ["name", "summary", "params"]);
            let help = help.map(|meant| format!("did you mean `{meant}`?"));
            self.problem(format!("`{ACTION}` has `name`, `summary` and `params`, but no `{key}`"), help);
        }
        let name = self.text(&map, "name")?;
        let callable =
            is_name(&name) && !name.contains('-') && !name.starts_with(|c: char| c.is_ascii_digit());
        if !callable {
            let help = "scripts call it by that name: a-z, 0-9 and `_`, a letter first";
            self.problem(format!("{name:?} cannot name an action kind"), Some(help.into()));
            return None;
        }
        let summary = self.text(&map, "summary")?;
        let params = match map.get("params") {
            None => Vec::new(),
            Some(params) => self.params(params)?,
        };
        Some(UserKind { name, summary, file: self.script.source.path.to_string(), params })
    }

    fn text(&mut self, map: &Map, key: &str) -> Option<String> {
        let text =
            map.get(key).and_then(|value| value.read_lock::<ImmutableString>().map(|text| text.to_string()));
        let text = text.filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.problem(format!("`{ACTION}` has no `{key}`, or it is no text"), None);
        }
        text
    }

    fn params(&mut self, params: &Dynamic) -> Option<Vec<UserParam>> {
        let Some(params) = params.read_lock::<Map>() else {
            let help = "write `params: #{url: \"url\", text: \"template\", color: \"string?\"}`".to_owned();
            self.problem(format!("`params` of `{ACTION}` is a map of names and types"), Some(help));
            return None;
        };
        params.iter().map(|(name, ty)| self.param(name, ty)).collect()
    }

    /// `"url"`, `"string?"`, or with a sentence behind the type.
    fn param(&mut self, name: &str, written: &Dynamic) -> Option<UserParam> {
        if OPTIONS_OF_CALLS.contains(&name) {
            let help = "every action has one by that name: choose another".to_owned();
            self.problem(format!("the parameter `{name}` would never be handed over"), Some(help));
            return None;
        }
        let written = written.read_lock::<ImmutableString>().map(|text| text.to_string()).unwrap_or_default();
        let (word, summary) = written.split_once(' ').unwrap_or((&written, ""));
        let required = !word.ends_with('?');
        let word = word.trim_end_matches('?');
        let known = TYPES.iter().find(|(known, _)| *known == word);
        let Some((_, ty)) = known else {
            let names = || TYPES.iter().map(|(name, _)| *name);
            let help = match did_you_mean(word, names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "it is one of {}, with `?` if it may be absent",
                    names().collect::<Vec<_>>().join(", ")
                ),
            };
            self.problem(
                format!("the parameter `{name}` has no type that there is: {written:?}"),
                Some(help),
            );
            return None;
        };
        let summary = summary.trim().to_owned();
        Some(UserParam { name: name.to_owned(), ty: *ty, required, summary })
    }
}
