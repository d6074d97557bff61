//! The configuration of a source, as it stands in `hookyard.yaml` under `sources: NAME:`.

use super::{Form, KINDS, SourceKind, Tolerance};
use crate::registry::ConfigError;
use serde::{Deserialize, Deserializer, de};
use std::time::Duration;

const DEDUPE_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Paths that answer for the server itself.
const RESERVED_PATHS: &[&str] = &["/healthz", "/readyz"];

/// How one endpoint is set up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Where requests are posted; `/hooks/NAME` if absent.
    pub path: Option<String>,
    /// A row of [`KINDS`]; the source's own name if absent.
    pub preset: Option<String>,
    /// Several are a rotation; `null` is one whose reference has no value yet. Their values reach [`super::Source::build`] on their own.
    #[serde(default)]
    pub secrets: Vec<Option<String>>,
    /// How far a request's timestamp may be from now.
    #[serde(default)]
    pub tolerance: Tolerance,
    #[serde(default)]
    pub dedupe: Dedupe,
    /// What of the body may have been signed, tried in this order.
    #[serde(default = "default_forms")]
    pub forms: Vec<Form>,
}

/// When a request is the twin of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dedupe {
    pub by: DedupeBy,
    /// For how long an event is remembered.
    #[serde(deserialize_with = "duration")]
    pub within: Duration,
}

/// What twins have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DedupeBy {
    /// The canonical body.
    Body,
}

impl Default for Dedupe {
    fn default() -> Self {
        Self { by: DedupeBy::Body, within: DEDUPE_WITHIN }
    }
}

fn default_forms() -> Vec<Form> {
    vec![Form::Python, Form::Utf8]
}

impl SourceConfig {
    /// Checks what the types leave open.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.forms.is_empty() {
            return Err(ConfigError::at("/forms", "no form is given, so nothing could ever be verified")
                .with_help("write `forms: [python, utf8]`, or leave the key out"));
        }
        Ok(())
    }

    /// The row that `preset`, or the source's name, names.
    pub(super) fn kind(&self, name: &str) -> Result<&'static SourceKind, ConfigError> {
        let wanted = self.preset.as_deref().unwrap_or(name);
        KINDS.iter().find(|kind| kind.name == wanted).ok_or_else(|| {
            let known: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            let help = format!("presets: {}", known.join(", "));
            match &self.preset {
                Some(preset) => ConfigError::at("/preset", format!("unknown preset `{preset}`")),
                None => ConfigError::at("", format!("source `{name}` names no preset")),
            }
            .with_help(help)
        })
    }

    /// The path, checked.
    pub(super) fn path_of(&self, name: &str) -> Result<String, ConfigError> {
        let path = self.path.clone().unwrap_or_else(|| format!("/hooks/{name}"));
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        if !path.starts_with('/') || !path.bytes().all(plain) {
            let message = format!("the path `{path}` cannot be that of a request");
            return Err(ConfigError::at("/path", message)
                .with_help("a path begins with `/` and has no space, `?` or `#`; encode other characters"));
        }
        if RESERVED_PATHS.contains(&path.as_str()) {
            return Err(ConfigError::at("/path", format!("{path} answers for the server itself"))
                .with_help(format!("write `path: /hooks/{name}`")));
        }
        Ok(path)
    }
}

/// Reads `5m`, `1h 30m`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text)
}

pub(super) fn parse_duration<E: de::Error>(text: &str) -> Result<Duration, E> {
    crate::duration::parse(text).map_err(|error| {
        E::custom(format_args!("`{text}` is no duration ({error}); write one like 5m or 24h"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::source::{Source, Sources};

    fn build(config: &str, secrets: &[Option<&str>]) -> Result<Source, ConfigError> {
        let config = crate::json::parse(config.as_bytes()).expect(config);
        let secrets: Vec<_> = secrets.iter().map(|secret| secret.map(Secret::new)).collect();
        Source::build("browser-use", &config, &secrets)
    }

    fn error(config: &str) -> (String, String) {
        let error = build(config, &[]).err().expect(config);
        (error.pointer, error.message)
    }

    #[test]
    fn every_kind_builds_its_example() {
        for kind in KINDS {
            let example: serde_json::Value = serde_yaml::from_str(kind.example).expect(kind.example);
            let example = crate::json::parse(example.to_string().as_bytes()).expect("JSON from serde_json");
            let source = Source::build("mine", &example, &[Some(Secret::new("sesame"))]);
            assert_eq!(source.expect(kind.example).preset(), kind.name);
        }
    }

    #[test]
    fn path_preset_and_window_have_defaults() {
        let source = build("{}", &[Some("s")]).unwrap();
        assert_eq!((source.path(), source.preset()), ("/hooks/browser-use", "browser-use"));
        assert_eq!(source.dedupe_within(), Duration::from_secs(24 * 60 * 60));
        assert!(!source.is_waiting());
    }

    #[test]
    fn an_unset_secret_leaves_the_source_waiting_and_an_empty_one_is_an_error() {
        assert!(build("{}", &[]).unwrap().is_waiting());
        assert!(build("{}", &[None]).unwrap().is_waiting());
        assert!(!build("{}", &[None, Some("s")]).unwrap().is_waiting());
        assert_eq!(build("{}", &[Some("s"), Some("")]).err().unwrap().pointer, "/secrets/1");
    }

    #[test]
    fn what_is_wrong_in_the_configuration_is_named() {
        let sentence = |text: &str| error(text).1;
        assert!(sentence(r#"{"pth":"/x"}"#).contains("unknown key `pth`"));
        assert_eq!(error(r#"{"preset":"browseruse"}"#).0, "/preset");
        assert_eq!(error(r#"{"tolerance":300}"#).0, "/tolerance");
        assert_eq!(error(r#"{"tolerance":{"past":"5 parsecs"}}"#).0, "/tolerance/past");
        assert_eq!(error(r#"{"dedupe":{"by":"id"}}"#).0, "/dedupe/by");
        assert_eq!(error(r#"{"forms":[]}"#).0, "/forms");
        assert_eq!(error(r#"{"forms":["python","rwa"]}"#).0, "/forms/1");
        for path in ["hooks", "/a b", "/a?b", "/healthz", "/readyz"] {
            assert_eq!(error(&format!(r#"{{"path":"{path}"}}"#)).0, "/path", "{path}");
        }
    }

    #[test]
    fn no_sender_speaks_in_the_name_of_hookyard() {
        let config = crate::json::parse(br#"{"preset":"browser-use"}"#).unwrap();
        let error = Source::build("hookyard", &config, &[]).err().expect("it is refused");
        assert!(error.message.contains("those that hookyard makes itself"), "{error:?}");
        assert!(Source::build("hookyard2", &config, &[]).is_ok());
    }

    #[test]
    fn a_path_belongs_to_one_source() {
        let twins = || ["a", "b"].map(|name| named(name, r#"{"preset":"browser-use","path":"/x"}"#));
        let error = Sources::new(twins()).err().expect("two sources at /x");
        assert_eq!(error.pointer, "/b/path");
        let [one, _] = twins();
        let sources = Sources::new([one]).unwrap();
        assert_eq!(sources.at("/x").map(|source| source.name()), Some("a"));
        assert!(sources.at("/x/").is_none() && sources.named("a").is_some());
    }

    fn named(name: &str, config: &str) -> Source {
        Source::build(name, &crate::json::parse(config.as_bytes()).unwrap(), &[]).unwrap()
    }
}
