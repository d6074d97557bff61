//! References (`${NAME}`, `${NAME:-default}`, `${file:…}`) and the secrets they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// A text that is never shown: `Debug` prints `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Every call is a place where it can leak.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a `${…}` names. `Display` is the text as written, which is how a secret is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    Env { name: String, default: Option<String> },
    File { path: String },
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { name, default: None } => write!(f, "${{{name}}}"),
            Self::Env { name, default: Some(default) } => write!(f, "${{{name}:-{default}}}"),
            Self::File { path } => write!(f, "${{file:{path}}}"),
        }
    }
}

/// A piece of a configured text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Literal(String),
    Reference(Reference),
}

/// A text whose `${` or `$` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("`${{` without its `}}`")]
    Unclosed,
    #[error("`${{{0}}}` names nothing: a name is letters, digits and `_`, or `file:` and a path")]
    BadName(String),
}

/// Splits a configured text into literal pieces and references; `$$` is a dollar, a `$` before
/// anything but `{` or `$` stands for itself.
///
/// # Errors
/// A `${` that is not closed or names nothing.
pub fn split(text: &str) -> Result<Vec<Part>, ReferenceError> {
    let _ = text;
    todo!("act")
}

/// Why a reference has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    #[error("the environment variable {0} is not set")]
    Unset(String),
    #[error("{0} is used in hookyard.yaml and cannot be read from rules")]
    Reserved(String),
    #[error("{path} cannot be read: {error}")]
    File { path: String, error: String },
}

/// Where references find their values.
pub trait Resolve: Send + Sync {
    /// # Errors
    /// [`Unresolved`] when there is no value.
    fn resolve(&self, reference: &Reference) -> Result<Secret, Unresolved>;

    /// Whether values are placeholders (in `check`, `test`, `route`, `explain`), so that an
    /// unresolved reference is a warning and not an error.
    fn placeholders(&self) -> bool {
        false
    }
}

/// The process's environment over `.env`, and files relative to the configuration's directory.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Names and values, the process's own winning over `.env`.
    pub variables: BTreeMap<String, String>,
    /// Names that rules may not read (those used in `hookyard.yaml`).
    pub reserved: BTreeSet<String>,
    /// What `${file:…}` is relative to.
    pub directory: PathBuf,
}

impl Resolve for Environment {
    fn resolve(&self, reference: &Reference) -> Result<Secret, Unresolved> {
        let _ = reference;
        todo!("act")
    }
}

/// Stands in for every value with its own name: dry runs need no secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placeholders;

impl Resolve for Placeholders {
    fn resolve(&self, reference: &Reference) -> Result<Secret, Unresolved> {
        Ok(Secret::new(reference.to_string()))
    }

    fn placeholders(&self) -> bool {
        true
    }
}
