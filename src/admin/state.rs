//! `POST /api/kv`: an operator's hand in the state of scripts.

use super::Admin;
use super::answer::{error, json, unavailable};
use crate::json::{self as parser, Json, Object};
use crate::kv::{Changes, Expiry, Write};
use http::{Response, StatusCode};
use jiff::Timestamp;

impl Admin {
    /// `{namespace, key, value, ttl}`; without a `value` the key is removed.
    pub(super) async fn change_state(&self, body: &[u8]) -> Response<String> {
        let changes = match changes(body) {
            Ok(changes) => changes,
            Err(message) => return error(StatusCode::BAD_REQUEST, &message),
        };
        match self.journal.change(changes, Timestamp::now()).await {
            Ok(()) => json(StatusCode::OK, &Json::object([("status", "success".into())])),
            Err(problem) => unavailable(&problem),
        }
    }
}

fn changes(body: &[u8]) -> Result<Changes, String> {
    let Ok(Json::Object(object)) = parser::parse(body) else {
        return Err("a JSON object with `namespace`, `key` and, to set it, `value` is wanted".into());
    };
    let known = ["namespace", "key", "value", "ttl"];
    if let Some(unknown) = object.keys().find(|key| !known.contains(key)) {
        return Err(format!("there is no `{unknown}` here: there are {}", known.join(", ")));
    }
    let write = match object.get("value") {
        Some(value) => Write::Set { json: value.to_string(), expiry: expiry(&object)? },
        None => Write::Delete,
    };
    let writes = [(text(&object, "key")?, write)].into();
    Ok(Changes { namespace: text(&object, "namespace")?, reads: Vec::new(), writes })
}

fn text(object: &Object, name: &str) -> Result<String, String> {
    let text = object.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("`{name}` is a text that is not empty"))
}

fn expiry(object: &Object) -> Result<Expiry, String> {
    match object.get("ttl").map(|ttl| (ttl, ttl.as_str().map(crate::duration::parse))) {
        None => Ok(Expiry::Never),
        Some((_, Some(Ok(ttl)))) => Ok(Expiry::After(ttl)),
        Some((given, _)) => Err(format!("`ttl` is a duration such as \"10m\", not {given}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_or_refused_with_a_sentence() {
        let set = changes(br#"{"namespace":"n","key":"k","value":[1],"ttl":"10m"}"#).unwrap();
        let ten_minutes = std::time::Duration::from_secs(600);
        let write = Write::Set { json: "[1]".into(), expiry: Expiry::After(ten_minutes) };
        assert_eq!((set.namespace.as_str(), set.writes.get("k")), ("n", Some(&write)));
        let removed = changes(br#"{"namespace":"n","key":"k"}"#).unwrap();
        assert_eq!(removed.writes.get("k"), Some(&Write::Delete));
        for (body, sentence) in [
            ("[]", "a JSON object with"),
            (r#"{"namespace":"n","key":""}"#, "`key` is a text"),
            (r#"{"key":"k"}"#, "`namespace` is a text"),
            (
                r#"{"namespace":"n","key":"k","value":1,"ttl":5}"#,
                "`ttl` is a duration such as \"10m\", not 5",
            ),
            (
                r#"{"namespace":"n","key":"k","value":1,"ttl":"18446744073709551615s 1s"}"#,
                "`ttl` is a duration such as \"10m\"",
            ),
            (r#"{"namespace":"n","key":"k","velue":1}"#, "there is no `velue` here"),
        ] {
            let error = changes(body.as_bytes()).unwrap_err();
            assert!(error.starts_with(sentence), "{body}: {error}");
        }
    }
}
