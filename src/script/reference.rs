//! The reference of what scripts can call in Markdown, made from the tables.

use super::KINDS;
use super::functions::{Function, TOPICS};
use crate::action::{self, http::FETCH};
use std::fmt::Write;

/// The part of `docs/scripting.md` that follows from the tables.
pub fn reference() -> String {
    let mut out = String::new();
    for (title, tables) in TOPICS {
        line(&mut out, &format!("### {title}\n\n| function | | example |\n|---|---|---|"));
        tables.iter().copied().flatten().for_each(|row| function(&mut out, row));
        line(&mut out, "");
        if tables.iter().copied().flatten().any(|row| row.name() == "fetch") {
            parameters_of_fetch(&mut out);
        }
    }
    actions(&mut out);
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a string takes any text");
}

fn function(out: &mut String, row: &Function) {
    let example = match row.gives {
        "" => code(row.example),
        gives => format!("{} → {}", code(row.example), code(gives)),
    };
    let (name, summary) = (code(&row.qualified()), cell(row.summary));
    line(out, &format!("| {name} | {summary} | {example} |"));
}

fn parameters_of_fetch(out: &mut String) {
    line(out, "| parameter of `fetch` | takes | |\n|---|---|---|");
    for param in FETCH {
        let required = if param.required { ", required" } else { "" };
        let summary = cell(param.summary);
        line(out, &format!("| `{}` | {}{required} | {summary} |", param.name, param.ty.name()));
    }
    line(out, "");
}

fn actions(out: &mut String) {
    line(out, "### Actions\n\n| function | the effect | parameters |\n|---|---|---|");
    let built_in = action::KINDS.iter().map(|row| (row.name, row.summary, row.schema));
    let scripts = KINDS.iter().map(|row| (row.name, row.summary, row.schema));
    for (name, summary, schema) in built_in.chain(scripts) {
        let names: Vec<_> = schema.iter().map(|param| format!("`{}`", param.name)).collect();
        line(out, &format!("| `{name}(#{{…}})` | {} | {} |", cell(summary), names.join(", ")));
    }
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A piece of code as a cell, whatever quotes are in it.
fn code(text: &str) -> String {
    let text = cell(text);
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::functions::table;

    const PAGE: &str = include_str!("../../docs/scripting.md");

    #[test]
    fn the_part_of_the_page_made_from_the_tables_is_current() {
        let (begin, end) = ("<!-- functions -->\n", "<!-- end of functions -->\n");
        let part = PAGE.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(part, _)| part);
        assert!(
            part == Some(&format!("\n{}\n", reference())),
            "put what `hookyard kinds --markdown functions` prints between the marks of docs/scripting.md"
        );
    }

    #[test]
    fn every_function_is_in_it_and_no_cell_breaks_its_table() {
        let text = reference();
        for row in table() {
            assert!(text.contains(&code(&row.qualified())), "{}", row.signature);
        }
        let columns = |row: &str| row.replace("\\|", "").matches('|').count();
        assert!(text.lines().filter(|line| line.starts_with('|')).all(|row| columns(row) == 4), "{text}");
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("f(`x`)"), "`` f(`x`) ``");
    }
}
