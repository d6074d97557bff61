//! References in `hookyard.yaml`: resolved value by value when the file is read.

use crate::json::{Json, Object};
use crate::registry::{ConfigError, token};
use crate::secret::{self, Environment, Part, Reference, Resolve};
use crate::yaml::{Node, Value};
use std::collections::BTreeSet;

/// A file's values with references resolved.
pub(super) struct Resolved {
    pub value: Json,
    /// Environment variables used: rules may not read these.
    pub names: BTreeSet<String>,
    /// Files used.
    pub files: BTreeSet<String>,
    pub errors: Vec<ConfigError>,
    offline: bool,
}

/// Resolves every reference. An unset one is an error, except in a source's `secrets`, where it
/// becomes `null`: the source starts and waits for it.
/// While nothing is served (`offline`) the admin token may be unset too.
pub(super) fn resolve(node: &Node, environment: &Environment, offline: bool) -> Resolved {
    let mut resolved = Resolved {
        value: Json::Null,
        names: BTreeSet::new(),
        files: BTreeSet::new(),
        errors: Vec::new(),
        offline,
    };
    resolved.value = resolved.walk(node, "", environment);
    resolved
}

impl Resolved {
    fn walk(&mut self, node: &Node, pointer: &str, environment: &Environment) -> Json {
        match &node.value {
            Value::String(text) => self.text(text, pointer, environment),
            Value::List(items) => {
                let mut walk = |(index, item)| self.walk(item, &format!("{pointer}/{index}"), environment);
                Json::Array(items.iter().enumerate().map(&mut walk).collect())
            }
            Value::Map(entries) => {
                let mut object = Object::new();
                for entry in entries {
                    let below = format!("{pointer}{}", token(&entry.key));
                    object.insert(entry.key.clone(), self.walk(&entry.node, &below, environment));
                }
                Json::Object(object)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => node.to_json(),
        }
    }

    fn text(&mut self, text: &str, pointer: &str, environment: &Environment) -> Json {
        let parts = match secret::split(text) {
            Ok(parts) => parts,
            Err(error) => {
                self.errors.push(ConfigError::at(pointer, error.to_string()));
                return Json::Null;
            }
        };
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Literal(literal) => out.push_str(&literal),
                Part::Reference(reference) => match self.reference(&reference, pointer, environment) {
                    Some(value) => out.push_str(&value),
                    None => return Json::Null,
                },
            }
        }
        out.into()
    }

    fn reference(
        &mut self,
        reference: &Reference,
        pointer: &str,
        environment: &Environment,
    ) -> Option<String> {
        match reference {
            Reference::Env { name, .. } => self.names.insert(name.clone()),
            Reference::File { path } => self.files.insert(path.clone()),
        };
        match environment.resolve(reference) {
            Ok(secret) => Some(secret.expose().to_owned()),
            Err(_) if is_source_secret(pointer) => None,
            Err(_) if self.offline && pointer == "/admin/token" => None,
            Err(error) => {
                let help = "set it, put it into .env beside this file, or write ${NAME:-default}";
                self.errors.push(ConfigError::at(pointer, error.to_string()).with_help(help));
                None
            }
        }
    }
}

/// `/sources/NAME/secrets/…`
fn is_source_secret(pointer: &str) -> bool {
    let mut tokens = pointer.split('/').skip(1);
    tokens.next() == Some("sources") && tokens.nth(1) == Some("secrets")
}
