//! YAML text → values with spans, by the 1.2 core schema; equal keys, `<<`, custom tags and a
//! second document are refused with a sentence.
//!
//! The events are saphyr-parser's; values, spans and equal keys are made here, because serde
//! loses the places, the digits of large numbers and one of two equal keys.

mod build;
mod copy;
mod hint;
mod packed;
mod position;
mod scalar;
#[cfg(test)]
mod tests;

use crate::diagnostic::{Diagnostic, Problem, Span};
use crate::json::{Json, Number, Object};
use std::sync::Arc;

pub use packed::Packed;

/// How deeply lists and maps may be nested; deeper ones would use up the stack of whatever walks
/// the nodes.
pub const MAX_DEPTH: usize = 128;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

/// What a node is. A map keeps the order of the file; its keys are unique.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map, where it stands, and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

/// Parses one YAML document; an empty one is `null`. An alias becomes a copy of what its anchor
/// names, up to a bound on all copies together.
///
/// # Errors
/// Everything that is wrong, at least one: all equal keys, merges, tags and keys that are no
/// text up to the first syntax error, in the order in which they stand.
pub fn parse(file: &Arc<str>, text: &Arc<str>) -> Result<Node, Vec<Diagnostic>> {
    let built = build::build(text, None);
    built.map(|(node, _)| node).map_err(|problems| in_file(problems, file, text))
}

/// As [`parse`], but the items of the list under the top-level key `rows` are packed, and missing
/// in that list: a file of a hundred thousand items takes no more memory than its text.
///
/// # Errors
/// As [`parse`].
pub fn parse_rows(file: &Arc<str>, text: &str, rows: &str) -> Result<(Node, Vec<Packed>), Vec<Diagnostic>> {
    let (mut node, mut packed) =
        build::build(text, Some(rows)).map_err(|problems| in_file(problems, file, &text.into()))?;
    // Where an anchor is involved the list is whole.
    if let Value::Map(entries) = &mut node.value
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == rows)
        && let Value::List(items) = &mut entry.node.value
    {
        packed.extend(items.drain(..).map(|item| Packed::new(&item)));
    }
    Ok((node, packed))
}

fn in_file(problems: Vec<Problem>, file: &Arc<str>, text: &Arc<str>) -> Vec<Diagnostic> {
    problems.into_iter().map(|problem| problem.in_file(file, text)).collect()
}

impl Node {
    /// The value of `key`, if this is a map that has it. Looks at one entry after the other: for
    /// the few keys that a format has, not for a table of data.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entries, if this is a map; else none.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// What kind of value this is, in the words of [`Json::kind`].
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Map(_) => "map",
        }
    }

    /// The value without its spans.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => Json::Number(number.clone()),
            Value::String(text) => text.as_str().into(),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => {
                let members = entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json()));
                Json::Object(Object::from_members(members.collect()).expect("the keys of a map are unique"))
            }
        }
    }

    /// Where the value (or, `at_key`, the key) at a JSON pointer stands; the nearest parent's
    /// place if the pointer leads nowhere.
    pub fn locate(&self, pointer: &str, at_key: bool) -> Span {
        let mut span = self.span;
        let mut node = self;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            match &node.value {
                Value::Map(entries) => {
                    let Some(entry) = entries.iter().find(|entry| entry.key == token) else { return span };
                    span = if at_key { entry.key_span } else { entry.node.span };
                    node = &entry.node;
                }
                Value::List(items) => {
                    let Some(item) = token.parse::<usize>().ok().and_then(|index| items.get(index)) else {
                        return span;
                    };
                    span = item.span;
                    node = item;
                }
                _ => return span,
            }
        }
        span
    }
}
