//! Texts in base64, in hex and in URLs. What is decoded has to be UTF-8.

use super::{Fallible, Function, Output, excerpt, plain};
use crate::script::{fault, state};
use crate::template::url_encode;
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "base64_encode(text: String) -> String",
        summary: "A text in base64, with padding.",
        example: r#"base64_encode("user:pass?")"#,
        gives: r#""dXNlcjpwYXNzPw==""#,
    },
    Function {
        module: "",
        signature: "base64_decode(text: String) -> String",
        summary: "The text behind base64, with or without its padding.",
        example: r#"base64_decode("dXNlcjpwYXNzPw")"#,
        gives: r#""user:pass?""#,
    },
    Function {
        module: "",
        signature: "base64url_encode(text: String) -> String",
        summary: "A text in the URL-safe base64, without padding.",
        example: r#"base64url_encode("a?>~")"#,
        gives: r#""YT8-fg""#,
    },
    Function {
        module: "",
        signature: "base64url_decode(text: String) -> String",
        summary: "The text behind URL-safe base64, with or without padding, such as a part of a JWT.",
        example: r#"base64url_decode("YT8-fg").contains("?>")"#,
        gives: "true",
    },
    Function {
        module: "",
        signature: "hex_encode(text: String) -> String",
        summary: "A text's UTF-8 in hex digits.",
        example: r#"hex_encode("aé")"#,
        gives: r#""61c3a9""#,
    },
    Function {
        module: "",
        signature: "hex_decode(text: String) -> String",
        summary: "The text behind hex digits, large or small.",
        example: r#"hex_decode("61C3A9")"#,
        gives: r#""aé""#,
    },
    Function {
        module: "",
        signature: "url_encode(text: String) -> String",
        summary: "A text percent-encoded, so that it is one part of a URL's path or query.",
        example: r#"url_encode("a/b c&d")"#,
        gives: r#""a%2Fb%20c%26d""#,
    },
    Function {
        module: "",
        signature: "url_decode(text: String) -> String",
        summary: "The text behind percent-encoding; a `+` stays one.",
        example: r#"url_decode("a%2Fb%20c+d")"#,
        gives: r#""a/b c+d""#,
    },
    Function {
        module: "",
        signature: "query_encode(map: map) -> String",
        summary: "A map as a query, in the order of its keys; a list is its key several times, `()` is left out.",
        example: r#"query_encode(#{q: "a b", page: 2, tag: ["x", "y"], none: ()})"#,
        gives: r#""page=2&q=a%20b&tag=x&tag=y""#,
    },
];

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

pub(super) fn register(engine: &mut Engine) {
    encoding(engine, "base64_encode", |text| BASE64_STANDARD.encode(text));
    encoding(engine, "base64url_encode", |text| BASE64_URL_SAFE_NO_PAD.encode(text));
    encoding(engine, "hex_encode", |text| hex::encode(text));
    encoding(engine, "url_encode", url_encode);
    decoding(engine, "base64_decode", "base64", |text| STANDARD.decode(text).ok());
    decoding(engine, "base64url_decode", "URL-safe base64", |text| URL_SAFE.decode(text).ok());
    decoding(engine, "hex_decode", "hex", |text| hex::decode(text).ok());
    decoding(engine, "url_decode", "percent-encoding", |text| {
        Some(percent_encoding::percent_decode_str(text).collect())
    });
    engine.register_fn("query_encode", query_encode);
}

fn encoding(engine: &mut Engine, name: &str, encode: fn(&str) -> String) {
    engine.register_fn(name, move |text: ImmutableString| -> Fallible<String> {
        state::work(text.len())?;
        Ok(encode(&text))
    });
}

fn decoding(engine: &mut Engine, name: &str, what: &'static str, decode: fn(&str) -> Option<Vec<u8>>) {
    engine.register_fn(name, move |text: ImmutableString| -> Fallible<String> {
        state::work(text.len())?;
        let bytes = decode(&text).ok_or_else(|| fault(format!("{} is not {what}", excerpt(&text))))?;
        String::from_utf8(bytes)
            .map_err(|_| fault(format!("what {} stands for is not UTF-8 text", excerpt(&text))))
    });
}

fn query_encode(context: NativeCallContext, map: &mut Map) -> Fallible<String> {
    let mut query = Query(Output::new(&context));
    for (key, value) in map.iter() {
        match value.read_lock::<Array>() {
            Some(values) => values.iter().try_for_each(|value| query.add(key, value))?,
            None => query.add(key, value)?,
        }
    }
    query.0.finish()
}

struct Query(Output);

impl Query {
    fn add(&mut self, key: &str, value: &Dynamic) -> Fallible<()> {
        if value.is_unit() {
            return Ok(());
        }
        if value.is_map() || value.is_array() {
            return Err(fault(format!("`{key}` is a map or a list of lists, which a query cannot hold")));
        }
        let value = plain(value)?;
        state::work(key.len() + value.len())?;
        let separator = if self.0.is_empty() { "" } else { "&" };
        [separator, &url_encode(key), "=", &url_encode(&value)].iter().try_for_each(|part| self.0.push(part))
    }
}
