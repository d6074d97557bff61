//! Checks that the kinds share, on parameters of which parts may be filled in only later.

use super::client::destination;
use crate::diagnostic::did_you_mean;
use crate::json::Json;
use crate::registry::{ConfigError, token};
use crate::template::Params;

/// The keys of a map, if it is known to be one.
pub(super) fn keys(params: &Params) -> Option<Vec<String>> {
    match params {
        Params::Data(Json::Object(object)) => Some(object.keys().map(str::to_owned).collect()),
        Params::Map(members) => Some(members.iter().map(|(key, _)| key.clone()).collect()),
        _ => None,
    }
}

/// Checks that a literal `url` can be a destination.
pub(super) fn check_url(params: &Params, errors: &mut Vec<ConfigError>) {
    let literal = params.get("url").and_then(|url| url.literal());
    if let Some(Err(error)) = literal.as_ref().and_then(Json::as_str).map(destination) {
        errors.push(ConfigError::at("/url", error.to_string()));
    }
}

/// Checks that a map has no other keys than these, each with a literal or a template.
pub(super) fn check_keys(params: &Params, pointer: &str, known: &[&str], errors: &mut Vec<ConfigError>) {
    let listed = known.join("`, `");
    let Some(keys) = keys(params) else {
        if params.literal().is_some() {
            errors.push(ConfigError::at(pointer, format!("a map with `{listed}` is wanted here")));
        }
        return;
    };
    for key in keys.iter().filter(|key| !known.contains(&key.as_str())) {
        let error = ConfigError::key(format!("{pointer}{}", token(key)), format!("there is no `{key}` here"));
        let help = match did_you_mean(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are `{listed}`"),
        };
        errors.push(error.with_help(help));
    }
}

/// Checks that a map has exactly one of these keys and no other.
pub(super) fn check_choice(params: &Params, pointer: &str, known: &[&str], errors: &mut Vec<ConfigError>) {
    check_keys(params, pointer, known, errors);
    let count = keys(params).map(|keys| keys.iter().filter(|key| known.contains(&key.as_str())).count());
    if count.is_some_and(|count| count != 1) {
        errors.push(ConfigError::at(
            pointer,
            format!("exactly one of `{}` is wanted here", known.join("` and `")),
        ));
    }
}
