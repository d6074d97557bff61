//! `hookyard.yaml`: where to listen, what to receive, what to keep, what is allowed.
//!
//! Read with places, references resolved, then by type; everything that is wrong is reported with
//! its line. Without a file the built-in configuration is used, which is the same as an empty one.

mod locate;
mod references;
mod units;

use crate::action::{Egress, Programs};
use crate::diagnostic::Diagnostic;
use crate::json::{Json, Object};
use crate::kv;
use crate::registry::{self, ConfigError};
use crate::script;
use crate::secret::{Environment, Secret};
use crate::source::{Source, Sources};
use crate::yaml::Node;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use locate::{FILE_NAME, Location, Overrides};

/// What the sources are when none are configured.
const DEFAULT_SOURCES: &str =
    r#"sources: {browser-use: {preset: browser-use, secrets: ["${BROWSER_USE_SECRET}"]}}"#;

/// The smallest `keep.size`: below it a journal would be full before its first event.
const LEAST_KEPT_BYTES: u64 = 1 << 20;

/// Everything configured, references resolved, paths absolute or relative to the working directory.
#[derive(Clone)]
pub struct Config {
    /// The file it was read from; `None` for the built-in one.
    pub file: Option<PathBuf>,
    pub listen: String,
    pub admin: Admin,
    /// The rule directory.
    pub rules: PathBuf,
    /// The journal's database file.
    pub journal: PathBuf,
    /// Where the `file` action may write.
    pub files: PathBuf,
    pub keep: Keep,
    pub sources: Arc<Sources>,
    pub egress: Egress,
    /// The programs that rules may run.
    pub exec: Programs,
    pub limits: Limits,
    /// For the references in rules; what this file uses is reserved.
    pub environment: Environment,
    /// Files that references read (`${file:…}`), to be watched.
    pub referenced_files: Vec<PathBuf>,
    /// Equal for configurations that say the same.
    pub fingerprint: [u8; 32],
}

/// The admin listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    pub listen: String,
    /// Required off loopback.
    #[serde(deserialize_with = "units::secret")]
    pub token: Option<Secret>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8081".into(), token: None }
    }
}

/// How long events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    #[serde(rename = "for", deserialize_with = "units::duration")]
    pub age: Duration,
    #[serde(rename = "size", deserialize_with = "units::bytes")]
    pub size_bytes: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 24 * 3600), size_bytes: 10 << 30 }
    }
}

/// What a stranger, a backlog or a script may use up.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request's body.
    #[serde(rename = "body", deserialize_with = "units::bytes")]
    pub body_bytes: u64,
    #[serde(deserialize_with = "units::count")]
    pub connections: usize,
    /// Connections of one client address.
    #[serde(deserialize_with = "units::count")]
    pub per_address: usize,
    #[serde(deserialize_with = "units::duration")]
    pub header_timeout: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub body_timeout: Duration,
    #[serde(deserialize_with = "units::duration")]
    pub idle_timeout: Duration,
    /// Attempts under way at once.
    #[serde(deserialize_with = "units::count")]
    pub concurrency: usize,
    /// Attempts under way at once of one (rule, action) whose rule does not say.
    #[serde(deserialize_with = "units::optional_count")]
    pub lane_concurrency: Option<usize>,
    /// The older spelling of `script.time`.
    #[serde(deserialize_with = "units::optional_duration")]
    pub script_time: Option<Duration>,
    pub script: ScriptLimits,
    pub kv: KvLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            connections: 10_000,
            per_address: 1_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            concurrency: 64,
            lane_concurrency: None,
            script_time: None,
            script: ScriptLimits::default(),
            kv: KvLimits::default(),
        }
    }
}

impl Limits {
    /// What a script run may use.
    pub fn script(&self) -> script::Limits {
        let limits = &self.script;
        script::Limits {
            steps: limits.steps,
            time: self.script_time.unwrap_or(limits.time),
            depth: limits.depth,
            size: usize::try_from(limits.size_bytes).unwrap_or(usize::MAX),
            effects: limits.effects,
            kv: kv::Limits {
                key_bytes: usize::try_from(self.kv.key_bytes).unwrap_or(usize::MAX),
                value_bytes: usize::try_from(self.kv.value_bytes).unwrap_or(usize::MAX),
                namespace_bytes: self.kv.namespace_bytes,
            },
        }
    }
}

