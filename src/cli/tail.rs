//! `hookyard tail`: what happens in a running server, line by line.

use super::output::{self, OutputError, printable};
use super::{Common, Verdict, server, setup};
use crate::action::{Client, Consent, Egress};
use crate::json::{self, Json};
use anyhow::bail;
use http::{Method, StatusCode};

/// A line that is longer is none of hookyard's.
const LINE_BYTES: usize = 1 << 20;

pub(super) fn run(common: &Common) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let address = server::reachable(&config.admin.listen);
    let request = server::request(&config, Method::GET, &address, "/api/stream", None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::new(Egress::default());
        let mut stream = match client.follow(request, &Consent::Author).await {
            Ok(stream) => stream,
            Err(error) => bail!("no server answers at {address}: {error}"),
        };
        if !stream.status().is_success() {
            let status = stream.status();
            if status == StatusCode::MISDIRECTED_REQUEST {
                bail!("{}", server::another(&config));
            }
            let said = stream.next().await?.unwrap_or_default();
            let message =
                json::parse(&said).ok().and_then(|said| Some(said.get("message")?.as_str()?.to_owned()));
            bail!("the server refuses: {}", message.unwrap_or_else(|| status.to_string()));
        }
        let mut lines = Lines::default();
        while let Ok(Some(bytes)) = stream.next().await {
            for line in lines.add(&bytes) {
                show(&line, common.json)?;
            }
        }
        eprintln!("the server at {address} has stopped");
        Ok(Verdict::Problems)
    })
}

/// The data of server-sent events, of which each is one line here.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// The lines of data that these bytes complete.
    fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        self.0.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            lines.extend(line.strip_prefix("data:").map(|data| data.trim().to_owned()));
        }
        if self.0.len() > LINE_BYTES {
            self.0.clear();
        }
        lines
    }
}

fn show(line: &str, as_json: bool) -> Result<(), OutputError> {
    match json::parse(line.as_bytes()) {
        Ok(happening) if !as_json => output::line(sentence(&happening)),
        _ => output::line(line),
    }
}

/// `10:22:01 received evt_… browser-use agent.task.status_update finished → rule other-rule`.
fn sentence(happening: &Json) -> String {
    let text = |name: &str| match happening.get(name) {
        Some(Json::String(text)) => printable(text),
        Some(Json::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let (at, what) = (text("at"), text("what"));
    let time = at.get(11..19).unwrap_or("--------");
    let rules = || {
        let rules = happening.get("rules").and_then(Json::as_array).unwrap_or_default();
        let rules: Vec<_> = rules.iter().filter_map(Json::as_str).map(printable).collect();
        if rules.is_empty() { "no rule".to_owned() } else { rules.join(" ") }
    };
    match what.as_str() {
        "received" if happening.get("generation") == Some(&Json::Null) => {
            format!(
                "{time} received {} {} {} {} (waits for rules)",
                text("event"),
                text("source"),
                text("type"),
                text("status")
            )
        }
        "received" => {
            let about = [text("event"), text("source"), text("type"), text("status")].join(" ");
            format!("{time} received {about} → {}", rules())
        }
        "replayed" => format!("{time} replayed {}~{} → {}", text("event"), text("number"), rules()),
        "lost" => format!("{time} {} lines are lost: this reader was too slow", text("count")),
        "made pending" | "cancelled" => format!("{time} {what} by hand: {} deliveries", text("count")),
        _ => format!("{time} {what} {} #{} {}", text("delivery"), text("attempt"), text("message")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_comes_in_pieces_of_any_size() {
        let sent = b"event:received\ndata:{\"a\":1}\n\n:\n\nevent:x\ndata: {\"b\":2}\n\n";
        for size in [1, 3, 7, 100] {
            let mut lines = Lines::default();
            let data: Vec<_> = sent.chunks(size).flat_map(|chunk| lines.add(chunk)).collect();
            assert_eq!(data, [r#"{"a":1}"#, r#"{"b":2}"#], "{size}");
        }
    }

    #[test]
    fn a_line_is_a_sentence_without_control_characters() {
        let told = |text: &str| sentence(&json::parse(text.as_bytes()).expect(text));
        let received = r#"{"at":"2026-11-23T10:22:01.5Z","what":"received","event":"evt_1","source":"s","type":"a\u001bb","status":null,"generation":3,"rules":["x","y"]}"#;
        assert_eq!(told(received), "10:22:01 received evt_1 s a\\u{1b}b - → x y");
        let tried = r#"{"at":"2026-11-23T10:22:01Z","what":"retried","delivery":"evt_1/r/a","attempt":2,"message":"503"}"#;
        assert_eq!(told(tried), "10:22:01 retried evt_1/r/a #2 503");
        assert_eq!(
            told(r#"{"what":"lost","count":7}"#),
            "-------- 7 lines are lost: this reader was too slow"
        );
    }
}
