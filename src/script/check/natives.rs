//! What scripts can call of hookyard and of Rhai.

use rhai::Engine;
use std::collections::BTreeSet;

/// Functions that the language itself has; the engine does not list them.
const LANGUAGE: &[&str] =
    &["Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn", "type_of", "print", "debug", "exit"];

/// What scripts can call, with the number of parameters.
pub(in crate::script) struct Natives(BTreeSet<(String, usize)>);

impl Natives {
    pub(in crate::script) fn of(engine: &Engine) -> Self {
        let functions = engine.collect_fn_metadata(
            None,
            |function| Some((function.metadata.name.to_string(), function.metadata.num_params)),
            true,
        );
        Self(functions.into_iter().collect())
    }

    /// One more, with one parameter.
    pub(in crate::script) fn add(&mut self, name: &str) {
        self.0.insert((name.to_owned(), 1));
    }

    pub(in crate::script) fn has(&self, name: &str, arguments: usize) -> bool {
        LANGUAGE.contains(&name) || self.0.contains(&(name.to_owned(), arguments))
    }

    pub(in crate::script) fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, arguments)| *arguments)
    }

    pub(in crate::script) fn names(&self) -> impl Iterator<Item = &str> {
        let words = self.0.iter().map(|(name, _)| name.as_str());
        words.filter(|name| name.starts_with(|c: char| c.is_alphabetic()) && !name.contains('$'))
    }
}
