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
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        literal.push_str(&rest[..at]);
        let (part, length) = dollar(&rest[at..])?;
        rest = &rest[at + length..];
        match part {
            Part::Literal(text) => literal.push_str(&text),
            Part::Reference(_) => {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(part);
            }
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// What stands at the beginning of `text`, which is a `$`, and how many bytes of it that takes.
///
/// # Errors
/// As [`split`].
pub(crate) fn dollar(text: &str) -> Result<(Part, usize), ReferenceError> {
    if text.starts_with("$$") {
        return Ok((Part::Literal("$".to_owned()), 2));
    }
    let Some(inner) = text.strip_prefix("${") else {
        return Ok((Part::Literal("$".to_owned()), 1));
    };
    let end = inner.find('}').ok_or(ReferenceError::Unclosed)?;
    Ok((Part::Reference(reference(&inner[..end])?), end + 3))
}

fn reference(inner: &str) -> Result<Reference, ReferenceError> {
    let bad = || ReferenceError::BadName(inner.to_owned());
    if let Some(path) = inner.strip_prefix("file:") {
        let path = path.trim();
        return if path.is_empty() { Err(bad()) } else { Ok(Reference::File { path: path.to_owned() }) };
    }
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (inner, None),
    };
    let well_formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins_well = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if well_formed && begins_well {
        Ok(Reference::Env { name: name.to_owned(), default })
    } else {
        Err(bad())
    }
}

/// The text of `parts` as it is shown: a reference is its name.
pub fn shown(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => text.clone(),
            Part::Reference(reference) => reference.to_string(),
        })
        .collect()
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

    /// Whether there would be a value; asked when rules are loaded.
    ///
    /// # Errors
    /// [`Unresolved`] when there is none.
    fn check(&self, reference: &Reference) -> Result<(), Unresolved> {
        self.resolve(reference).map(drop)
    }

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
    /// A set but empty variable is a value, except that `:-` replaces it too, as in a shell. Files
    /// are read each time, so that a rotated one counts at once; one newline at the end is dropped.
    fn resolve(&self, reference: &Reference) -> Result<Secret, Unresolved> {
        match reference {
            Reference::Env { name, default } => self.variable(name, default.as_deref()),
            Reference::File { path } => self.file(path),
        }
    }
}

impl Environment {
    fn variable(&self, name: &str, default: Option<&str>) -> Result<Secret, Unresolved> {
        if self.reserved.contains(name) {
            return Err(Unresolved::Reserved(name.to_owned()));
        }
        let value = self.variables.get(name).map(String::as_str);
        let value = if default.is_some() { value.filter(|value| !value.is_empty()) } else { value };
        value.or(default).map(Secret::new).ok_or_else(|| Unresolved::Unset(name.to_owned()))
    }

    fn file(&self, path: &str) -> Result<Secret, Unresolved> {
        let mut text = std::fs::read_to_string(self.directory.join(path))
            .map_err(|error| Unresolved::File { path: path.to_owned(), error: error.to_string() })?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(Secret::new(text))
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

/// Placeholders for a dry run that tells, all the same, what is not set.
#[derive(Clone, Debug)]
pub struct DryRun(pub Environment);

impl Resolve for DryRun {
    fn resolve(&self, reference: &Reference) -> Result<Secret, Unresolved> {
        Placeholders.resolve(reference)
    }

    fn check(&self, reference: &Reference) -> Result<(), Unresolved> {
        self.0.check(reference)
    }

    fn placeholders(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str, default: Option<&str>) -> Reference {
        Reference::Env { name: name.to_owned(), default: default.map(str::to_owned) }
    }

    #[test]
    fn a_text_splits_into_literals_and_references() {
        let literal = |text: &str| Part::Literal(text.to_owned());
        let cases = [
            ("plain $5 $", vec![literal("plain $5 $")]),
            ("", vec![]),
            ("${A}", vec![Part::Reference(env("A", None))]),
            ("x${A}$${B}", vec![literal("x"), Part::Reference(env("A", None)), literal("${B}")]),
            ("${A_1:-b c}", vec![Part::Reference(env("A_1", Some("b c")))]),
            ("${file:a/b}", vec![Part::Reference(Reference::File { path: "a/b".to_owned() })]),
        ];
        for (text, parts) in cases {
            assert_eq!(split(text), Ok(parts), "{text}");
        }
    }

    #[test]
    fn a_malformed_reference_is_an_error() {
        assert_eq!(split("a ${B"), Err(ReferenceError::Unclosed));
        for inner in ["", "1A", "A B", "a-b", "file:", "{ x "] {
            let text = format!("${{{inner}}}");
            assert_eq!(split(&text), Err(ReferenceError::BadName(inner.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_reference_is_shown_as_it_is_written() {
        for text in ["${A}", "a ${A:-b} c", "${file:x}"] {
            assert_eq!(shown(&split(text).unwrap()), text);
        }
        assert_eq!(format!("{:?}", Secret::new("s3cret")), "[secret]");
    }

    #[test]
    fn a_variable_resolves_unless_it_is_unset_or_reserved() {
        let variables = [("A", "1"), ("EMPTY", ""), ("KEY", "k")];
        let environment = Environment {
            variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            reserved: ["KEY".to_owned()].into(),
            directory: PathBuf::new(),
        };
        let resolve = |reference| environment.resolve(&reference).map(|secret| secret.expose().to_owned());
        assert_eq!(resolve(env("A", Some("2"))), Ok("1".to_owned()));
        assert_eq!(resolve(env("EMPTY", None)), Ok(String::new()));
        assert_eq!(resolve(env("EMPTY", Some("2"))), Ok("2".to_owned()));
        assert_eq!(resolve(env("B", None)), Err(Unresolved::Unset("B".to_owned())));
        assert_eq!(resolve(env("KEY", Some("x"))), Err(Unresolved::Reserved("KEY".to_owned())));
    }

    #[test]
    fn a_file_is_read_at_each_resolve_without_its_last_newline() {
        let directory = tempfile::tempdir().unwrap();
        let environment = Environment { directory: directory.path().to_owned(), ..Environment::default() };
        let reference = Reference::File { path: "token".to_owned() };
        assert!(matches!(environment.resolve(&reference), Err(Unresolved::File { .. })));
        for (content, value) in [("one\n", "one"), ("two\r\n", "two"), ("three\n\n", "three\n")] {
            std::fs::write(directory.path().join("token"), content).unwrap();
            assert_eq!(environment.resolve(&reference).unwrap().expose(), value);
        }
    }
}
