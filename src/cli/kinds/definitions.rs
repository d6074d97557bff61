//! `hookyard kinds --rhai-definitions DIR`: files by which an editor knows what scripts can call.

use crate::cli::output;
use crate::json::Json;
use crate::script::UserKind;
use crate::script::definitions::{MARK, definitions};
use anyhow::{Context, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Writes all files or, where one of another's stands in the way, none. Prints their paths.
pub(super) fn write(dir: &Path, user: &[UserKind], json: bool) -> anyhow::Result<()> {
    let files = definitions(user);
    let files: Vec<_> = files.iter().map(|(name, text)| (dir.join(name), text)).collect();
    files.iter().try_for_each(|(path, _)| refuse_to_lose(path))?;
    fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    for (path, text) in &files {
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        match json {
            true => output::line(Json::object([("file", Json::from(path.display().to_string()))]))?,
            false => output::line(path.display())?,
        }
    }
    Ok(())
}

/// # Errors
/// A file is there that was not made by this command.
fn refuse_to_lose(path: &Path) -> anyhow::Result<()> {
    match fs::read(path) {
        Ok(bytes) if bytes.starts_with(MARK.as_bytes()) => Ok(()),
        Ok(_) => bail!(
            "{} was not written by this command and is left as it is: name another directory",
            path.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} is in the way", path.display())),
    }
}
