//! `hookyard generations`: the good loads of the rules: list them, compare two, go back to one.

mod compare;
mod restore;

use super::ask::Ask;
use super::{Common, Verdict, events, output, setup};
use crate::config::Config;
use crate::journal::sqlite::SqliteHistory;
use crate::journal::{Generation, GenerationBrief, History};
use crate::operate::generation_json;
use crate::reload;
use crate::rules::Tree;
use anyhow::bail;
use clap::{Args, Subcommand};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Args)]
pub(super) struct GenerationsArgs {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what changed from one to another, file by file
    Diff {
        from: u64,
        /// [default: the rule directory as it is now]
        to: Option<u64>,
    },
    /// Write the files of one into the rule directory; what they replace is kept beside them
    ///
    /// A file that was not in that generation is renamed to NAME~, which is not loaded; so is the
    /// old version of one that is written.
    Use {
        number: u64,
        #[command(flatten)]
        ask: Ask,
    },
}

pub(super) fn run(common: &Common, args: &GenerationsArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let history = SqliteHistory::open_read_only(&config.journal)?;
    match &args.command {
        None => list(common, &config, &runtime.block_on(history.generations())?),
        Some(Command::Diff { from, to }) => {
            let from = generation(&runtime, &history, *from)?.files;
            let to = match to {
                Some(to) => generation(&runtime, &history, *to)?.files,
                None => setup::tree(&config.rules)?,
            };
            compare::show(common, &from, &to)?;
            Ok(Verdict::Fine)
        }
        Some(Command::Use { number, ask }) => {
            let wanted = generation(&runtime, &history, *number)?;
            restore::run(common, &config, &runtime, &wanted, *ask)
        }
    }
}

fn generation(runtime: &Runtime, history: &SqliteHistory, number: u64) -> anyhow::Result<Generation> {
    match runtime.block_on(history.generation(number))? {
        Some(generation) => Ok(generation),
        None => bail!("there is no generation {number}: `hookyard generations` lists those that are kept"),
    }
}

fn list(common: &Common, config: &Config, generations: &[GenerationBrief]) -> anyhow::Result<Verdict> {
    if common.json {
        output::json_lines(generations.iter().map(generation_json))?;
        return Ok(Verdict::Fine);
    }
    // The one directory that people have is not worth a column's words.
    let here = reload::name_of(&config.rules);
    let row = |brief: &GenerationBrief| {
        let directory = if brief.directory == here { "(this one)" } else { brief.directory.as_str() };
        let (number, files) = (brief.number.to_string(), brief.files.to_string());
        vec![number, events::time(brief.loaded_at), files, directory.to_owned()]
    };
    let rows: Vec<_> = generations.iter().map(row).collect();
    output::table(&["NUMBER", "LOADED", "FILES", "DIRECTORY"], &rows)?;
    Ok(Verdict::Fine)
}

/// How a file differs between two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Added,
    Changed,
    Removed,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// The files that differ, in path order.
fn changes<'a>(from: &'a Tree, to: &'a Tree) -> Vec<(&'a str, Change)> {
    let mut paths: Vec<&str> = from.keys().chain(to.keys()).map(String::as_str).collect();
    paths.sort_unstable();
    paths.dedup();
    let change = |path: &str| match (from.get(path), to.get(path)) {
        (None, _) => Some(Change::Added),
        (_, None) => Some(Change::Removed),
        (Some(old), Some(new)) => (old != new).then_some(Change::Changed),
    };
    paths.into_iter().filter_map(|path| Some((path, change(path)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_added_changed_or_removed() {
        let tree = |files: &[(&str, &str)]| -> Tree {
            files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
        };
        let old = tree(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let new = tree(&[("b", "2"), ("c", "1"), ("d", "1")]);
        let found = [("a", Change::Removed), ("b", Change::Changed), ("d", Change::Added)];
        assert_eq!(changes(&old, &new), found);
    }
}
