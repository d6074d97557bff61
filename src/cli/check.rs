//! `hookyard check [DIR]`: is everything right?

use super::{Common, Verdict, output, setup};
use crate::diagnostic::{self, Severity};
use crate::json::Json;
use crate::rules;
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
    let loaded = rules::load(&tree, &setup::dry_settings(&config, args.env));
    if common.json {
        let records: Vec<Json> = loaded.diagnostics.iter().map(diagnostic::Diagnostic::to_json).collect();
        output::json_lines(&records)?;
    } else {
        setup::show(&loaded.diagnostics);
    }
    let errors = loaded.diagnostics.iter().any(|found| found.severity == Severity::Error);
    if let Some(rules) = &loaded.rules
        && !common.json
    {
        let scripts = tree.keys().filter(|path| path.ends_with(".rhai")).count();
        let files = tree.len() - scripts;
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let found = format!(
            "{} in {}, {}",
            count(rules.rules.len(), "rule"),
            count(files, "file"),
            count(scripts, "script")
        );
        println!("{}: {found}: {}", dir.display(), diagnostic::summary(&loaded.diagnostics));
    }
    if errors && !common.json {
        eprintln!("{}: {}", dir.display(), diagnostic::summary(&loaded.diagnostics));
    }
    Ok(if errors { Verdict::Problems } else { Verdict::Fine })
}
