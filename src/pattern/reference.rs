//! The reference of the operators in Markdown, made from their rows.

use super::{Example, KINDS, Operator};
use crate::registry::ParamType;
use std::fmt::Write;

/// The part of `docs/patterns.md` that follows from the table: what each operator takes, with
/// examples that a test runs.
pub fn reference() -> String {
    let mut out = String::from("| operator | holds for |\n|---|---|\n");
    for Operator { kind, .. } in KINDS {
        row(&mut out, &format!("[`{}`](#{})", kind.name, kind.name), kind.summary);
    }
    for operator in KINDS {
        section(&mut out, operator);
    }
    out
}

fn row(out: &mut String, first: &str, second: &str) {
    line(out, &format!("| {first} | {second} |"));
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a string takes any text");
}

fn section(out: &mut String, Operator { kind, notes, examples, .. }: &Operator) {
    let (name, summary) = (kind.name, kind.summary);
    line(out, &format!("\n### `{name}`\n\n{summary}"));
    if !notes.is_empty() {
        line(out, notes);
    }
    if !kind.schema.is_empty() {
        line(out, "\n| key | takes | |\n|---|---|---|");
    }
    for param in kind.schema {
        let required = if param.required { ", required" } else { "" };
        let takes = match param.ty {
            ParamType::String => "a string",
            _ => "a string or a list",
        };
        line(out, &format!("| `{}` | {takes}{required} | {} |", param.name, param.summary));
    }
    examples.iter().for_each(|example| block(out, example));
}

fn block(out: &mut String, Example { pattern, matches, differs }: &Example) {
    line(out, &format!("\n```yaml\n{pattern}"));
    matches.iter().for_each(|event| line(out, &format!("# matches {event}")));
    differs.iter().for_each(|event| line(out, &format!("# but not {event}")));
    line(out, "```");
}
