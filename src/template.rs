//! Parameters with holes: text filled in by Jinja (minijinja), secrets kept apart.

use crate::event::Event;
use crate::json::Json;
use crate::registry::{ConfigError, Param};
use crate::secret::{Part, Reference, Resolve, Unresolved};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The parameters of an action: a JSON structure in which a text may be a template (in YAML) and
/// a secret is a name until the moment of an attempt.
#[derive(Clone, Debug)]
pub enum Params {
    /// Literal data; nothing is ever looked for in it.
    Data(Json),
    /// A text with at least one reference in it and no template: shown by its names.
    Secret(Vec<Part>),
    /// A text with `{{ }}` in it (references may stand beside).
    Template(Arc<Template>),
    List(Vec<Params>),
    /// In order of the keys' appearance.
    Map(Vec<(String, Params)>),
}

/// A compiled text. See `act`'s implementation for the fields.
#[derive(Debug)]
pub struct Template {}

/// The `vars` of a rule set.
#[derive(Debug)]
pub struct Vars {}

/// What a template sees.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub event: &'a Event,
    pub vars: &'a Vars,
    pub resolver: &'a dyn Resolve,
}

/// Parameters with everything filled in.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Without templates: data, and secrets by their names. What a script gets as `params`.
    pub filled: Params,
    /// As they are used.
    pub plain: Json,
    /// As they are shown and stored: a secret is its name.
    pub shown: Json,
    /// The secrets that went in, longest first: value and shown name. For [`Rendered::redact`].
    pub secrets: Vec<(crate::secret::Secret, String)>,
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
    /// Compiles parameters as they stand in YAML. `schema` says which of them are URLs or Slack
    /// text, so that what is filled in is encoded for its place, and refuses unknown, missing and
    /// ill-typed ones. `vars` is for checking paths and that a destination is literal.
    ///
    /// # Errors
    /// Everything that is wrong, each with its pointer.
    pub fn compile(value: &Json, schema: &[Param], vars: &Vars) -> Result<Self, Vec<ConfigError>> {
        let _ = (value, schema, vars);
        todo!("act")
    }

    /// The parameter `name`, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<Params> {
        let _ = name;
        todo!("act")
    }

    /// The literal value, if nothing has to be filled in.
    pub fn literal(&self) -> Option<Json> {
        todo!("act")
    }

    /// References used here directly or through `vars` (a dynamic index uses all below it).
    pub fn references(&self, vars: &Vars) -> BTreeSet<Reference> {
        let _ = vars;
        todo!("act")
    }

    /// Hosts of URLs that stand literally in here (for the consent of scripts' requests).
    pub fn hosts(&self, resolver: &dyn Resolve) -> BTreeSet<String> {
        let _ = resolver;
        todo!("act")
    }

    /// Fills in everything.
    ///
    /// # Errors
    /// The first hole that cannot be filled: an undefined name, fuel or size spent, a path
    /// segment `.` or `..`, a reference that no longer has a value.
    pub fn render(&self, scope: Scope<'_>) -> Result<Rendered, RenderError> {
        let _ = scope;
        todo!("act")
    }

    /// As kept in the journal: data, and beside it the pointers of secrets. Only for effects.
    pub fn to_stored(&self) -> Json {
        todo!("act")
    }

    /// Reads back what [`Params::to_stored`] made.
    pub fn from_stored(stored: &Json) -> Option<Self> {
        let _ = stored;
        todo!("act")
    }
}

impl Rendered {
    /// `text` with every secret that went in replaced by its name.
    pub fn redact(&self, text: &str) -> String {
        let _ = text;
        todo!("act")
    }
}

impl Vars {
    /// Compiles the merged `vars` of a rule set (templates are not looked for in it, references
    /// are).
    ///
    /// # Errors
    /// Malformed references, with their pointers.
    pub fn compile(value: &Json) -> Result<Self, Vec<ConfigError>> {
        let _ = value;
        todo!("act")
    }

    /// The whole tree: data and [`Params::Secret`] only.
    pub fn params(&self) -> &Params {
        todo!("act")
    }

    /// Hosts of the URLs in it.
    pub fn hosts(&self, resolver: &dyn Resolve) -> BTreeSet<String> {
        let _ = resolver;
        todo!("act")
    }
}

impl From<Unresolved> for RenderError {
    fn from(error: Unresolved) -> Self {
        Self { pointer: String::new(), message: error.to_string() }
    }
}