/// `limits.kv`: what scripts may keep.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KvLimits {
    #[serde(rename = "key", deserialize_with = "units::bytes")]
    pub key_bytes: u64,
    #[serde(rename = "value", deserialize_with = "units::bytes")]
    pub value_bytes: u64,
    #[serde(rename = "namespace", deserialize_with = "units::bytes")]
    pub namespace_bytes: u64,
}

impl Default for KvLimits {
    fn default() -> Self {
        let limits = kv::Limits::default();
        Self {
            key_bytes: limits.key_bytes as u64,
            value_bytes: limits.value_bytes as u64,
            namespace_bytes: limits.namespace_bytes,
        }
    }
}

/// `limits.script`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptLimits {
    #[serde(deserialize_with = "units::number")]
    pub steps: u64,
    #[serde(deserialize_with = "units::duration")]
    pub time: Duration,
    #[serde(deserialize_with = "units::count")]
    pub depth: usize,
    #[serde(rename = "size", deserialize_with = "units::bytes")]
    pub size_bytes: u64,
    #[serde(deserialize_with = "units::count")]
    pub effects: usize,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        let limits = script::Limits::default();
        Self {
            steps: limits.steps,
            time: limits.time,
            depth: limits.depth,
            size_bytes: limits.size as u64,
            effects: limits.effects,
        }
    }
}

/// The file as serde sees it. Sources are built by their own module.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    listen: String,
    admin: Admin,
    rules: String,
    journal: String,
    files: String,
    keep: Keep,
    #[serde(rename = "sources")]
    _sources: BTreeMap<String, serde::de::IgnoredAny>,
    egress: Egress,
    exec: Programs,
    limits: Limits,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            admin: Admin::default(),
            rules: "rules/".into(),
            journal: "sqlite:data/hookyard.db".into(),
            files: "data/files/".into(),
            keep: Keep::default(),
            _sources: BTreeMap::new(),
            egress: Egress::default(),
            exec: Programs::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Reads the configuration at a location.
    ///
    /// # Errors
    /// Everything that is wrong with the file, `.env` or the overrides.
    pub fn load(location: &Location) -> Result<Self, Vec<Diagnostic>> {
        let text = location.read()?;
        let name: Arc<str> = location.name().into();
        let node = parse(&name, &text)?;
        let mut environment = location.environment()?;
        let mut resolved = references::resolve(&node, &environment, location.offline);
        if resolved.value.is_null() {
            // An empty file says what no file says.
            resolved.value = Json::Object(Object::new());
        }
        if resolved.value.as_object().is_none() {
            let kind = resolved.value.kind();
            let message = format!("the configuration is a map of keys such as `listen`, not a {kind}");
            return Err(vec![place(ConfigError::at("", message), &node, &name, &text)]);
        }
        let mut errors = resolved.errors;
        environment.reserved = resolved.names;
        let raw = registry::parse::<Raw>(&resolved.value).unwrap_or_else(|error| {
            errors.push(error);
            Raw::default()
        });
        let sources = match resolved.value.get("sources").and_then(Json::as_object) {
            Some(configured) => sources(configured, &mut errors),
            None => default_sources(&mut environment, &mut errors),
        };
        let journal = raw.journal.strip_prefix("sqlite:").unwrap_or_else(|| {
            let help = "write `sqlite:` and the path of the database, such as sqlite:data/hookyard.db";
            errors.push(ConfigError::at("/journal", "this journal is of no known kind").with_help(help));
            ""
        });
        check(&raw, &mut errors);
        if !errors.is_empty() {
            return Err(errors.into_iter().map(|error| place(error, &node, &name, &text)).collect());
        }
        let overrides = &location.overrides;
        let below = |path: &str| location.directory().join(path);
        Ok(Self {
            file: location.file.clone(),
            listen: overrides.listen.clone().unwrap_or(raw.listen),
            admin: Admin {
                listen: overrides.admin_listen.clone().unwrap_or(raw.admin.listen),
                token: raw.admin.token,
            },
            rules: overrides.rules.clone().unwrap_or_else(|| below(&raw.rules)),
            journal: overrides.journal.clone().unwrap_or_else(|| below(journal)),
            files: below(&raw.files),
            keep: raw.keep,
            sources: Arc::new(sources),
            egress: raw.egress,
            exec: raw.exec,
            limits: raw.limits,
            referenced_files: resolved.files.iter().map(|file| below(file)).collect(),
            fingerprint: fingerprint(&resolved.value, &environment),
            environment,
        })
    }

    /// Keys whose change needs a restart, of which `new` differs.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        let mut compare = |key, same: bool| {
            if !same {
                keys.push(key);
            }
        };
        compare("listen", self.listen == new.listen);
        compare("admin.listen", self.admin.listen == new.admin.listen);
        compare("journal", self.journal == new.journal);
        compare("files", self.files == new.files);
        keys
    }
}

