//! The names that an expression uses, checked when it is compiled.

use super::compile::Problem;
use super::jinja::{SECRETS, environment};
use super::scan::without_strings;
use crate::diagnostic::did_you_mean;
use crate::event::{FIELDS, WINDOW};
use minijinja::ErrorKind;
use std::collections::{BTreeSet, HashSet};

/// Functions that every template has.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// Refuses top-level names that no template sees.
pub(super) fn check_names(names: &HashSet<String>) -> Result<(), Problem> {
    let known = || ["event", "vars", WINDOW].into_iter().chain(FIELDS.iter().copied());
    let fine = |name: &str| known().chain(FUNCTIONS).any(|known| known == name) || name == SECRETS;
    let unknown: BTreeSet<_> = names.iter().filter(|name| !fine(name)).collect();
    let Some(name) = unknown.first() else { return Ok(()) };
    let help = match did_you_mean(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are `event`, `vars`, and the event's {}", FIELDS.join(", ")),
    };
    Err(Problem::new(format!("`{name}` is not defined")).with_help(help))
}

/// `headers.user-agent` is a subtraction, and never meant to be one.
pub(super) fn hyphen_hint(source: &str) -> Result<(), Problem> {
    let words = without_strings(source);
    for (at, _) in words.match_indices("headers.") {
        let rest = &words[at + "headers.".len()..];
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('-');
        if name.contains('-') {
            let message = format!("`headers.{name}` is a subtraction");
            return Err(Problem::new(message).with_help(format!("write `headers['{name}']`")));
        }
    }
    Ok(())
}

/// Finds misspelt filters at load: minijinja looks for them only when it needs them.
pub(super) fn check_filters(source: &str) -> Result<(), Problem> {
    let words = without_strings(source);
    for after in words.split('|').skip(1) {
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let name = &after[..end];
        let tried = environment().empty_state().apply_filter(name, &[]);
        if tried.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            let near = did_you_mean(name, FILTERS.iter().copied());
            let problem = Problem::new(format!("there is no filter `{name}`"));
            return Err(match near {
                Some(near) => problem.with_help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
    Ok(())
}

/// Filters worth suggesting.
const FILTERS: &[&str] = &[
    "abs",
    "default",
    "first",
    "float",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "replace",
    "reject",
    "reverse",
    "round",
    "safe",
    "select",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
];
