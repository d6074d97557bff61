//! An endpoint as it is configured, and all of them by path.

use super::{Fields, SourceConfig, Verifier};
use crate::event::OWN_SOURCE;
use crate::json::Json;
use crate::registry::{self, ConfigError};
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One endpoint.
pub struct Source {
    pub(super) name: String,
    path: String,
    pub(super) preset: &'static str,
    dedupe_within: Duration,
    pub(super) waiting: bool,
    pub(super) fields: &'static Fields,
    pub(super) verifier: Box<dyn Verifier>,
}

impl Source {
    /// Makes a source from its configuration ([`SourceConfig`]). `secrets` are the values of the
    /// configured `secrets`, in their order; `None` is a reference that has no value yet. While
    /// none of them has one, the source waits: [`super::Refused::NoSecret`].
    ///
    /// # Errors
    /// What the configuration has wrong; the name of hookyard's own events; an empty secret.
    pub fn build(name: &str, config: &Json, secrets: &[Option<Secret>]) -> Result<Self, ConfigError> {
        if name == OWN_SOURCE {
            let message = format!("events of the source `{OWN_SOURCE}` are those that hookyard makes itself");
            let help = "a sender could fake them: choose another name";
            return Err(ConfigError::key("", message).with_help(help));
        }
        let config: SourceConfig = registry::parse(config)?;
        config.check()?;
        let kind = config.kind(name)?;
        let set = known_secrets(secrets)?;
        Ok(Self {
            name: name.to_owned(),
            path: config.path_of(name)?,
            preset: kind.name,
            dedupe_within: config.dedupe.within,
            waiting: set.is_empty(),
            fields: kind.build.fields,
            verifier: (kind.build.verifier)(&config, &set)?,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its requests are posted.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of its row in [`super::KINDS`].
    pub fn preset(&self) -> &'static str {
        self.preset
    }

    /// For how long a twin of an event is a duplicate.
    pub fn dedupe_within(&self) -> Duration {
        self.dedupe_within
    }

    /// The headers that sign a body as its sender would; `None` while there is no secret.
    pub fn sign(&self, timestamp: &str, body: &Json) -> Option<Vec<(&'static str, String)>> {
        self.verifier.sign(timestamp, body)
    }

    /// Whether no secret has a value yet.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }
}

fn known_secrets(secrets: &[Option<Secret>]) -> Result<Vec<(usize, Secret)>, ConfigError> {
    let empty = |secret: &Option<Secret>| secret.as_ref().is_some_and(|secret| secret.expose().is_empty());
    if let Some(index) = secrets.iter().position(empty) {
        return Err(ConfigError::at(format!("/secrets/{index}"), "the secret is empty")
            .with_help("give it a value, or leave it unset: the source then waits and answers 503"));
    }
    Ok(secrets.iter().cloned().enumerate().filter_map(|(index, secret)| Some((index, secret?))).collect())
}

/// All endpoints, by path.
#[derive(Default)]
pub struct Sources(BTreeMap<String, Arc<Source>>);

impl Sources {
    /// # Errors
    /// Two sources with one path; the pointer is `/NAME/path` of the second.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self, ConfigError> {
        let mut by_path: BTreeMap<String, Arc<Source>> = BTreeMap::new();
        for source in sources {
            if let Some(first) = by_path.get(source.path()) {
                let message = format!("the path {} is already that of source {}", first.path, first.name);
                return Err(ConfigError::at(format!("{}/path", registry::token(&source.name)), message));
            }
            by_path.insert(source.path.clone(), Arc::new(source));
        }
        Ok(Self(by_path))
    }

    /// The source whose requests are posted to `path`.
    pub fn at(&self, path: &str) -> Option<&Arc<Source>> {
        self.0.get(path)
    }

    /// The source of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Source>> {
        self.iter().find(|source| source.name == name)
    }

    /// In order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.0.values()
    }
}
