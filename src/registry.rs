//! Rows of the plug-in tables: one concept for verifiers, operators and actions.

use crate::diagnostic::did_you_mean;
use crate::json::Json;
use serde::de::DeserializeOwned;

/// A row of a registry: what YAML can name. `Build` is the family's own function type.
pub struct Kind<Build: 'static> {
    /// The name in YAML.
    pub name: &'static str,
    /// One sentence for `hookyard kinds` and the reference.
    pub summary: &'static str,
    /// YAML that works as it stands; a test builds it.
    pub example: &'static str,
    /// The parameters it takes. Empty for a kind whose value is not a map of parameters.
    pub schema: &'static [Param<'static>],
    /// Makes one from its configuration.
    pub build: Build,
}

/// One parameter of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Param<'a> {
    pub name: &'a str,
    pub ty: ParamType,
    pub required: bool,
    /// One sentence for the reference.
    pub summary: &'a str,
}

/// What a parameter takes. A template is allowed for each of them and must yield that type;
/// where it is not, the kind's `build` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    String,
    /// A destination: literal through its host, or one `{{ }}` that yields a `vars` value; what
    /// is filled in behind the host is percent-encoded.
    Url,
    /// A relative path of a file: what a template fills in is part of one segment of it.
    Path,
    /// Text in which what a template fills in has `& < >` escaped for Slack.
    SlackText,
    /// HTML in which what a template fills in has `& < > " '` escaped.
    Html,
    Bool,
    Integer,
    Number,
    Duration,
    /// A size in bytes: `100MiB`.
    Bytes,
    List,
    Map,
    Any,
    /// Any structure, its texts escaped as [`ParamType::SlackText`].
    SlackAny,
}

impl ParamType {
    /// The word for it in references.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Url => "url",
            Self::Path => "path",
            Self::SlackText => "text",
            Self::Html => "html",
            Self::Bool => "bool",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Duration => "duration",
            Self::Bytes => "size",
            Self::List => "list",
            Self::Map => "map",
            Self::Any | Self::SlackAny => "any",
        }
    }
}

/// What is wrong with a value of the configuration, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// JSON pointer from the value that was given to `build`.
    pub pointer: String,
    /// Whether the key at the pointer is meant rather than its value.
    pub at_key: bool,
    /// One sentence, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl ConfigError {
    /// An error about the value at `pointer`.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), at_key: false, message: message.into(), help: None }
    }

    /// An error about the key at `pointer`.
    pub fn key(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at_key: true, ..Self::at(pointer, message) }
    }

    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same error seen from the parent: `prefix` is put before the pointer.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

/// A key as a token of a JSON pointer, with its slash: `/a~1b`.
pub fn token(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Reads a configuration value into a type.
///
/// # Errors
/// The first thing that does not fit, with its pointer (serde stops at the first).
pub fn parse<T: DeserializeOwned>(value: &Json) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(value.to_serde()).map_err(|error| {
        let pointer = error.path().iter().map(segment).collect::<String>();
        let message = error.inner().to_string();
        unknown_key(&pointer, &message).unwrap_or_else(|| ConfigError::at(pointer, message))
    })
}

/// serde's sentence about an unknown field, in our words: the key is meant, and one of those that
/// are known is probably what was wanted.
fn unknown_key(pointer: &str, message: &str) -> Option<ConfigError> {
    let (key, known) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let pointer = match pointer.strip_suffix(&token(key)) {
        Some(_) => pointer.to_owned(),
        None => format!("{pointer}{}", token(key)),
    };
    let help = match did_you_mean(key, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    Some(ConfigError::key(pointer, format!("unknown key `{key}`")).with_help(help))
}

fn segment(segment: &serde_path_to_error::Segment) -> String {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => token(key),
        Segment::Enum { variant } => token(variant),
        Segment::Unknown => String::new(),
    }
}
