//! JSON ⇄ Rhai values, exactly: what goes in untouched comes out with the same value.

use super::functions::{Span, Time};
use super::number::{self, Exact};
use super::secret::Hidden;
use super::state::{self, Spent};
use crate::json::{Json, MAX_DEPTH, Number, Object};
use crate::template::Params;
use rhai::{Array, Dynamic, ImmutableString, Map};
use std::cell::Cell;

/// A Rhai value that JSON cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("`{path}` is a {kind}, which an action cannot take")]
    Kind { path: String, kind: String },
    #[error("`{0}` is not a finite number")]
    NotFinite(String),
    #[error("`{0}` holds a secret, which can only be passed on to an action")]
    Secret(String),
    #[error("the value is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("`{0}` is more than limits.script.size")]
    TooLarge(String),
}

/// The Rhai value of a JSON value. Null is `()`.
pub(super) fn to_dynamic(value: &Json) -> Dynamic {
    match value {
        Json::Null => Dynamic::UNIT,
        Json::Bool(flag) => (*flag).into(),
        Json::Number(number) => number::to_dynamic(number),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(to_dynamic).collect::<Array>().into(),
        Json::Object(object) => object_to_map(object).into(),
    }
}

/// An object as a Rhai map.
pub(super) fn object_to_map(object: &Object) -> Map {
    object.iter().map(|(key, value)| (key.into(), to_dynamic(value))).collect()
}

/// The Rhai value of parameters in which nothing has to be filled in; secrets are opaque.
pub(super) fn params_to_dynamic(params: &Params) -> Dynamic {
    match params {
        Params::Data(value) => to_dynamic(value),
        Params::Secret(parts) => Dynamic::from(Hidden(parts.as_slice().into())),
        // `Rendered::filled` and `vars` have none: what is not filled in has no value.
        Params::Template(_) => Dynamic::UNIT,
        Params::List(items) => items.iter().map(params_to_dynamic).collect::<Array>().into(),
        Params::Map(members) => members
            .iter()
            .map(|(key, value)| (key.as_str().into(), params_to_dynamic(value)))
            .collect::<Map>()
            .into(),
    }
}

/// The parameters of an effect: data, with secrets as references.
///
/// # Errors
/// The first value that JSON cannot say, with its path below `path`; more than an evaluation may
/// make, which ends it.
pub(super) fn to_params(value: &Dynamic, path: &str) -> Result<Params, Unfit> {
    let left_bytes = Cell::new(state::most().bytes);
    Converter { levels: MAX_DEPTH, left_bytes: &left_bytes }.params(value, path)
}

struct Converter<'a> {
    levels: usize,
    /// One text in many places is kept once by Rhai, and written out in each.
    left_bytes: &'a Cell<usize>,
}

impl Converter<'_> {
    fn params(&self, value: &Dynamic, path: &str) -> Result<Params, Unfit> {
        self.spend(value).ok_or_else(|| {
            state::spend(Spent::Size);
            Unfit::TooLarge(path.to_owned())
        })?;
        if value.is_shared() {
            return self.params(&value.flatten_clone(), path);
        }
        if let Some(secret) = value.read_lock::<Hidden>() {
            return Ok(Params::Secret(secret.0.to_vec()));
        }
        if let Some(items) = value.read_lock::<Array>() {
            let item = |(index, item)| self.deeper()?.params(item, &format!("{path}[{index}]"));
            return Ok(list(items.iter().enumerate().map(item).collect::<Result<_, _>>()?));
        }
        if let Some(members) = value.read_lock::<Map>() {
            let member = |(key, value): (&rhai::Identifier, &Dynamic)| {
                let value = self.deeper()?.params(value, &format!("{path}.{key}"))?;
                Ok((key.to_string(), value))
            };
            return Ok(map(members.iter().map(member).collect::<Result<_, _>>()?));
        }
        scalar(value, path).map(Params::Data)
    }

    fn deeper(&self) -> Result<Self, Unfit> {
        self.levels.checked_sub(1).map(|levels| Self { levels, ..*self }).ok_or(Unfit::TooDeep)
    }

    fn spend(&self, value: &Dynamic) -> Option<()> {
        let text = value.read_lock::<ImmutableString>().map_or(0, |text| text.len());
        self.left_bytes.set(self.left_bytes.get().checked_sub(text + 1)?);
        Some(())
    }
}

