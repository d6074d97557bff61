//! What the tests of loading, routing and expecting share.

mod heal;
mod kinds;
mod many;
mod problems;
mod routing;
mod running;
mod schema;
mod shipped;
mod storms;
mod switches;
mod workload;

use super::{Loaded, RuleSet, Settings, Tree, load};
use crate::action::{Context, Egress};
use crate::event::{Event, EventId};
use crate::json::{self, Json};
use crate::script::Limits;
use crate::secret::{Environment, Resolve};
use std::sync::Arc;

fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// Settings in which these variables are set.
fn settings(variables: &[(&str, &str)]) -> Settings {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    with_resolver(Arc::new(Environment { variables: variables.collect(), ..Environment::default() }))
}

fn with_resolver(resolver: Arc<dyn Resolve>) -> Settings {
    Settings {
        sources: ["browser-use".to_owned(), "github".to_owned()].into(),
        resolver,
        limits: Limits::default(),
        context: context(),
        assume_required: false,
    }
}

/// Nothing is ever sent or written by these tests.
fn context() -> Context {
    Context::new(Egress::default(), "nowhere")
}

fn lines(loaded: &Loaded) -> Vec<String> {
    loaded.diagnostics.iter().map(ToString::to_string).collect()
}

/// The one-line diagnostics of these files.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    lines(&load(&tree(files), &settings(&[])))
}

/// The rule set of one file that has to be right.
pub(super) fn rules(text: &str) -> RuleSet {
    let loaded = load(&tree(&[("a.yaml", text)]), &settings(&[]));
    let shown = lines(&loaded).join("\n");
    loaded.rules.expect(&shown)
}

pub(super) fn event(document: &str) -> Event {
    let Ok(Json::Object(document)) = json::parse(document.as_bytes()) else { panic!("{document}") };
    Event::new(EventId::new(0, 1), document)
}
