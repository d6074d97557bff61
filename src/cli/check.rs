//! `hookyard check [DIR]`: is everything right?

use super::{Common, Verdict, output, setup};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::rules::{RuleSet, Tree};
use anyhow::bail;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The rule directory [default: what the configuration says]
    dir: Option<PathBuf>,
    /// Use the real environment: an unset reference is then an error, not a warning
    #[arg(long)]
    env: bool,
}

pub(super) fn run(common: &Common, args: &CheckArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let dir = args.dir.as_ref().unwrap_or(&config.rules);
    let tree = setup::tree(dir)?;
    if tree.is_empty() {
        bail!("{} has no rules in it: put a .yaml file there", dir.display());
    }
    let loaded = setup::load_tree(dir, &tree, &setup::dry_settings(&config, args.env));
    let summary = diagnostic::summary(&loaded.diagnostics);
    if common.json {
        output::json_lines(loaded.diagnostics.iter().map(Diagnostic::to_json))?;
    } else {
        setup::show(&loaded.diagnostics);
    }
    let errors = loaded.diagnostics.iter().any(|found| found.severity == Severity::Error);
    match &loaded.rules {
        _ if common.json => {}
        Some(rules) if !errors => {
            output::line(format_args!("{}: {}: {summary}", dir.display(), found(&tree, rules)))?;
        }
        _ => eprintln!("{}: {summary}", dir.display()),
    }
    Ok(if errors { Verdict::Problems } else { Verdict::Fine })
}

/// `3 rules in 2 files, 1 script`.
fn found(tree: &Tree, rules: &RuleSet) -> String {
    let scripts = tree.keys().filter(|path| path.ends_with(".rhai")).count();
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (rules, files) = (rules.rules.len(), tree.len() - scripts);
    format!("{} in {}, {}", count(rules, "rule"), count(files, "file"), count(scripts, "script"))
}
