//! Where a value stands in a document, for programs and for people.

use crate::json::Json;
use crate::registry::token;
use std::fmt;

/// Keys and indexes from the document down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    /// As a JSON pointer (RFC 6901): `/payload/items/2/name`.
    pub fn pointer(&self) -> String {
        let tokens = self.0.iter().map(|step| match step {
            Step::Key(key) => token(key),
            Step::Index(index) => format!("/{index}"),
        });
        tokens.collect()
    }

    pub(in crate::pattern) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// The path without its last step; `None` for the document.
    pub(super) fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, rest)| Self(rest.to_vec()))
    }

    /// The last key, if the path ends with one.
    pub(super) fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            Step::Key(key) => Some(key),
            Step::Index(_) => None,
        }
    }
}

impl Step {
    pub(super) fn of<'a>(&self, value: &'a Json) -> Option<&'a Json> {
        match self {
            Self::Key(key) => value.get(key),
            Self::Index(index) => value.as_array()?.get(*index),
        }
    }
}

/// As people write it: `payload.items[2].name`, `headers["user-agent"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if is_name(key) => write!(f, "{}{key}", if at > 0 { "." } else { "" })?,
                Step::Key(key) => write!(f, "[{}]", Json::from(key.as_str()))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_name(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_')
}
