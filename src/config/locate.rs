//! Finding the configuration: the nearest `hookyard.yaml`, the `.env` beside it, and what flags
//! and environment variables override.

use crate::diagnostic::Diagnostic;
use crate::secret::Environment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

/// What the file is called.
pub const FILE_NAME: &str = "hookyard.yaml";

/// Where the configuration is, and what overrides it. Kept for reloading.
#[derive(Clone, Debug, Default)]
pub struct Location {
    /// `None`: the built-in configuration.
    pub file: Option<PathBuf>,
    pub overrides: Overrides,
    /// Whether nothing is served by it: a check on another machine does not have the admin token.
    pub offline: bool,
    /// The process's environment, read once at the start.
    pub environment: BTreeMap<String, String>,
}

/// Flags and `HOOKYARD_*` variables.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub listen: Option<String>,
    pub admin_listen: Option<String>,
    pub rules: Option<PathBuf>,
    pub journal: Option<PathBuf>,
}

impl Location {
    /// The given file, else the nearest one from `start` upwards, else the built-in configuration.
    pub fn find(file: Option<PathBuf>, start: &Path) -> Self {
        let nearest = || start.ancestors().map(|dir| dir.join(FILE_NAME)).find(|path| path.is_file());
        let relative = |path: PathBuf| path.strip_prefix(start).map(Path::to_path_buf).unwrap_or(path);
        Self { file: file.or_else(nearest).map(relative), ..Self::default() }
    }

    /// What relative paths in the file are relative to.
    pub fn directory(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// How diagnostics name the file.
    pub fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "built-in configuration".into(), |file| file.display().to_string())
    }

    /// The text of the file; empty for the built-in configuration.
    pub(super) fn read(&self) -> Result<Arc<str>, Vec<Diagnostic>> {
        let Some(file) = &self.file else { return Ok("".into()) };
        let error =
            |error: io::Error| vec![Diagnostic::error(self.name(), format!("cannot be read: {error}"))];
        fs::read_to_string(file).map(Into::into).map_err(error)
    }

    /// The process's environment over `.env`.
    pub(super) fn environment(&self) -> Result<Environment, Vec<Diagnostic>> {
        let mut variables = self.dot_env()?;
        variables.extend(self.environment.clone());
        Ok(Environment { variables, directory: self.directory().to_path_buf(), ..Environment::default() })
    }

    fn dot_env(&self) -> Result<BTreeMap<String, String>, Vec<Diagnostic>> {
        let path = self.directory().join(".env");
        let name = path.display().to_string();
        let wrong = |message: String| vec![Diagnostic::error(name.clone(), message)];
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(wrong(format!("cannot be read: {error}"))),
        };
        // The crate's own message quotes the line, which may hold a secret.
        let lines = dotenvy::from_read_iter(text.as_bytes());
        lines.collect::<Result<_, _>>().map_err(|_| wrong("a line is not of the form NAME=value".into()))
    }
}
