//! Regular expressions, in the syntax of the `regex` operator.

use super::{Fallible, Function, Output};
use crate::pattern::compile_regex;
use crate::script::{fault, sizes, state};
use regex::{Captures, Regex};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};
use std::cell::RefCell;
use std::collections::HashMap;

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "regex_match(text: String, pattern: String) -> bool",
        summary: "Whether a pattern is found anywhere in a text.",
        example: r#"regex_match("t-12", "^t-[0-9]+$")"#,
        gives: "true",
    },
    Function {
        module: "",
        signature: "regex_find(text: String, pattern: String) -> any",
        summary: "The first place where a pattern is found, or `()`.",
        example: r##"regex_find("fixes #17, #18", "#[0-9]+")"##,
        gives: r##""#17""##,
    },
    Function {
        module: "",
        signature: "regex_find_all(text: String, pattern: String) -> list",
        summary: "Every place where a pattern is found.",
        example: r##"regex_find_all("fixes #17, #18", "#[0-9]+")"##,
        gives: r##"["#17","#18"]"##,
    },
    Function {
        module: "",
        signature: "regex_captures(text: String, pattern: String) -> any",
        summary: "The groups of the first place where a pattern is found, by number and name, or `()`.",
        example: r#"regex_captures("PR 17", "(?<kind>[A-Z]+) ([0-9]+)")"#,
        gives: r#"{"0":"PR 17","1":"PR","2":"17","kind":"PR"}"#,
    },
    Function {
        module: "",
        signature: "regex_replace(text: String, pattern: String, replacement: String) -> String",
        summary: "The text with every place where a pattern is found replaced; `$1` and `${name}` are groups, \
                  `$$` is a dollar.",
        example: r#"regex_replace("2025-11-24", "([0-9]+)-([0-9]+)-([0-9]+)", "$3.$2.$1")"#,
        gives: r#""24.11.2025""#,
    },
];

const MAX_PATTERN_BYTES: usize = 4 << 10;
/// Of a compiled pattern, and of what a search in it keeps: a text is searched in time that grows
/// with this and with its length.
const MAX_COMPILED_BYTES: usize = 256 << 10;
/// How many compiled patterns a thread keeps.
const KEPT: usize = 32;

thread_local! {
    static COMPILED: RefCell<HashMap<ImmutableString, Regex>> = RefCell::default();
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("regex_match", is_match);
    engine.register_fn("regex_find", find);
    engine.register_fn("regex_find_all", find_all);
    engine.register_fn("regex_captures", captures);
    engine.register_fn("regex_replace", replace);
}

/// The pattern, compiled, for a search of the text. Compiling takes no steps of the script's: the
/// next run may find it kept, and has to end alike.
fn compiled(pattern: &ImmutableString, text: &str) -> Fallible<Regex> {
    state::work(text.len())?;
    if let Some(regex) = COMPILED.with_borrow(|kept| kept.get(pattern).cloned()) {
        return Ok(regex);
    }
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(fault(format!("a pattern has at most {MAX_PATTERN_BYTES} bytes, not {}", pattern.len())));
    }
    let regex = compile_regex(pattern, MAX_COMPILED_BYTES, MAX_COMPILED_BYTES)
        .map_err(|(message, help)| fault(format!("{message} ({help})")))?;
    COMPILED.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pattern.clone(), regex.clone());
    });
    Ok(regex)
}

fn is_match(text: ImmutableString, pattern: ImmutableString) -> Fallible<bool> {
    Ok(compiled(&pattern, &text)?.is_match(&text))
}

fn find(text: ImmutableString, pattern: ImmutableString) -> Fallible<Dynamic> {
    Ok(compiled(&pattern, &text)?.find(&text).map_or(Dynamic::UNIT, |found| found.as_str().into()))
}

fn captures(
    context: NativeCallContext,
    text: ImmutableString,
    pattern: ImmutableString,
) -> Fallible<Dynamic> {
    let regex = compiled(&pattern, &text)?;
    // Each group is followed on its own.
    state::work(text.len().saturating_mul(regex.captures_len()))?;
    let Some(found) = regex.captures(&text) else { return Ok(Dynamic::UNIT) };
    // Groups in groups: each may be the whole text.
    let bytes: usize = found.iter().flatten().map(|group| group.len()).sum();
    if bytes > context.engine().max_string_size() {
        return Err(sizes::too_large());
    }
    Ok(groups(&regex, &found).into())
}

fn find_all(context: NativeCallContext, text: ImmutableString, pattern: ImmutableString) -> Fallible<Array> {
    let most = context.engine().max_array_size();
    let mut all = Array::new();
    for found in compiled(&pattern, &text)?.find_iter(&text) {
        state::work(found.len().max(search_bytes(&text)))?;
        if all.len() >= most {
            return Err(sizes::too_large());
        }
        all.push(found.as_str().into());
    }
    Ok(all)
}

/// What another search in a text counts for. It may go to the end, so the clock is looked at where
/// that is far.
fn search_bytes(text: &str) -> usize {
    text.len().min(state::BYTES_PER_STEP)
}

fn groups(regex: &Regex, found: &Captures<'_>) -> Map {
    let mut groups = Map::new();
    for (index, name) in regex.capture_names().enumerate() {
        let value = || found.get(index).map_or(Dynamic::UNIT, |group| group.as_str().into());
        groups.insert(index.to_string().into(), value());
        if let Some(name) = name {
            groups.insert(name.into(), value());
        }
    }
    groups
}

fn replace(
    context: NativeCallContext,
    text: ImmutableString,
    pattern: ImmutableString,
    with: ImmutableString,
) -> Fallible<String> {
    let parts = parts(&with);
    let (mut output, mut end) = (Output::new(&context), 0);
    for found in compiled(&pattern, &text)?.captures_iter(&text) {
        state::work(found.len().saturating_add(with.len()).max(search_bytes(&text)))?;
        let place = found.get_match();
        output.push(&text[end..place.start()])?;
        for part in &parts {
            let mut expanded = String::new();
            found.expand(part, &mut expanded);
            output.push(&expanded)?;
        }
        end = place.end();
    }
    output.push(&text[end..])?;
    output.finish()
}

/// A replacement in pieces with one reference each, so that each is measured before the next.
fn parts(mut with: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while !with.is_empty() {
        let end = match with.strip_prefix("$$") {
            Some(_) => 2,
            None => with.char_indices().skip(1).find(|(_, c)| *c == '$').map_or(with.len(), |(at, _)| at),
        };
        let (part, rest) = with.split_at(end);
        parts.push(part);
        with = rest;
    }
    parts
}
