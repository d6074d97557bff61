//! Going back to a generation: its files are written into the rule directory.

use super::{Change, changes};
use crate::cli::ask::Ask;
use crate::cli::{Common, Verdict, output, server, setup};
use crate::config::Config;
use crate::journal::Generation;
use crate::json::Json;
use anyhow::{Context as _, bail};
use http::Method;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use tokio::runtime::Runtime;

/// No file has more old versions beside it.
const MOST_KEPT: u32 = 1000;

/// Shows what would change, asks, does it, and has a running server reload.
pub(super) fn run(
    common: &Common,
    config: &Config,
    runtime: &Runtime,
    wanted: &Generation,
    ask: Ask,
) -> anyhow::Result<Verdict> {
    let now = setup::tree(&config.rules)?;
    let changes = changes(&now, &wanted.files);
    if let Some((path, _)) = changes.iter().find(|(path, _)| !stays_below(path)) {
        bail!("generation {} has a file {path}, which is not below the rule directory", wanted.number);
    }
    let number = wanted.number;
    if changes.is_empty() {
        output::line(format_args!("{} is generation {number} already", config.rules.display()))?;
        return Ok(Verdict::Fine);
    }
    if !common.json {
        for (path, change) in &changes {
            output::line(format_args!("{:7}  {path}", change.word()))?;
        }
    }
    let files = changes.len();
    let what =
        format!("{files} of the files in {} would be as in generation {number}", config.rules.display());
    if let Err(verdict) = ask.confirm(&what) {
        return Ok(verdict);
    }
    for (path, change) in &changes {
        let kept = keep(&config.rules.join(path), *change)?;
        if let Some(content) = wanted.files.get(*path) {
            write(&config.rules.join(path), content)?;
        }
        if common.json {
            let kept = kept.map(|kept| kept.display().to_string());
            let record =
                [("path", Json::from(*path)), ("change", change.word().into()), ("kept", kept.into())];
            output::line(Json::object(record))?;
        }
    }
    reload(common, config, runtime)
}

/// What a journal says is data: it must not lead out of the directory.
fn stays_below(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Keeps what is there under another name, which the loader passes over.
fn keep(file: &Path, change: Change) -> anyhow::Result<Option<PathBuf>> {
    if change == Change::Added {
        return Ok(None);
    }
    for number in 1..=MOST_KEPT {
        let suffix = if number == 1 { "~".to_owned() } else { format!(".{number}~") };
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        // A link, unlike a rename, takes no name that another file has.
        match fs::hard_link(file, &name) {
            Ok(()) => {
                if change == Change::Removed {
                    fs::remove_file(file).with_context(|| file.display().to_string())?;
                }
                return Ok(Some(name.into()));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("{} cannot be kept", file.display())),
        }
    }
    bail!("{} has {MOST_KEPT} old versions beside it: remove some", file.display())
}

/// Under a name that the loader passes over first, then in one step.
fn write(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let directory = file.parent().context("a file has a directory")?;
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new~");
    let written = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, file));
    written.with_context(|| format!("{} cannot be written", file.display()))
}

/// The verdict of a running server; without one, the next start serves what is there.
fn reload(common: &Common, config: &Config, runtime: &Runtime) -> anyhow::Result<Verdict> {
    let Some(answer) = runtime.block_on(server::call(config, Method::POST, "/api/reload", None))? else {
        return Ok(Verdict::Fine);
    };
    let summary = answer.body.get("summary").and_then(Json::as_str).map(output::printable);
    let summary = summary.unwrap_or_else(|| answer.message());
    if common.json {
        output::line(&answer.body)?;
    } else {
        output::line(summary)?;
    }
    Ok(if answer.status.is_success() { Verdict::Fine } else { Verdict::Problems })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_journal_does_not_lead_out() {
        assert!(["a.yaml", "teams/a.yaml", "a b/ü.rhai"].into_iter().all(stays_below));
        assert!(!["", "../a", "/etc/x", "a/../../b", "./a/.."].into_iter().any(stays_below));
    }

    #[test]
    fn what_is_replaced_is_kept_under_the_next_free_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        for (version, kept) in [("1", "a.yaml~"), ("2", "a.yaml.2~"), ("3", "a.yaml.3~")] {
            write(&file, version.as_bytes()).unwrap();
            assert_eq!(keep(&file, Change::Changed).unwrap(), Some(dir.path().join(kept)));
            assert_eq!(fs::read_to_string(dir.path().join(kept)).unwrap(), version);
        }
        keep(&file, Change::Removed).unwrap();
        assert!(!file.exists());
        assert_eq!(keep(&file, Change::Added).unwrap(), None);
    }
}
