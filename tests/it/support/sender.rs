//! The sender: bodies as Browser Use Cloud makes them, signed independently of the code under test.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::io;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::http::{self, Answer};

pub const SECRET: &str = "whsec_tests";

/// A status update for a task.
pub fn event(task: &str, status: &str, metadata: Value) -> Value {
    json!({
        "type": "agent.task.status_update",
        "timestamp": "2025-05-25T09:22:22.269116+00:00",
        "payload": {"session_id": "s-1", "task_id": task, "status": status, "metadata": metadata},
    })
}

/// The headers that sign a body whose text is its own canonical form (ASCII, keys sorted, no
/// spaces: what `serde_json` writes for such a value).
pub fn signed(body: &str) -> Vec<(&'static str, String)> {
    sign_at(body, &now_s().to_string())
}

pub fn sign_at(canonical: &str, timestamp: &str) -> Vec<(&'static str, String)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
    mac.update(format!("{timestamp}.{canonical}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    vec![
        ("content-type", "application/json".to_owned()),
        ("x-browser-use-timestamp", timestamp.to_owned()),
        ("x-browser-use-signature", signature),
    ]
}

/// Posts a body with headers to the hook.
pub fn post(to: SocketAddr, headers: &[(&str, String)], body: &[u8]) -> io::Result<Answer> {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    http::request(to, "POST", "/hooks/browser-use", &headers, body)
}

/// Unix seconds.
#[allow(clippy::disallowed_methods, reason = "a test is an edge: it plays the sender, who has a clock")]
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}
