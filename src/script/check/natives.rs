//! What scripts can call of hookyard and of Rhai.

use crate::diagnostic::did_you_mean;
use rhai::Engine;
use std::collections::BTreeSet;

/// Functions that the language itself has; the engine does not list them.
const LANGUAGE: &[&str] =
    &["Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn", "type_of", "print", "debug", "exit"];

/// What scripts can call: the module (empty for none), the name, the number of parameters.
pub(in crate::script) struct Natives(BTreeSet<(String, String, usize)>);

/// A mistake: the sentence and, if there is one, what to write instead.
pub(in crate::script) type Mistake = (String, Option<String>);

impl Natives {
    pub(in crate::script) fn of(engine: &Engine) -> Self {
        let functions = engine.collect_fn_metadata(
            None,
            |function| {
                let name = function.metadata.name.to_string();
                Some((function.namespace.to_string(), name, function.metadata.num_params))
            },
            true,
        );
        Self(functions.into_iter().collect())
    }

    /// One more without a module, with one parameter.
    pub(in crate::script) fn add(&mut self, name: &str) {
        self.0.insert((String::new(), name.to_owned(), 1));
    }

    /// Whether there is such a function without a module.
    pub(in crate::script) fn has(&self, name: &str, arguments: usize) -> bool {
        LANGUAGE.contains(&name) || self.0.contains(&(String::new(), name.to_owned(), arguments))
    }

    pub(in crate::script) fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        let named = self.within("").filter(move |(known, _)| *known == name);
        named.map(|(_, arguments)| arguments)
    }

    pub(in crate::script) fn names(&self) -> impl Iterator<Item = &str> {
        let words = self.within("").map(|(name, _)| name);
        words.filter(|name| name.starts_with(|c: char| c.is_alphabetic()) && !name.contains('$'))
    }

    /// `time` of `time::now()`.
    pub(in crate::script) fn modules(&self) -> BTreeSet<&str> {
        self.0.iter().map(|(module, ..)| module.as_str()).filter(|module| !module.is_empty()).collect()
    }

    pub(in crate::script) fn is_module(&self, name: &str) -> bool {
        self.within(name).next().is_some() && !name.is_empty()
    }

    fn within<'a>(&'a self, module: &'a str) -> impl Iterator<Item = (&'a str, usize)> {
        self.0
            .iter()
            .filter(move |(known, ..)| known == module)
            .map(|(_, name, count)| (name.as_str(), *count))
    }

    /// The modules that have a function of that name: `now` is `time::now`.
    pub(in crate::script) fn elsewhere(&self, name: &str) -> Option<String> {
        let mut found = self.0.iter().filter(|(module, known, _)| known == name && !module.is_empty());
        found.next().map(|(module, ..)| format!("{module}::{name}"))
    }

    /// What is wrong with a call of a function of a module that there is.
    pub(in crate::script) fn mistake(&self, module: &str, name: &str, arguments: usize) -> Option<Mistake> {
        let counts: BTreeSet<usize> =
            self.within(module).filter(|(known, _)| *known == name).map(|(_, count)| count).collect();
        if counts.contains(&arguments) {
            return None;
        }
        if !counts.is_empty() {
            return Some((wrong_count(&format!("{module}::{name}"), &counts, arguments), None));
        }
        let names: BTreeSet<&str> = self.within(module).map(|(name, _)| name).collect();
        let help = match did_you_mean(name, names.iter().copied()) {
            Some(meant) => format!("did you mean `{module}::{meant}`?"),
            None => format!("it has {}", names.into_iter().collect::<Vec<_>>().join(", ")),
        };
        Some((format!("`{module}` has no function `{name}`"), Some(help)))
    }
}

/// The sentence about a function that is there with other numbers of arguments.
pub(super) fn wrong_count(name: &str, counts: &BTreeSet<usize>, arguments: usize) -> String {
    let counts = counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    format!("`{name}` takes {counts} arguments, not {arguments}")
}
