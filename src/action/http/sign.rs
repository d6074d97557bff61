//! Signatures of what goes out, by the scheme of Standard Webhooks: who knows the secret can tell who
//! sent a request, when, and that nobody changed it.
//!
//! Source: standard-webhooks, `spec/standard-webhooks.md`, and its Rust and JavaScript libraries.

use crate::action::ActionError;
use crate::action::client::{Request, header_value};
use crate::action::params::keys;
use crate::json::Json;
use crate::registry::{ConfigError, token};
use crate::template::Params;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// Before a secret that is written in base64; all others are taken as they are.
const BASE64_PREFIX: &str = "whsec_";
/// Before a key of the other, asymmetric scheme.
const ASYMMETRIC_PREFIX: &str = "whsk_";
/// As providers show it, with its padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reports literal secrets that cannot be used, and headers that would be set twice.
pub(super) fn check(params: &Params, errors: &mut Vec<ConfigError>) {
    let Some(sign) = params.get("sign") else { return };
    if let Some(Err(message)) = sign.literal().map(|literal| secrets(&literal)) {
        errors.push(ConfigError::at("/sign", message));
    }
    let is_ours = |name: &str| [ID, TIMESTAMP, SIGNATURE].contains(&name.to_ascii_lowercase().as_str());
    let taken = |name: &str| format!("the header `{name}` is set by `sign`");
    let given = params.get("headers").and_then(|headers| keys(&headers)).unwrap_or_default();
    for name in given.iter().filter(|name| is_ours(name)) {
        errors.push(ConfigError::key(format!("/headers{}", token(name)), taken(name)));
    }
    let forwarded = params.get("forward_headers").and_then(|names| names.literal());
    for (index, name) in forwarded.iter().flat_map(|names| names.as_array().unwrap_or_default()).enumerate() {
        if let Some(name) = name.as_str().filter(|name| is_ours(name)) {
            errors.push(ConfigError::at(format!("/forward_headers/{index}"), taken(name)));
        }
    }
}

/// Adds the three headers. `sign` is a secret, or a list of them: a signature by each, so that the
/// receiver may know the old or the new one while it is changed.
///
/// # Errors
/// [`ActionError::Blocked`]: a secret that cannot be used. It is not shown.
pub(super) fn sign(request: &mut Request, sign: &Json, id: &str, now: Timestamp) -> Result<(), ActionError> {
    let secrets = secrets(sign).map_err(ActionError::Blocked)?;
    let seconds = now.as_second().to_string();
    let signatures = secrets.iter().map(|secret| signature(secret, id, &seconds, &request.body));
    let signatures = signatures.collect::<Vec<_>>().join(" ");
    for (name, value) in [(ID, id), (TIMESTAMP, &*seconds), (SIGNATURE, &*signatures)] {
        request.headers.insert(name, header_value(name, value)?);
    }
    Ok(())
}

fn signature(secret: &[u8], id: &str, seconds: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length is a key");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// The keys that `sign` gives, at least one.
fn secrets(sign: &Json) -> Result<Vec<Vec<u8>>, String> {
    let given = sign.as_array().unwrap_or(std::slice::from_ref(sign));
    if given.is_empty() {
        return Err("`sign` is a secret or a list of secrets, and this list is empty".to_owned());
    }
    given.iter().map(secret).collect()
}

fn secret(given: &Json) -> Result<Vec<u8>, String> {
    let Some(text) = given.as_str() else {
        return Err(format!("`sign` is a secret or a list of secrets, not a {}", given.kind()));
    };
    if text.starts_with(ASYMMETRIC_PREFIX) {
        return Err(format!(
            "`sign` makes signatures of shared secrets, not of a private key (`{ASYMMETRIC_PREFIX}…`)"
        ));
    }
    let key = match text.strip_prefix(BASE64_PREFIX) {
        Some(encoded) => LENIENT.decode(encoded).map_err(|_| {
            format!("`sign` has a secret that begins with `{BASE64_PREFIX}`, and what stands behind that is not base64")
        })?,
        None => text.as_bytes().to_vec(),
    };
    if key.is_empty() { Err("`sign` has an empty secret".to_owned()) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;
    const MESSAGE: (&str, i64) = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553);

    fn signed(
        given: &Json,
        (id, seconds): (&str, i64),
        body: &'static str,
    ) -> Result<[String; 3], ActionError> {
        let (method, url, headers) = (Method::POST, "http://crm.example/".to_owned(), HeaderMap::new());
        let mut request = Request { method, url, headers, body: Bytes::from_static(body.as_bytes()) };
        sign(&mut request, given, id, Timestamp::from_second(seconds).expect("in range"))?;
        Ok([ID, TIMESTAMP, SIGNATURE].map(|name| request.headers[name].to_str().expect("ASCII").to_owned()))
    }

    /// The vectors of the specification's own libraries: `libraries/rust/src/lib.rs` and
    /// `libraries/javascript/src/webhook.test.ts`.
    #[test]
    fn signatures_are_those_of_the_published_examples() {
        for (secret, message, body, signature) in [
            (SECRET, MESSAGE, BODY, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330),
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ] {
            let (id, seconds) = message;
            let headers = signed(&secret.into(), message, body).expect("it is a good secret");
            assert_eq!(headers, [id.to_owned(), seconds.to_string(), signature.to_owned()]);
        }
    }

    #[test]
    fn each_secret_makes_a_signature_and_a_raw_one_is_its_own_bytes() {
        let raw = String::from_utf8(vec![b'k'; 24]).expect("ASCII");
        let encoded = format!("whsec_{}", BASE64_STANDARD.encode(&raw));
        let list = Json::Array(vec![SECRET.into(), raw.into(), encoded.trim_end_matches('=').into()]);
        let [.., signature] = signed(&list, MESSAGE, BODY).expect("all are good");
        let parts: Vec<_> = signature.split(' ').collect();
        let [first, second, third] = parts[..] else { panic!("{signature}") };
        assert_eq!(first, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
        assert!(second != first && second == third, "{signature}");
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_told_and_not_shown() {
        for (given, part) in [
            (Json::from("whsec_s3cr3t!"), "is not base64"),
            (Json::from("whsec_"), "an empty secret"),
            (Json::from(""), "an empty secret"),
            (Json::from("whsk_s3cr3t"), "not of a private key"),
            (Json::from(7u64), "not a number"),
            (Json::Array(vec![SECRET.into(), Json::Null]), "not a null"),
            (Json::Array(Vec::new()), "this list is empty"),
        ] {
            let error = signed(&given, MESSAGE, BODY).expect_err("it cannot be used");
            assert!(matches!(&error, ActionError::Blocked(why) if why.contains(part)), "{given}: {error}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
    }
}
