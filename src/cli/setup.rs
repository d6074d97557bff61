//! What several commands begin with: finding the configuration, showing what is wrong with it.

use super::Common;
use crate::action::Context;
use crate::config::{Config, Location};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::reload;
use crate::rules::{self, Loaded, RuleSet, Settings, Tree};
use crate::secret::DryRun;
use anyhow::{Context as _, bail};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

/// Where the configuration is, by the flags and the environment.
pub(super) fn location(common: &Common) -> anyhow::Result<Location> {
    let here = std::env::current_dir().context("the working directory cannot be found")?;
    if let Some(file) = common.config.as_ref().filter(|file| !file.is_file()) {
        bail!("--config {}: there is no such file", file.display());
    }
    let mut location = Location::find(common.config.clone(), &here);
    location.offline = true;
    location.overrides.rules.clone_from(&common.rules);
    location.overrides.journal.clone_from(&common.journal);
    // Values that are not text cannot be referred to from YAML, which is text.
    location.environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let variable = |name: &str| location.environment.get(name).filter(|value| !value.is_empty()).cloned();
    let (listen, admin_listen) = (variable("HOOKYARD_LISTEN"), variable("HOOKYARD_ADMIN_LISTEN"));
    location.overrides.listen = listen;
    location.overrides.admin_listen = admin_listen;
    Ok(location)
}

/// The configuration, or its diagnostics on standard error.
pub(super) fn config(location: &Location) -> anyhow::Result<Config> {
    Config::load(location).map_err(|diagnostics| {
        show(&diagnostics);
        anyhow::anyhow!("the configuration has {}", diagnostic::summary(&diagnostics))
    })
}

/// Shows diagnostics on standard error, as a person reads them.
pub(super) fn show(diagnostics: &[Diagnostic]) {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for diagnostic in diagnostics {
        eprintln!("{}\n", diagnostic.render(color).trim_end());
    }
}

/// Loading for a dry run: nothing is sent or written, `requires` is fulfilled, and references
/// are placeholders unless the real environment is wanted.
pub(super) fn dry_settings(config: &Config, real_environment: bool) -> Settings {
    let context = Context::new(config.egress.clone(), config.files.clone());
    let context = context.with_programs(config.exec.clone());
    let mut settings = reload::settings(config, context);
    settings.assume_required = true;
    if !real_environment {
        settings.resolver = Arc::new(DryRun(config.environment.clone()));
    }
    settings
}

/// Reads a rule directory.
pub(super) fn tree(dir: &Path) -> anyhow::Result<Tree> {
    Ok(rules::read_tree(dir)?)
}

/// Loads rules; the diagnostics name their files as they are seen from here, for clicking on.
pub(super) fn load_tree(dir: &Path, tree: &Tree, settings: &Settings) -> Loaded {
    let mut loaded = rules::load(tree, settings);
    for found in &mut loaded.diagnostics {
        found.file = dir.join(&*found.file).display().to_string().into();
    }
    loaded
}

/// The rules of a directory for a dry run, or their diagnostics on standard error.
pub(super) fn load(dir: &Path, settings: &Settings) -> anyhow::Result<(Tree, RuleSet)> {
    let tree = tree(dir)?;
    let loaded = load_tree(dir, &tree, settings);
    match loaded.rules {
        Some(rules) => Ok((tree, rules)),
        None => {
            let errors: Vec<_> =
                loaded.diagnostics.into_iter().filter(|found| found.severity == Severity::Error).collect();
            show(&errors);
            bail!("{} has {}", dir.display(), diagnostic::summary(&errors))
        }
    }
}
