//! `hookyard test [DIR]`: the tests that stand in the rules.

use super::output::{self, OutputError};
use super::{Common, Verdict, setup};
use crate::json::Json;
use crate::rules::expect::{self, TestResult};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The rule directory [default: what the configuration says]
    dir: Option<PathBuf>,
    /// Use the real environment for references; without it they are placeholders
    #[arg(long)]
    env: bool,
}

pub(super) fn run(common: &Common, args: &TestArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let dir = args.dir.as_ref().unwrap_or(&config.rules);
    let (tree, rules) = setup::load(dir, &setup::dry_settings(&config, args.env))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let results = runtime.block_on(expect::run_tests(&tree, &rules));
    if common.json {
        output::json_lines(results.iter().map(to_json))?;
    } else {
        print(&results)?;
    }
    let failed = results.iter().any(|result| result.failure.is_some());
    Ok(if failed { Verdict::Problems } else { Verdict::Fine })
}

fn print(results: &[TestResult]) -> Result<(), OutputError> {
    for TestResult { name, failure, file, line, .. } in results {
        match failure {
            None => output::line(format_args!("ok    {name}"))?,
            Some(why) => output::line(format_args!("FAIL  {name} ({file}:{line})\n{}", indent(why)))?,
        }
    }
    let failed = results.iter().filter(|result| result.failure.is_some()).count();
    output::line(format_args!("{} passed, {failed} failed", results.len() - failed))?;
    if results.is_empty() {
        output::line("no tests: write some under `tests:` in a rules file")?;
    }
    Ok(())
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("      {line}")).collect::<Vec<_>>().join("\n")
}

fn to_json(result: &TestResult) -> Json {
    Json::object([
        ("name", result.name.as_str().into()),
        ("file", (&*result.file).into()),
        ("line", result.line.into()),
        ("ok", result.failure.is_none().into()),
        ("failure", result.failure.clone().into()),
    ])
}
