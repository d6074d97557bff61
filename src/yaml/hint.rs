//! What a syntax error most likely means, in the words of who writes rules.

use super::position;
use crate::diagnostic::{Problem, Span};

/// The problem of the parser's complaint `info` at `span`.
pub(super) fn syntax(text: &str, span: Span, info: &str) -> Problem {
    let span = inside(text, span);
    let (line, before) = around(text, span.start as usize);
    let problem = Problem::error(span, format!("this is not YAML: {}", sentence(info)));
    match help(line, before, info) {
        Some(help) => problem.with_help(help),
        None => problem,
    }
}

/// The same place, or the end of what is written if the parser only noticed behind that.
fn inside(text: &str, span: Span) -> Span {
    let written = text.trim_end();
    if (span.start as usize) < written.len() { span } else { position::end_of(written) }
}

/// The complaint without the state that the parser was in: `',' or '}' is expected here`.
fn sentence(info: &str) -> String {
    let what = match info.split_once(", ") {
        Some((context, what)) if context.starts_with("while ") => what,
        _ => info,
    };
    match what.strip_prefix("did not find expected ").or(what.strip_prefix("expected ")) {
        Some(expected) => format!("{expected} is expected here"),
        None => what.to_owned(),
    }
}

/// The help for a key that is a map or a list: most often an unquoted template.
pub(super) fn key_is_nested(text: &str, span: Span) -> &'static str {
    let (line, _) = around(text, span.start as usize);
    if line.contains("{{") { TEMPLATE } else { "write a text as the key" }
}

const TEMPLATE: &str = "quote a template: `url: \"{{ vars.url }}\"`";
const REFERENCE: &str = "quote a reference inside `{ }` or `[ ]`: `{url: \"${NAME}\"}`";

fn help(line: &str, before: &str, info: &str) -> Option<&'static str> {
    let help = if info.contains("tab") {
        "indent with spaces, not tabs"
    } else if info.contains("anchor") {
        "quote a text that begins with `*` or `&`: `[{wildcard: \"*.png\"}]`"
    } else if line.contains("{{") {
        TEMPLATE
    } else if line.contains("${") {
        REFERENCE
    } else if line.trim_start().starts_with('\t') || before.ends_with('\t') {
        "indent with spaces, not tabs"
    } else if info.contains("mapping values are not allowed") {
        "quote a text that has `: ` in it; the keys of one map begin in the same column"
    } else if info.contains("quoted scalar") {
        "in double quotes write `\\\\` for a backslash, or use single quotes; close what you open"
    } else if info.contains("expected ',' or") {
        "separate entries by commas and close what you open; quote a text that has `{ } [ ] ,` in it"
    } else if info.contains("unexpected character") || info.contains("node content") {
        "quote a text that begins with one of `@ ` % * & ! | > [ ] { } ,`"
    } else if info.contains("expected key") || info.contains("indicator") || info.contains("':'") {
        "the keys of one map, and the dashes of one list, begin in the same column"
    } else {
        return None;
    };
    Some(help)
}

/// The line in which a byte stands, and the part of it before that byte.
fn around(text: &str, byte: usize) -> (&str, &str) {
    let start = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[byte..].find('\n').map_or(text.len(), |newline| byte + newline);
    (&text[start..end], &text[start..byte])
}
