//! The parameters of effects as the journal keeps them: data as it is shown, and beside it where
//! secrets stand and what they are called. Nothing is parsed on the way back.

use super::Params;
use crate::json::{Json, Object};
use crate::registry::token;
use crate::secret::{Part, Reference, shown};

/// `{"data": …, "secrets": {"/pointer": [part, …]}}`.
pub(super) fn write(params: &Params) -> Json {
    let mut secrets = Object::new();
    let data = data(params, "", &mut secrets);
    Json::object([("data", data), ("secrets", Json::Object(secrets))])
}

fn data(params: &Params, pointer: &str, secrets: &mut Object) -> Json {
    match params {
        Params::Data(data) => data.clone(),
        Params::Secret(parts) => {
            secrets.insert(pointer, Json::Array(parts.iter().map(part).collect()));
            shown(parts).into()
        }
        Params::Template(template) => template.source.as_str().into(),
        Params::List(items) => {
            let item = |(index, item)| data(item, &format!("{pointer}/{index}"), secrets);
            Json::Array(items.iter().enumerate().map(item).collect())
        }
        Params::Map(members) => {
            let member = |(key, value): &(String, Params)| {
                (key.clone(), data(value, &format!("{pointer}{}", token(key)), secrets))
            };
            Json::object(members.iter().map(member).collect::<Vec<_>>())
        }
    }
}

fn part(part: &Part) -> Json {
    match part {
        Part::Literal(text) => text.as_str().into(),
        Part::Reference(Reference::Env { name, default }) => {
            Json::object([("env", name.as_str().into()), ("default", default.as_deref().into())])
        }
        Part::Reference(Reference::File { path }) => Json::object([("file", path.as_str().into())]),
    }
}

/// `None` for what [`write`] never makes.
pub(super) fn read(stored: &Json) -> Option<Params> {
    restore(stored.get("data")?, "", stored.get("secrets")?.as_object()?)
}

fn restore(data: &Json, pointer: &str, secrets: &Object) -> Option<Params> {
    if let Some(parts) = secrets.get(pointer) {
        return parts.as_array()?.iter().map(read_part).collect::<Option<_>>().map(Params::Secret);
    }
    if !secrets.keys().any(|place| place.starts_with(pointer)) {
        return Some(Params::Data(data.clone()));
    }
    match data {
        Json::Array(items) => {
            let item = |(index, item)| restore(item, &format!("{pointer}/{index}"), secrets);
            items.iter().enumerate().map(item).collect::<Option<_>>().map(Params::List)
        }
        Json::Object(object) => {
            let member = |(key, value): (&str, &Json)| {
                Some((key.to_owned(), restore(value, &format!("{pointer}{}", token(key)), secrets)?))
            };
            object.iter().map(member).collect::<Option<_>>().map(Params::Map)
        }
        other => Some(Params::Data(other.clone())),
    }
}

fn read_part(part: &Json) -> Option<Part> {
    let text = |key| part.get(key).and_then(Json::as_str).map(str::to_owned);
    if let Json::String(text) = part {
        return Some(Part::Literal(text.to_string()));
    }
    let reference = match text("env") {
        Some(name) => Reference::Env { name, default: text("default") },
        None => Reference::File { path: text("file")? },
    };
    Some(Part::Reference(reference))
}
