//! The events of the load: each another one, and signed.

use crate::requests::SECRET;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use std::sync::atomic::{AtomicU64, Ordering};

/// Events of the shape that the sender's documentation shows.
pub struct Events {
    /// The members that make a payload as large as it is to be.
    filling: String,
    /// The events are for so many teams in turn.
    teams: u64,
    sent: AtomicU64,
}

impl Events {
    /// For `team-0` and so on, of so many bytes; with 0, of the usual size.
    pub fn new(teams: u64, bytes: usize) -> Self {
        let mut events = Self { filling: String::new(), teams, sent: AtomicU64::new(0) };
        events.filling = filling(bytes.saturating_sub(events.body(0).len()));
        events
    }

    /// How many there have been.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The next one's request.
    pub fn request(&self) -> Vec<u8> {
        let body = self.body(self.sent.fetch_add(1, Ordering::Relaxed));
        let timestamp = Timestamp::now().as_second();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
        mac.update(format!("{timestamp}.{body}").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let length = body.len();
        format!(
            "POST /hooks/browser-use HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             x-browser-use-timestamp: {timestamp}\r\nx-browser-use-signature: {signature}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Its members stand in the order that the signature is made in.
    fn body(&self, number: u64) -> String {
        let (team, filling) = (number % self.teams, &self.filling);
        format!(
            r#"{{"payload":{{"metadata":{{"campaign":"q4-automation","team":"team-{team}"}},{filling}"session_id":"cd9cc7bf-e3af-4181-9000-{number:012x}","status":"finished","task_id":"5b73fb3f-a3cb-4912-9000-{number:012x}"}},"timestamp":"2025-05-25T09:22:22.269116+00:00","type":"agent.task.status_update"}}"#
        )
    }
}

/// Members of so many bytes, in their order; none, if it is too few for one.
fn filling(bytes: usize) -> String {
    const REST: &str = r#""rest":"","#;
    let mut members = String::new();
    for line in 0.. {
        let member = format!(r#""result_{line:06}":{{"price":{line}.25,"title":"Ergebnis {line}"}},"#);
        if members.len() + member.len() + REST.len() > bytes {
            break;
        }
        members.push_str(&member);
    }
    let left = bytes - members.len();
    if left < REST.len() {
        return members;
    }
    format!(r#""rest":"{}",{members}"#, "x".repeat(left - REST.len()))
}
