//! What a look at the disk came to, before anything is swapped.

use super::inputs::{Inputs, Referenced};
use super::{blocking, settings};
use crate::action::Context;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::journal::Heal;
use crate::rules::{self, RuleSet, Serving, Tree};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A configuration and rules that can be served.
pub(super) struct Candidate {
    pub config: Arc<Config>,
    pub tree: Tree,
    pub referenced: Referenced,
    pub rules: RuleSet,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// What there is to compile. `asked` is whether a person wants this look: then an empty directory
/// is taken at its word.
///
/// A directory that vanished or is empty never replaces a set that is not (an unmounted volume, a
/// checkout half way). At a first start it is no generation.
///
/// # Errors
/// What is wrong with the configuration, or with the directory as a whole.
pub(super) fn readable(inputs: &Inputs, asked: bool) -> Result<(Config, Tree, Referenced), Vec<Diagnostic>> {
    let config = inputs.config.as_ref().map_err(|diagnostics| (**diagnostics).clone())?;
    let missing = match &inputs.tree {
        Ok(tree) if !tree.is_empty() || asked => {
            return Ok((config.clone(), tree.clone(), inputs.referenced.clone()));
        }
        Ok(_) => "has no rules in it: put a .yaml file there".to_owned(),
        Err(error) => error.clone(),
    };
    Err(vec![Diagnostic::error(inputs.rules.display().to_string(), missing)])
}

impl Candidate {
    /// Compiles a rule set.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) async fn compile(
        config: Arc<Config>,
        context: Context,
        tree: Tree,
        referenced: Referenced,
    ) -> Result<Self, Vec<Diagnostic>> {
        let settings = settings(&config, context);
        let compiled = blocking(move || (rules::load(&tree, &settings), tree)).await;
        let Some((loaded, tree)) = compiled else {
            let directory = config.rules.display().to_string();
            let message =
                "these rules make hookyard fail, which is a bug of hookyard: the log has the details";
            return Err(vec![Diagnostic::error(directory, message)]);
        };
        match loaded.rules {
            Some(rules) => Ok(Self { config, tree, referenced, rules, diagnostics: loaded.diagnostics }),
            None => Err(loaded.diagnostics),
        }
    }

    /// Whose blocked deliveries serving this heals. What is not in the rules themselves (limits,
    /// egress, a secret, a file) may mend any of them.
    pub(super) fn heals(&self, old: Option<&Serving>, config: &Config, referenced: &Referenced) -> Heal {
        match old {
            Some(old) if config.fingerprint == self.config.fingerprint && *referenced == self.referenced => {
                Heal::Rules(self.rules.changed_since(&old.rules))
            }
            _ => Heal::All,
        }
    }

    /// Keys that are only read at a start, as warnings where they differ.
    pub(super) fn warn_of_restart(&mut self, started: &Config) {
        let file =
            self.config.file.as_ref().map_or("configuration".into(), |file| file.display().to_string());
        let keys: BTreeSet<_> = started.needs_restart(&self.config).into_iter().collect();
        let warning = |key| {
            Diagnostic::warning(
                file.as_str(),
                format!("{key} has changed: it is used from the next start on"),
            )
        };
        self.diagnostics.extend(keys.into_iter().map(warning));
    }
}