/// Parses the file: the event parser gives values and places, serde_yaml is the second judge of
/// the syntax, so that no file means one thing here and another to the rest of the world.
fn parse(name: &Arc<str>, text: &Arc<str>) -> Result<Node, Vec<Diagnostic>> {
    let node = crate::yaml::parse(name, text)?;
    serde_yaml::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| vec![Diagnostic::error(Arc::clone(name), error.to_string())])?;
    Ok(node)
}

fn place(error: ConfigError, node: &Node, name: &Arc<str>, text: &Arc<str>) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(Arc::clone(name), error.message.clone());
    if !text.is_empty() {
        diagnostic = diagnostic.with_span(node.locate(&error.pointer, error.at_key), text);
    }
    match error.help {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}

/// What is received when nothing is configured. Its secret is no more readable from rules than one
/// that is.
fn default_sources(environment: &mut Environment, errors: &mut Vec<ConfigError>) -> Sources {
    let text: Arc<str> = DEFAULT_SOURCES.into();
    let node = crate::yaml::parse(&"built-in".into(), &text).expect("the built-in sources are YAML");
    let resolved = references::resolve(&node, environment, false);
    environment.reserved.extend(resolved.names);
    let configured = resolved.value.get("sources").and_then(Json::as_object);
    sources(configured.expect("the built-in sources are a map"), errors)
}

fn sources(configured: &Object, errors: &mut Vec<ConfigError>) -> Sources {
    let mut sources = Vec::new();
    for (name, config) in configured.iter() {
        match Source::build(name, config, &secrets(config)) {
            Ok(source) => sources.push(source),
            Err(error) => errors.push(error.below(&format!("/sources{}", registry::token(name)))),
        }
    }
    Sources::new(sources).unwrap_or_else(|error| {
        errors.push(error.below("/sources"));
        Sources::default()
    })
}

/// The values of a source's `secrets`; `None` for a reference that is not set yet. What is no
/// text is left for the source itself to refuse.
fn secrets(config: &Json) -> Vec<Option<Secret>> {
    let configured = config.get("secrets").and_then(Json::as_array).unwrap_or_default();
    configured.iter().map(|secret| secret.as_str().map(Secret::new)).collect()
}

fn check(raw: &Raw, errors: &mut Vec<ConfigError>) {
    for (pointer, listen) in [("/listen", &raw.listen), ("/admin/listen", &raw.admin.listen)] {
        if listen.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            let message = format!("`{listen}` is no address with a port");
            errors.push(
                ConfigError::at(pointer, message).with_help("write such as 127.0.0.1:8080 or [::]:8080"),
            );
        }
    }
    let limits = &raw.limits;
    for (key, zero) in [
        ("body", limits.body_bytes == 0),
        ("connections", limits.connections == 0),
        ("per_address", limits.per_address == 0),
        ("concurrency", limits.concurrency == 0),
        ("lane_concurrency", limits.lane_concurrency == Some(0)),
        ("header_timeout", limits.header_timeout.is_zero()),
        ("body_timeout", limits.body_timeout.is_zero()),
        ("idle_timeout", limits.idle_timeout.is_zero()),
        ("script_time", limits.script_time.is_some_and(|time| time.is_zero())),
        ("script/steps", limits.script.steps == 0),
        ("script/time", limits.script.time.is_zero()),
        ("script/depth", limits.script.depth == 0),
        // To Rhai, 0 is no limit.
        ("script/size", limits.script.size_bytes == 0),
        ("kv/key", limits.kv.key_bytes == 0),
        ("kv/value", limits.kv.value_bytes == 0),
        ("kv/namespace", limits.kv.namespace_bytes == 0),
    ] {
        if zero {
            let name = key.replace('/', ".");
            errors.push(ConfigError::at(
                format!("/limits/{key}"),
                format!("limits.{name} is 0: nothing would pass"),
            ));
        }
    }
    if raw.keep.size_bytes < LEAST_KEPT_BYTES {
        let message = "keep.size is too small: an empty journal alone takes some 100 KiB";
        errors.push(ConfigError::at("/keep/size", message).with_help("write at least 1MiB"));
    }
    if raw.admin.token.as_ref().is_some_and(|token| token.expose().is_empty()) {
        errors.push(ConfigError::at("/admin/token", "the admin token is empty: anyone would have it"));
    }
}

