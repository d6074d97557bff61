//! The `vars` of a rule set: data and secrets, no templates.

use super::Params;
use crate::json::Json;
use crate::registry::{ConfigError, token};
use crate::secret::{Resolve, split};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The `vars` of a rule set.
#[derive(Clone, Debug)]
pub struct Vars(Arc<Params>);

impl Vars {
    /// Compiles the merged `vars` of a rule set (templates are not looked for in it, references
    /// are). `null` is none.
    ///
    /// # Errors
    /// Malformed references, with their pointers.
    pub fn compile(value: &Json) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let params = match value {
            Json::Null => Params::Map(Vec::new()),
            Json::Object(_) => plain(value, "", &mut errors),
            other => {
                return Err(vec![ConfigError::at("", format!("`vars` is a map, not a {}", other.kind()))]);
            }
        };
        if errors.is_empty() { Ok(Self(Arc::new(params))) } else { Err(errors) }
    }

    /// The whole tree: data and [`Params::Secret`] only.
    pub fn params(&self) -> &Params {
        &self.0
    }

    pub(super) fn shared(&self) -> Arc<Params> {
        Arc::clone(&self.0)
    }

    /// Hosts of the URLs in it, each with its port: [`Params::authorities`].
    pub fn hosts(&self, resolver: &dyn Resolve) -> BTreeSet<String> {
        self.0.authorities(resolver)
    }
}

impl Default for Vars {
    fn default() -> Self {
        Self(Arc::new(Params::Map(Vec::new())))
    }
}

/// A value in which only references are looked for.
fn plain(value: &Json, pointer: &str, errors: &mut Vec<ConfigError>) -> Params {
    match value {
        Json::String(text) => match split(text) {
            Ok(parts) => super::value::text(parts),
            Err(error) => {
                errors.push(ConfigError::at(pointer, error.to_string()));
                Params::Data(Json::Null)
            }
        },
        Json::Array(items) => {
            let item = |(index, item)| plain(item, &format!("{pointer}/{index}"), errors);
            Params::List(items.iter().enumerate().map(item).collect())
        }
        Json::Object(object) => {
            let member = |(key, value): (&str, &Json)| {
                (key.to_owned(), plain(value, &format!("{pointer}{}", token(key)), errors))
            };
            Params::Map(object.iter().map(member).collect())
        }
        other => Params::Data(other.clone()),
    }
}
