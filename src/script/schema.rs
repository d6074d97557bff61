//! Checks an effect's parameters against its kind's schema: names and kinds of values.
//!
//! Parameters in YAML are checked where templates are compiled; an effect's are data already.

use crate::diagnostic::did_you_mean;
use crate::json::Json;
use crate::registry::{ConfigError, Param, ParamType, token};
use crate::template::Params;

/// # Errors
/// Every unknown, missing and ill-typed parameter.
pub(super) fn check(params: &Params, schema: &[Param<'_>]) -> Result<(), Vec<ConfigError>> {
    let names = names(params);
    let unknown = names.iter().filter(|name| !schema.iter().any(|param| param.name == **name));
    let unknown = unknown.map(|name| self::unknown(name, schema));
    let missing = schema.iter().filter(|param| param.required && !names.contains(&param.name));
    let missing = missing.map(|param| ConfigError::at("", format!("`{}` is missing", param.name)));
    let unfit = schema.iter().filter_map(|param| unfit(params, param));
    let errors: Vec<_> = unknown.chain(missing).chain(unfit).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn names(params: &Params) -> Vec<&str> {
    match params {
        Params::Data(Json::Object(object)) => object.keys().collect(),
        Params::Map(members) => members.iter().map(|(key, _)| key.as_str()).collect(),
        _ => Vec::new(),
    }
}

fn unknown(name: &str, schema: &[Param<'_>]) -> ConfigError {
    let error = ConfigError::key(token(name), "is not one of its parameters");
    let known = || schema.iter().map(|param| param.name);
    match did_you_mean(name, known()) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help(format!("they are {}", known().collect::<Vec<_>>().join(", "))),
    }
}

fn unfit(params: &Params, param: &Param<'_>) -> Option<ConfigError> {
    let (kind, data) = match params {
        Params::Data(value) => value.get(param.name).map(|value| (value.kind(), Some(value)))?,
        Params::Map(members) => match &members.iter().find(|(key, _)| key == param.name)?.1 {
            Params::Data(value) => (value.kind(), Some(value)),
            Params::List(_) => ("list", None),
            Params::Map(_) => ("map", None),
            // What a reference yields is read as the scalar that is wanted.
            Params::Secret(_) | Params::Template(_)
                if !matches!(param.ty, ParamType::List | ParamType::Map) =>
            {
                return None;
            }
            Params::Secret(_) | Params::Template(_) => ("string", None),
        },
        _ => return None,
    };
    let wanted = wanted(param.ty);
    let whole = param.ty != ParamType::Integer
        || data.and_then(Json::as_number).is_none_or(crate::json::Number::is_integer);
    if wanted.is_empty() || wanted.contains(&kind) && whole {
        return None;
    }
    let wanted = if param.ty == ParamType::Integer { "whole number".into() } else { wanted.join(" or a ") };
    Some(ConfigError::at(token(param.name), format!("wants a {wanted}, not a {kind}")))
}

/// The kinds of JSON values that fit; none for any.
fn wanted(ty: ParamType) -> &'static [&'static str] {
    match ty {
        ParamType::String | ParamType::Url | ParamType::Path | ParamType::SlackText | ParamType::Html => {
            &["string"]
        }
        ParamType::Bool => &["boolean"],
        ParamType::Integer | ParamType::Number => &["number"],
        ParamType::Duration | ParamType::Bytes => &["string", "number"],
        ParamType::List => &["list"],
        ParamType::Map => &["map"],
        ParamType::Any | ParamType::SlackAny => &[],
    }
}