/// Whether a listen address or a `Host` header names this machine only.
pub fn is_loopback(address: &str) -> bool {
    let without_port = match address.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => address,
    };
    let host = without_port.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(without_port);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The files whose change may change the configuration.
pub fn watched(config: &Config) -> Vec<PathBuf> {
    let directory = config.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut files = vec![directory.join(FILE_NAME), directory.join(".env")];
    files.extend(config.file.clone());
    files.extend(config.referenced_files.iter().cloned());
    files
}

/// What tells one configuration from another: every value with its references resolved, and every
/// variable that rules may refer to.
fn fingerprint(value: &Json, environment: &Environment) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(value.to_string());
    for (name, value) in &environment.variables {
        digest.update([0]);
        digest.update(name);
        digest.update([0]);
        digest.update(value);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_that_the_pages_show_are_the_defaults() {
        #[derive(Deserialize)]
        struct Shown {
            limits: Limits,
        }
        let guide = include_str!("../docs/scripting.md");
        let readme = include_str!("../README.md");
        for (page, begin) in [(guide, "# hookyard.yaml\nlimits:\n"), (readme, "listen: ")] {
            let mut blocks = page.split("```yaml\n").filter_map(|rest| rest.split("```").next());
            let block = blocks.find(|block| block.starts_with(begin)).expect(begin);
            let shown: Shown = serde_yaml::from_str(block).expect(block);
            assert_eq!(shown.limits, Limits::default(), "{block}");
            for key in ["steps", "time", "depth", "size", "effects", "key", "value", "namespace"] {
                assert!(block.contains(&format!("{key}: ")), "{key} is not in {block}");
            }
        }
    }

    /// What is wrong with a configuration, one line each.
    fn problems(text: &str) -> Vec<String> {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(FILE_NAME), text).expect("a file");
        let location = Location::find(None, directory.path());
        let file = location.file.as_ref().map(|file| directory.path().join(file));
        match Config::load(&Location { file, ..location }) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    /// To Rhai, a size of 0 is no limit at all.
    #[test]
    fn a_limit_of_nothing_is_an_error_with_its_key() {
        for (limits, key) in [
            ("script: {size: 0B}", "limits.script.size"),
            ("script: {steps: 0}", "limits.script.steps"),
            ("script: {time: 0s}", "limits.script.time"),
            ("script: {depth: 0}", "limits.script.depth"),
            ("script_time: 0s", "limits.script_time"),
            ("kv: {value: 0B}", "limits.kv.value"),
            ("body: 0B", "limits.body"),
        ] {
            let found = problems(&format!("limits:\n  {limits}\n"));
            assert_eq!(found.len(), 1, "{limits}: {found:?}");
            assert!(found[0].contains(&format!("{key} is 0")) && found[0].contains(":2:"), "{found:?}");
        }
        assert_eq!(problems("limits: {script: {effects: 0}}"), Vec::<String>::new());
    }

    #[test]
    fn no_source_has_the_name_of_hookyards_own() {
        let found = problems("sources:\n  hookyard: {preset: browser-use}\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(":2:3: error: events of the source `hookyard`"), "{found:?}");
        assert!(found[0].contains("a sender could fake them"), "{found:?}");
    }

    #[test]
    fn no_duration_panics() {
        for text in ["18446744073709551615s 1000ms", "18446744073709551615s 18446744073709551615s"] {
            let found = problems(&format!("limits: {{body_timeout: \"{text}\"}}\n"));
            assert!(found.len() == 1 && found[0].contains("no duration"), "{found:?}");
            let found = problems(&format!("sources: {{browser-use: {{tolerance: \"{text}\"}}}}\n"));
            assert!(found.len() == 1 && found[0].contains("no duration"), "{found:?}");
        }
    }
}
