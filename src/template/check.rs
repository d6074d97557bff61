//! Whether a value has the type that a parameter takes.

use crate::json::{Json, Number};
use crate::registry::ParamType;
use std::str::FromStr;

/// Says what is wrong with `value` for a parameter of type `ty`.
pub(super) fn fits(value: &Json, ty: ParamType) -> Result<(), String> {
    let fine = match ty {
        ParamType::String | ParamType::Url | ParamType::Path | ParamType::SlackText | ParamType::Html => {
            value.as_str().is_some()
        }
        ParamType::Bool => value.as_bool().is_some(),
        ParamType::Integer => value.as_number().is_some_and(Number::is_integer),
        ParamType::Number => value.as_number().is_some(),
        ParamType::Duration => value.as_str().is_some_and(|text| crate::duration::parse(text).is_ok()),
        ParamType::Bytes => match value {
            Json::String(text) => bytesize::ByteSize::from_str(text).is_ok(),
            other => other.as_number().and_then(Number::as_u64).is_some(),
        },
        ParamType::List => value.as_array().is_some(),
        ParamType::Map => value.as_object().is_some(),
        ParamType::Any | ParamType::SlackAny => true,
    };
    if fine { Ok(()) } else { Err(format!("{} is wanted here, not {}", wanted(ty), found(value))) }
}

/// `text` read as the type that a parameter takes, if it is not text that it takes.
pub(super) fn read(text: &str, ty: ParamType) -> Option<Json> {
    match ty {
        ParamType::Bool => text.trim().parse().ok().map(Json::Bool),
        ParamType::Integer | ParamType::Number | ParamType::Bytes => {
            Number::parse(text.trim()).map(Json::Number).filter(|number| fits(number, ty).is_ok())
        }
        ParamType::List | ParamType::Map => crate::json::parse(text.as_bytes()).ok(),
        _ => None,
    }
}

/// Whether a single reference has to be read again for this type.
pub(super) fn rereads(ty: ParamType) -> bool {
    use ParamType::{Bool, Bytes, Duration, Integer, List, Map, Number};
    matches!(ty, Bool | Integer | Number | Duration | Bytes | List | Map)
}

/// The type as a sentence names it.
pub(super) fn wanted(ty: ParamType) -> &'static str {
    match ty {
        ParamType::String | ParamType::SlackText | ParamType::Html => "a text",
        ParamType::Url => "a URL",
        ParamType::Path => "a path",
        ParamType::Bool => "`true` or `false`",
        ParamType::Integer => "an integer",
        ParamType::Number => "a number",
        ParamType::Duration => "a duration like `30s`",
        ParamType::Bytes => "a size like `100MiB`",
        ParamType::List => "a list",
        ParamType::Map => "a map",
        ParamType::Any | ParamType::SlackAny => "a value",
    }
}

fn found(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            let text = value.to_string();
            let short = text.char_indices().nth(60).map_or(&*text, |(end, _)| &text[..end]);
            format!("the {} `{short}`", value.kind())
        }
        other => format!("a {}", other.kind()),
    }
}
