//! Reading values: `map.get("a.b", default)`, `parse_json`, `to_json`.

use super::functions::Function;
use super::{convert, fault, number};
use crate::json;
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "get(map: map, path: String) -> any",
        summary: "What is at a dotted path, or `()`.",
        example: r#"#{a: [#{b: 1}]}.get("a.0.b")"#,
        gives: "1",
    },
    Function {
        module: "",
        signature: "get(map: map, path: String, absent: any) -> any",
        summary: "What is at a dotted path, or what is to stand for it.",
        example: r#"#{a: #{b: 1}}.get("a.c", "none")"#,
        gives: r#""none""#,
    },
    Function {
        module: "",
        signature: "parse_json(text: String) -> any",
        summary: "The value of a JSON text.",
        example: r#"parse_json(`{"a": [1, null]}`).a[0]"#,
        gives: "1",
    },
    Function {
        module: "",
        signature: "to_json(value: any) -> String",
        summary: "A value as JSON text.",
        example: "#{a: [1, ()]}.to_json()",
        gives: r#""{\"a\":[1,null]}""#,
    },
];

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("get", |map: &mut Map, path: ImmutableString| get(map, &path).unwrap_or(Dynamic::UNIT));
    engine.register_fn("get", |map: &mut Map, path: ImmutableString, absent: Dynamic| {
        get(map, &path).filter(|value| !value.is_unit()).unwrap_or(absent)
    });
    engine.register_fn("parse_json", |text: ImmutableString| parse_json(&text));
    engine.register_fn("to_json", |value: Dynamic| to_json(&value));
    // The standard one takes maps only, and knows neither large numbers nor secrets.
    engine.register_fn("to_json", |value: &mut Map| to_json(&Dynamic::from_map(value.clone())));
    engine.register_fn("to_json", |value: &mut Array| to_json(&Dynamic::from_array(value.clone())));
}

/// The value at a dotted path: keys of maps and indices of lists. A key that is the whole rest
/// of the path wins, so `get("user.name")` also reads a key with a dot in it.
pub(super) fn get(map: &Map, path: &str) -> Option<Dynamic> {
    if let Some(value) = map.get(path) {
        return Some(value.clone());
    }
    let (first, rest) = path.split_once('.')?;
    step(map.get(first)?, rest)
}

fn step(value: &Dynamic, path: &str) -> Option<Dynamic> {
    if let Some(map) = value.read_lock::<Map>() {
        return get(&map, path);
    }
    let items = value.read_lock::<Array>()?;
    let (index, rest) = path.split_once('.').unwrap_or((path, ""));
    let item = items.get(index.parse::<usize>().ok()?)?;
    if rest.is_empty() { Some(item.clone()) } else { step(item, rest) }
}

fn parse_json(text: &str) -> Fallible<Dynamic> {
    if let Some(number) = json::Number::parse(text) {
        return Ok(number::to_dynamic(&number));
    }
    let value =
        json::parse(text.as_bytes()).map_err(|error| fault(format!("the text is no JSON: {error}")))?;
    Ok(convert::to_dynamic(&value))
}

fn to_json(value: &Dynamic) -> Fallible<String> {
    convert::to_json(value).map(|json| json.to_string()).map_err(|error| fault(error.to_string()))
}
