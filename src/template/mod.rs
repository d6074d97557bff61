//! Parameters with holes: text filled in by Jinja (minijinja), secrets kept apart.
//!
//! Three things can stand in a parameter and never mix: data, references (`${NAME}`, known by
//! name only until an attempt), and templates (`{{ }}`, only where an author wrote them in YAML).
//! What a template yields is data: it is never looked through for either of the others.

mod check;
mod compile;
mod destination;
mod escape;
mod jinja;
mod names;
mod path;
mod redact;
mod references;
mod render;
mod scan;
mod session;
mod stored;
#[cfg(test)]
mod tests;
mod value;
mod vars;

use crate::event::Event;
use crate::json::Json;
use crate::registry::{ConfigError, Param};
use crate::secret::{Part, Reference, Resolve, Secret, Unresolved};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use compile::Template;
pub(crate) use escape::{html_escape, slack_escape, url_encode};
pub(crate) use redact::redact;
pub(crate) use references::{authority, endpoint};
pub use vars::Vars;

/// The parameters of an action: a JSON structure in which a text may be a template (in YAML) and
/// a secret is a name until the moment of an attempt.
#[derive(Clone, Debug)]
pub enum Params {
    /// Literal data; nothing is ever looked for in it.
    Data(Json),
    /// A text with at least one reference in it and no template: shown by its names.
    Secret(Vec<Part>),
    /// A text with `{{ }}` in it (references may stand beside), or a single reference that is to
    /// be read as a number or boolean.
    Template(Arc<Template>),
    List(Vec<Params>),
    /// In order of the keys' appearance.
    Map(Vec<(String, Params)>),
}

/// What a template sees.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub event: &'a Event,
    pub vars: &'a Vars,
    pub resolver: &'a dyn Resolve,
}

/// Parameters with everything filled in. `Debug` prints what is shown.
#[derive(Clone)]
pub struct Rendered {
    /// As they are used.
    pub plain: Json,
    /// Where there is a secret in them: they are used as they are shown if not.
    pub veil: Option<Box<Veil>>,
    /// The secrets that went in, longest first: value and shown name. For [`Rendered::redact`].
    pub secrets: Vec<(Secret, String)>,
}

/// Parameters with their secrets as names.
#[derive(Clone)]
pub struct Veil {
    pub filled: Params,
    pub shown: Json,
}

/// Why parameters could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct RenderError {
    /// JSON pointer of the parameter.
    pub pointer: String,
    pub message: String,
}

impl Params {
    /// Compiles parameters as they stand in YAML. `schema` says which of them are URLs, Slack
    /// text or HTML, so that what is filled in is encoded for its place, and refuses unknown,
    /// missing and ill-typed ones; an empty one takes any value. `vars` is for checking paths and
    /// that a destination is literal.
    ///
    /// # Errors
    /// Everything that is wrong, each with its pointer.
    pub fn compile(value: &Json, schema: &[Param<'_>], vars: &Vars) -> Result<Self, Vec<ConfigError>> {
        compile::params(value, schema, vars)
    }

    /// The parameter `name`, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<Params> {
        match self {
            Self::Data(data) => data.get(name).cloned().map(Self::Data),
            Self::Map(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
            _ => None,
        }
    }

    /// Whether this is a map that has the parameter `name`.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Data(data) => data.get(name).is_some(),
            Self::Map(members) => members.iter().any(|(key, _)| key == name),
            _ => false,
        }
    }

    /// The items, if this is a list.
    pub fn items(&self) -> Option<Vec<Params>> {
        match self {
            Self::Data(data) => Some(data.as_array()?.iter().cloned().map(Self::Data).collect()),
            Self::List(items) => Some(items.clone()),
            _ => None,
        }
    }

    /// The literal value, if nothing has to be filled in.
    pub fn literal(&self) -> Option<Json> {
        match self {
            Self::Data(data) => Some(data.clone()),
            Self::Secret(_) | Self::Template(_) => None,
            Self::List(items) => items.iter().map(Self::literal).collect::<Option<Vec<_>>>().map(Json::Array),
            Self::Map(members) => {
                let member = |(key, value): &(String, Self)| Some((key.clone(), value.literal()?));
                Some(Json::object(members.iter().map(member).collect::<Option<Vec<_>>>()?))
            }
        }
    }

    /// References used here directly or through `vars` (a dynamic index uses all below it).
    pub fn references(&self, vars: &Vars) -> BTreeSet<Reference> {
        let mut found = BTreeSet::new();
        references::collect(self, vars, &mut found);
        found
    }

    /// Whether a template in here reads this field of the event.
    pub fn reads(&self, field: &str) -> bool {
        references::reads(self, field)
    }

    /// Hosts with their ports, `crm.example:443`, of URLs that stand literally in here (for the
    /// consent of scripts' requests): lower case. A reference without a value adds none.
    pub fn authorities(&self, resolver: &dyn Resolve) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        references::authorities(self, resolver, &mut found);
        found
    }

    /// Fills in everything.
    ///
    /// # Errors
    /// The first hole that cannot be filled: an undefined name, fuel or size spent, a path
    /// segment `.` or `..`, a reference that no longer has a value.
    pub fn render(&self, scope: Scope<'_>) -> Result<Rendered, RenderError> {
        render::render(self, scope)
    }

    /// As kept in the journal: data, and beside it the pointers of secrets. Only for effects.
    pub fn to_stored(&self) -> Json {
        stored::write(self)
    }

    /// Reads back what [`Params::to_stored`] made.
    pub fn from_stored(stored: &Json) -> Option<Self> {
        stored::read(stored)
    }
}

impl Rendered {
    /// Without templates: data, and secrets by their names. What a script gets as `params`.
    pub fn filled(&self) -> Params {
        self.veil.as_ref().map_or_else(|| Params::Data(self.plain.clone()), |veil| veil.filled.clone())
    }

    /// As they are shown and stored: a secret is its name.
    pub fn shown(&self) -> &Json {
        self.veil.as_ref().map_or(&self.plain, |veil| &veil.shown)
    }

    /// `text` with every secret that went in replaced by its name.
    pub fn redact(&self, text: &str) -> String {
        redact(text, &self.secrets)
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rendered").field(self.shown()).finish()
    }
}

impl From<Unresolved> for RenderError {
    fn from(error: Unresolved) -> Self {
        Self { pointer: String::new(), message: error.to_string() }
    }
}
