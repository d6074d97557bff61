//! `hookyard kinds [NAME]`: what YAML can name: verifiers, operators, actions, also those that the
//! scripts in the rule directory define.

mod definitions;

use super::{Common, Verdict, output, setup};
use crate::diagnostic::did_you_mean;
use crate::json::Json;
use crate::registry::{Kind, Param};
use crate::script::UserKind;
use crate::{action, pattern, rules, script, source};
use clap::{Args, ValueEnum};
use std::borrow::Cow;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct KindsArgs {
    /// Show all of this kind: parameters and an example
    name: Option<String>,
    /// Print a reference in Markdown, as in docs/patterns.md and docs/scripting.md [default:
    /// operators]
    #[arg(long, value_name = "OF", num_args = 0..=1, default_missing_value = "operators", conflicts_with = "name")]
    markdown: Option<Markdown>,
    /// Write definition files for the Rhai language server, such as into .rhai/
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "markdown"])]
    rhai_definitions: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Markdown {
    /// Of patterns
    Operators,
    /// Of scripts
    Functions,
}

/// A row of any family, without what it builds.
struct Row<'a> {
    family: &'static str,
    name: &'a str,
    summary: &'a str,
    notes: &'static str,
    schema: Vec<Param<'a>>,
    example: Cow<'a, str>,
    /// The script that defines it.
    file: Option<&'a str>,
}

pub(super) fn run(common: &Common, args: &KindsArgs) -> anyhow::Result<Verdict> {
    if let Some(of) = args.markdown {
        let reference = match of {
            Markdown::Operators => pattern::reference(),
            Markdown::Functions => script::reference(),
        };
        output::line(reference.trim_end())?;
        return Ok(Verdict::Fine);
    }
    let user = user_kinds(common)?;
    if let Some(dir) = &args.rhai_definitions {
        definitions::write(dir, &user, common.json)?;
        return Ok(Verdict::Fine);
    }
    let rows = match &args.name {
        Some(name) => named(name, &user)?,
        None => rows(&user),
    };
    if common.json {
        output::json_lines(rows.iter().map(to_json).collect::<Vec<_>>())?;
    } else if args.name.is_some() {
        output::line(rows.iter().map(whole).collect::<Vec<_>>().join("\n").trim_end())?;
    } else {
        let cells = |row: &Row<'_>| [row.family, row.name, row.summary].map(str::to_owned).to_vec();
        output::table(&["FAMILY", "NAME", "WHAT IT IS"], &rows.iter().map(cells).collect::<Vec<_>>())?;
    }
    Ok(Verdict::Fine)
}

/// The kinds that the scripts of the rule directory define; none if there is no such directory.
pub(super) fn user_kinds(common: &Common) -> anyhow::Result<Vec<UserKind>> {
    let config = setup::config(&setup::location(common)?)?;
    let tree = if config.rules.is_dir() { setup::tree(&config.rules)? } else { rules::Tree::default() };
    Ok(rules::user_kinds(&tree, &setup::dry_settings(&config, false)))
}

fn rows(user: &[UserKind]) -> Vec<Row<'_>> {
    let verifiers = source::KINDS.iter().map(|kind| Row::of("verifier", kind));
    let operators = pattern::KINDS.iter().map(|operator| {
        let row = Row::of("operator", &operator.kind);
        Row { notes: operator.notes, ..row }
    });
    let actions = action::KINDS.iter().map(|kind| Row::of("action", kind));
    let scripts = script::KINDS.iter().map(|kind| Row::of("action", kind));
    let actions = actions.chain(scripts).chain(user.iter().map(Row::of_user));
    verifiers.chain(operators).chain(actions).collect()
}

/// The rows of a name: families may share one.
fn named<'a>(name: &str, user: &'a [UserKind]) -> anyhow::Result<Vec<Row<'a>>> {
    let (found, others): (Vec<_>, Vec<_>) = rows(user).into_iter().partition(|row| row.name == name);
    if found.is_empty() {
        let hint = match did_you_mean(name, others.iter().map(|row| row.name)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`hookyard kinds` lists them".to_owned(),
        };
        anyhow::bail!("there is no kind `{name}`: {hint}");
    }
    Ok(found)
}

