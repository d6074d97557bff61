//! Digests of texts.

use super::{Fallible, Function};
use crate::script::state;
use hmac::{Hmac, KeyInit, Mac};
use rhai::{Engine, ImmutableString};
use sha2::{Digest, Sha256};

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "sha256(text: String) -> String",
        summary: "The SHA-256 of a text's UTF-8, as 64 hex digits.",
        example: r#"sha256("abc")"#,
        gives: r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
    },
    Function {
        module: "",
        signature: "hmac_sha256(key: String, text: String) -> String",
        summary: "The HMAC-SHA256 of a text, as 64 hex digits; the key is no secret, which can only be passed \
                  on.",
        example: r#"hmac_sha256("Jefe", "what do ya want for nothing?")"#,
        gives: r#""5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843""#,
    },
];

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("sha256", |text: ImmutableString| -> Fallible<String> {
        state::work(text.len())?;
        Ok(hex::encode(sha256(&text)))
    });
    engine.register_fn("hmac_sha256", |key: ImmutableString, text: ImmutableString| -> Fallible<String> {
        state::work(key.len() + text.len())?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length is a key");
        mac.update(text.as_bytes());
        Ok(hex::encode(mac.finalize().into_bytes()))
    });
}

pub(super) fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