fn scalar(value: &Dynamic, path: &str) -> Result<Json, Unfit> {
    if value.is_unit() {
        return Ok(Json::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(integer) = value.as_int() {
        return Ok(integer.into());
    }
    if let Ok(float) = value.as_float() {
        let number = Number::from_f64(float).ok_or_else(|| Unfit::NotFinite(path.to_owned()))?;
        return Ok(Json::Number(number));
    }
    if let Ok(character) = value.as_char() {
        return Ok(character.to_string().into());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.as_str().into());
    }
    if let Some(exact) = value.read_lock::<Exact>() {
        return Ok(Json::Number(exact.0.clone()));
    }
    if let Some(time) = value.read_lock::<Time>() {
        return Ok(time.to_string().into());
    }
    match value.read_lock::<Span>() {
        Some(span) => Ok(span.to_string().into()),
        None => Err(Unfit::Kind { path: path.to_owned(), kind: kind(value).to_owned() }),
    }
}

/// A list of parameters, as plain data if it holds nothing else.
fn list(items: Vec<Params>) -> Params {
    let data = |item: &Params| matches!(item, Params::Data(_));
    if !items.iter().all(data) {
        return Params::List(items);
    }
    Params::Data(Json::Array(items.into_iter().filter_map(into_data).collect()))
}

/// A map of parameters, as plain data if it holds nothing else.
pub(super) fn map(members: Vec<(String, Params)>) -> Params {
    if !members.iter().all(|(_, value)| matches!(value, Params::Data(_))) {
        return Params::Map(members);
    }
    let data = members.into_iter().filter_map(|(key, value)| Some((key, into_data(value)?)));
    Params::Data(Json::object(data))
}

fn into_data(params: Params) -> Option<Json> {
    match params {
        Params::Data(value) => Some(value),
        _ => None,
    }
}

/// As plain data.
///
/// # Errors
/// What JSON cannot say, or a secret.
pub(super) fn to_data(value: &Dynamic, path: &str) -> Result<Json, Unfit> {
    into_data(to_params(value, path)?).ok_or_else(|| Unfit::Secret(path.to_owned()))
}

/// As JSON text; a secret as its name.
pub(super) fn to_json(value: &Dynamic) -> Result<Json, Unfit> {
    Ok(shown(&to_params(value, "value")?))
}

/// Parameters as they may be shown.
pub(super) fn shown(params: &Params) -> Json {
    match params {
        Params::Data(value) => value.clone(),
        Params::Secret(parts) => Hidden(parts.as_slice().into()).shown().into(),
        Params::Template(_) => Json::Null,
        Params::List(items) => items.iter().map(shown).collect::<Vec<_>>().into(),
        Params::Map(members) => Json::object(members.iter().map(|(key, value)| (key.clone(), shown(value)))),
    }
}

/// How many bytes parameters take as JSON, before anything in them is escaped.
pub(super) fn bytes(params: &Params) -> usize {
    match params {
        Params::Data(value) => json_bytes(value),
        Params::Secret(parts) => Hidden(parts.as_slice().into()).shown().len() + 2,
        Params::Template(_) => 4,
        Params::List(items) => items.iter().map(|item| bytes(item) + 1).sum::<usize>() + 1,
        Params::Map(members) => {
            members.iter().map(|(key, value)| key.len() + bytes(value) + 4).sum::<usize>() + 1
        }
    }
}

fn json_bytes(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) => 4,
        Json::Number(number) => number.text().len(),
        Json::String(text) => text.len() + 2,
        Json::Array(items) => items.iter().map(|item| json_bytes(item) + 1).sum::<usize>() + 1,
        Json::Object(object) => {
            object.iter().map(|(key, value)| key.len() + json_bytes(value) + 4).sum::<usize>() + 1
        }
    }
}

/// What a Rhai value is, in the words that authors read.
pub(super) fn kind(value: &Dynamic) -> &'static str {
    let types: [(&'static str, bool); 10] = [
        ("()", value.is_unit()),
        ("boolean", value.is_bool()),
        ("number", value.is_int() || value.is_float() || value.is::<Exact>()),
        ("string", value.is_string() || value.is_char()),
        ("list", value.is_array()),
        ("map", value.is_map()),
        ("function", value.is_fnptr()),
        ("secret", value.is::<Hidden>()),
        ("time", value.is::<Time>()),
        ("duration", value.is::<Span>()),
    ];
    types.into_iter().find(|(_, matches)| *matches).map_or("value of another kind", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn round_trip(text: &str) -> String {
        let value = json::parse(text.as_bytes()).expect("the test's text is JSON");
        to_json(&to_dynamic(&value)).expect("JSON goes out as it came in").to_string()
    }

    #[test]
    fn what_goes_in_untouched_comes_out_with_the_same_value() {
        for text in [
            r#"{"a":[1,-2,true,null,"x"],"b":{}}"#,
            "9223372036854775807",
            "123456789012345678901234567890",
            "0.1",
            "0.10000000000000000001",
            "1.5",
            "-12345678901234567890.5",
        ] {
            assert_eq!(round_trip(text), text);
        }
    }

    #[test]
    fn what_json_cannot_say_is_an_error_with_its_path() {
        let nan = Dynamic::from_map(Map::from_iter([("x".into(), f64::NAN.into())]));
        assert_eq!(to_params(&nan, "json").unwrap_err(), Unfit::NotFinite("json.x".into()));
        let mut nested = Dynamic::UNIT;
        for _ in 0..=MAX_DEPTH {
            nested = vec![nested].into();
        }
        assert_eq!(to_params(&nested, "json").unwrap_err(), Unfit::TooDeep);
    }
}