impl<'a> Row<'a> {
    fn of<Build>(family: &'static str, kind: &Kind<Build>) -> Self {
        let Kind { name, summary, example, schema, .. } = *kind;
        Self {
            family,
            name,
            summary,
            notes: "",
            schema: schema.to_vec(),
            example: example.into(),
            file: None,
        }
    }

    fn of_user(kind: &'a UserKind) -> Self {
        Self {
            family: "action",
            name: &kind.name,
            summary: &kind.summary,
            notes: "",
            schema: kind.schema(),
            example: kind.example().into(),
            file: Some(&kind.file),
        }
    }
}

/// Everything of one row, for people.
fn whole(row: &Row<'_>) -> String {
    let Row { family, name, summary, notes, .. } = row;
    let file = row.file.map(|file| format!(", {file}")).unwrap_or_default();
    let mut out = format!("{name} ({family}{file}): {summary}\n");
    if !notes.is_empty() {
        out += &format!("\n{}\n", wrapped(notes));
    }
    if !row.schema.is_empty() {
        out += "\nparameters:\n";
    }
    for param in &row.schema {
        let required = if param.required { ", required" } else { "" };
        let summary = if param.summary.is_empty() { String::new() } else { format!(": {}", param.summary) };
        out += &format!("  {} ({}{required}){summary}\n", param.name, param.ty.name());
    }
    out += "\nexample:\n";
    for line in row.example.trim_end().lines() {
        out += format!("  {line}").trim_end();
        out += "\n";
    }
    out
}

/// Lines of at most 100 characters, broken at spaces.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

fn to_json(row: &Row<'_>) -> Json {
    let param = |param: &Param<'_>| {
        Json::object([
            ("name", param.name.into()),
            ("type", param.ty.name().into()),
            ("required", param.required.into()),
            ("summary", param.summary.into()),
        ])
    };
    Json::object([
        ("family", row.family.into()),
        ("name", row.name.into()),
        ("summary", row.summary.into()),
        ("notes", row.notes.into()),
        ("params", row.schema.iter().map(param).collect::<Vec<_>>().into()),
        ("example", row.example.as_ref().into()),
        ("file", row.file.map_or(Json::Null, Json::from)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_listed_and_every_row_is_whole() {
        let rows = rows(&[]);
        for family in ["verifier", "operator", "action"] {
            assert!(rows.iter().any(|row| row.family == family), "{family}");
        }
        for row in &rows {
            assert!(
                !row.name.is_empty() && !row.summary.is_empty() && !row.example.is_empty(),
                "{}",
                row.name
            );
            assert!(row.summary.ends_with('.'), "{}", row.name);
        }
        for name in ["email", "script", "exec"] {
            assert!(rows.iter().any(|row| (row.family, row.name) == ("action", name)), "{name}");
        }
    }

    #[test]
    fn one_kind_is_shown_with_its_parameters_and_its_example() {
        let shown = whole(&named("clock", &[]).expect("it is an operator")[0]);
        assert!(shown.starts_with("clock (operator): Timestamps that fall on some days"), "{shown}");
        assert!(shown.contains("\n  zone (string, required): The time zone"), "{shown}");
        assert!(shown.contains("\n  days (any): `mon-fri`"), "{shown}");
        assert!(shown.contains("\nexample:\n  received_at: [{clock: {zone: Europe/Berlin"), "{shown}");
        assert!(shown.lines().filter(|line| !line.starts_with(' ')).all(|line| line.chars().count() <= 100));
        let record = to_json(&named("http", &[]).expect("it is an action")[0]);
        assert_eq!(record.pointer("/params/0/required"), Some(&Json::from(true)), "{record}");
    }

    #[test]
    fn a_name_that_is_none_gets_a_suggestion() {
        let error = |name: &str| named(name, &[]).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(error("prefx"), "there is no kind `prefx`: did you mean `prefix`?");
        assert_eq!(error("teleport"), "there is no kind `teleport`: `hookyard kinds` lists them");
    }
}
