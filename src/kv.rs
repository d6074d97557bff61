//! State between events: values by key in namespaces, read by runs and changed together with their outcome.
//!
//! A run is optimistic: it notes what it read, and the journal keeps its outcome only if all of
//! that still stands. Values are compared, not versions: what reads the same now as it did then
//! would have led to the same run now.

use crate::json::Json;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// What one key, value or namespace may take. Each is named with its config key when it is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Bytes of a value, as JSON.
    pub value_bytes: usize,
    /// Bytes of all keys and values of a namespace.
    pub namespace_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { key_bytes: 512, value_bytes: 64 << 10, namespace_bytes: 64 << 20 }
    }
}

/// A value as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// JSON text.
    pub json: String,
    /// From then on it is absent.
    pub expires: Option<Timestamp>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: Value,
}

/// Until when a written value is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Never,
    /// So long from the commit.
    After(Duration),
    /// When the value that it replaces would have ended.
    At(Timestamp),
}

impl Expiry {
    /// The end of a value that is committed at `now`.
    pub fn from(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::After(wait) => Some(now.checked_add(wait).unwrap_or(Timestamp::MAX)),
            Self::At(end) => Some(end),
        }
    }
}

/// Something that a run found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The JSON text of a key; `None`: it was absent.
    Key(String, Option<String>),
    /// All keys with a prefix, in their order.
    Prefix(String, Vec<String>),
}

/// Something that a run wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    Set { json: String, expiry: Expiry },
    Delete,
}

/// What a run read and wrote of its namespace: committed with its outcome, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub namespace: String,
    pub reads: Vec<Read>,
    pub writes: BTreeMap<String, Write>,
}

impl Changes {
    /// Whether there is nothing in it that a commit depends on or changes.
    pub fn is_empty(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty()
    }
}

/// How much a namespace holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub namespace: String,
    pub keys: u64,
    /// Of keys and values.
    pub bytes: u64,
}

/// The state cannot be read now; a later attempt may find it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state cannot be read: {0}")]
pub struct Unreadable(pub String);

/// Committed state, as a run reads it. Values that have expired are absent.
#[async_trait]
pub trait Store: Send + Sync {
    async fn get(&self, namespace: &str, key: &str) -> Result<Option<Value>, Unreadable>;

    /// The keys with a prefix in their order, at most `limit` of them.
    async fn list(&self, namespace: &str, prefix: &str, limit: usize) -> Result<Vec<String>, Unreadable>;

    /// Bytes of all keys and values.
    async fn bytes(&self, namespace: &str) -> Result<u64, Unreadable>;
}

/// State that is nowhere kept: for dry runs. Nothing in it ever expires.
#[derive(Clone, Debug, Default)]
pub struct Memory(BTreeMap<(String, String), Json>);

impl Memory {
    pub fn with(mut self, namespace: &str, key: &str, value: Json) -> Self {
        self.0.insert((namespace.to_owned(), key.to_owned()), value);
        self
    }

    fn entries(&self, namespace: &str, prefix: &str) -> impl Iterator<Item = Entry> {
        let found = self.0.iter().filter(move |((own, key), _)| own == namespace && key.starts_with(prefix));
        found.map(|((_, key), value)| Entry {
            key: key.clone(),
            value: Value { json: value.to_string(), expires: None },
        })
    }
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, namespace: &str, key: &str) -> Result<Option<Value>, Unreadable> {
        Ok(self.entries(namespace, key).find(|entry| entry.key == key).map(|entry| entry.value))
    }

    async fn list(&self, namespace: &str, prefix: &str, limit: usize) -> Result<Vec<String>, Unreadable> {
        Ok(self.entries(namespace, prefix).map(|entry| entry.key).take(limit).collect())
    }

    async fn bytes(&self, namespace: &str) -> Result<u64, Unreadable> {
        let bytes = |entry: Entry| (entry.key.len() + entry.value.json.len()) as u64;
        Ok(self.entries(namespace, "").map(bytes).sum())
    }
}
