//! Refused requests, kept for inspection: a bounded ring beside the journal, outside of its commits.
//!
//! Two files, the newer one written to, the older one dropped when it is full. Whoever floods an
//! endpoint fills the ring and nothing else: what comes faster than [`PER_SECOND`] is counted and
//! not kept. After a secret is mended, what was refused for it can be verified again as of its
//! time of receipt.

use crate::headers::Headers;
use crate::json::{self, Json};
use crate::source::{Accepted, Incoming, Received, Refused, Source, is_hidden_header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};

/// Where one of the two files is changed for the other, in bytes.
const FILE_BYTES: u64 = 8 << 20;
/// A longer body is not kept: its request can be looked at, but not verified again.
pub const BODY_BYTES: usize = 64 << 10;
/// So many are kept in a second at most; as many may come at once.
pub const PER_SECOND: f64 = 20.0;
/// So many wait to be written.
const QUEUE: usize = 64;

/// A request that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub received_at: Timestamp,
    pub source: String,
    pub status: u16,
    /// The sentence that the sender got.
    pub reason: String,
    /// Names lower case; those that carry a credential are not written.
    pub headers: Headers,
    /// `None`: it was longer than [`BODY_BYTES`], or refused before it was read.
    pub body: Option<Bytes>,
}

impl Record {
    /// Verifies it again, as of its time of receipt.
    ///
    /// # Errors
    /// What is wrong with it still; `None`: its body was not kept, or it is a creation test.
    pub fn verify(&self, source: &Source, random: u128) -> Result<Received, Option<Refused>> {
        let body = self.body.clone().ok_or(None)?;
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers.iter() {
            let parsed = (name.parse::<HeaderName>(), HeaderValue::from_str(value));
            if let (Ok(name), Ok(value)) = parsed {
                headers.append(name, value);
            }
        }
        let incoming = Incoming { headers: &headers, body, now: self.received_at, random };
        match source.accept(incoming) {
            Ok(Accepted::Event(received)) => Ok(*received),
            Ok(Accepted::CreationTest) => Err(None),
            Err(refused) => Err(Some(refused)),
        }
    }

    /// As people may see it: without signatures and credentials, the body as text.
    pub fn shown(&self) -> Json {
        let headers = self.headers.iter().filter(|(name, _)| !is_hidden_header(name));
        let body = self.body.as_ref().map(|body| Json::from(String::from_utf8_lossy(body).into_owned()));
        Json::object([
            ("received_at", Json::from(self.received_at.to_string())),
            ("source", self.source.as_str().into()),
            ("status", u32::from(self.status).into()),
            ("reason", self.reason.as_str().into()),
            ("headers", Json::object(headers.map(|(name, value)| (name, Json::from(value))))),
            ("body", body.unwrap_or(Json::Null)),
        ])
    }

    fn line(&self) -> String {
        let pair = |(name, value)| Json::from(vec![Json::from(name), Json::from(value)]);
        let headers = self.headers.iter().filter(|(name, _)| !is_credential(name));
        let body = self.body.as_ref().map(|body| Json::from(BASE64_STANDARD.encode(body)));
        let record = Json::object([
            ("at", Json::from(self.received_at.as_millisecond())),
            ("source", self.source.as_str().into()),
            ("status", u32::from(self.status).into()),
            ("reason", self.reason.as_str().into()),
            ("headers", headers.map(pair).collect::<Vec<_>>().into()),
            ("body", body.unwrap_or(Json::Null)),
        ]);
        format!("{record}\n")
    }

    /// `None` for a line that was not written whole.
    fn read(line: &[u8]) -> Option<Self> {
        let record = json::parse(line).ok()?;
        let text = |name| record.get(name).and_then(Json::as_str).map(str::to_owned);
        let number = |name| record.get(name).and_then(Json::as_number)?.as_i64();
        fn pair(pair: &Json) -> Option<(&str, &str)> {
            let pair = pair.as_array()?;
            Some((pair.first()?.as_str()?, pair.get(1)?.as_str()?))
        }
        Some(Self {
            received_at: Timestamp::from_millisecond(number("at")?).ok()?,
            source: text("source")?,
            status: u16::try_from(number("status")?).ok()?,
            reason: text("reason")?,
            headers: record.get("headers")?.as_array()?.iter().filter_map(pair).collect(),
            body: text("body").and_then(|body| BASE64_STANDARD.decode(body).ok()).map(Bytes::from),
        })
    }
}

/// Whether a header carries what opens a door by itself: nobody needs it to verify again, and this
/// request may have been meant for another. A signature is good for its own request only.
fn is_credential(name: &str) -> bool {
    is_hidden_header(name) && !["signature", "hmac"].iter().any(|part| name.contains(part))
}

/// The two files of a journal.
fn files(journal: &Path) -> [PathBuf; 2] {
    ["refused", "refused.old"].map(|ending| {
        let mut path = journal.as_os_str().to_owned();
        path.push(".");
        path.push(ending);
        path.into()
    })
}

/// What is kept beside a journal, the newest first.
///
/// # Errors
/// A file that is there cannot be read.
pub fn read(journal: &Path) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    for file in files(journal).iter().rev() {
        match std::fs::read(file) {
            Ok(text) => records.extend(text.split(|byte| *byte == b'\n').filter_map(Record::read)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    records.reverse();
    Ok(records)
}

/// The writing side. Cheap to clone; never waits.
#[derive(Clone)]
pub struct Ring(SyncSender<Record>);

impl Ring {
    /// Starts the thread that writes. It ends when the last clone is dropped.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(journal: &Path) -> io::Result<Self> {
        let (records, queue) = mpsc::sync_channel::<Record>(QUEUE);
        let mut writing = Writing { files: files(journal), file: None, failed: false };
        let run = move || queue.iter().for_each(|record| writing.write(&record));
        std::thread::Builder::new().name("refused".into()).spawn(run)?;
        Ok(Self(records))
    }

    /// Keeps a request, unless too many come at once.
    pub fn keep(&self, record: Record) {
        if self.0.try_send(record).is_err() {
            metrics::counter!("hookyard_refused_not_kept_total").increment(1);
        }
    }
}

struct Writing {
    files: [PathBuf; 2],
    file: Option<File>,
    failed: bool,
}

impl Writing {
    fn write(&mut self, record: &Record) {
        let written = self.try_write(record.line().as_bytes());
        match (&written, self.failed) {
            (Err(error), false) => tracing::warn!(%error, "refused requests cannot be kept for inspection"),
            (Ok(()), true) => tracing::info!("refused requests are kept again"),
            _ => {}
        }
        self.failed = written.is_err();
        if self.failed {
            self.file = None;
        }
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        let [current, old] = &self.files;
        if self.file.is_none() {
            self.file = Some(OpenOptions::new().create(true).append(true).mode(0o600).open(current)?);
        }
        let file = self.file.as_mut().expect("it was opened just now");
        file.write_all(line)?;
        if file.metadata()?.len() >= FILE_BYTES {
            self.file = None;
            std::fs::rename(current, old)?;
        }
        Ok(())
    }
}

/// How many may be kept still: a bucket that fills by [`PER_SECOND`].
#[derive(Debug)]
pub struct Allowance {
    left: f64,
    at: std::time::Instant,
}

impl Allowance {
    pub fn full(now: std::time::Instant) -> Self {
        Self { left: PER_SECOND, at: now }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: std::time::Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * PER_SECOND).min(PER_SECOND);
        self.at = now;
        let fits = self.left >= 1.0;
        if fits {
            self.left -= 1.0;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn record(number: u32, body: &str) -> Record {
        Record {
            received_at: Timestamp::from_millisecond(1_764_000_000_000 + i64::from(number)).unwrap(),
            source: "shop".into(),
            status: 403,
            reason: "the signature does not match".into(),
            headers: [("x-n", number.to_string().as_str()), ("x-signature", "s3cret\u{e9}")]
                .into_iter()
                .collect(),
            body: Some(Bytes::copy_from_slice(body.as_bytes())),
        }
    }

    fn written(dir: &Path, records: &[Record]) -> Vec<Record> {
        let mut writing = Writing { files: files(&dir.join("j.db")), file: None, failed: false };
        records.iter().for_each(|record| writing.write(record));
        read(&dir.join("j.db")).unwrap()
    }

    #[test]
    fn what_is_kept_reads_back_newest_first_and_a_torn_line_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let records = [record(1, "a"), Record { body: None, ..record(2, "") }, record(3, "\n\u{0}{\"b\"")];
        let read_back = written(dir.path(), &records);
        assert_eq!(read_back, records.iter().rev().cloned().collect::<Vec<_>>());
        let mut file = OpenOptions::new().append(true).open(dir.path().join("j.db.refused")).unwrap();
        file.write_all(br#"{"at":1,"sour"#).unwrap();
        assert_eq!(read(&dir.path().join("j.db")).unwrap().len(), 3);
    }

    #[test]
    fn the_ring_is_bounded_and_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let body = "x".repeat(BODY_BYTES);
        let records: Vec<_> = (0..400).map(|number| record(number, &body)).collect();
        let kept = written(dir.path(), &records);
        assert_eq!(kept[0].headers.values("x-n").next(), Some("399"));
        assert!(kept.len() < 300, "{}", kept.len());
        let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap();
        assert!(size("j.db.refused").len() + size("j.db.refused.old").len() < 2 * FILE_BYTES + 200_000);
        assert_eq!(size("j.db.refused").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_written_has_what_verifies_and_no_credentials() {
        let dir = tempfile::tempdir().unwrap();
        let headers_of =
            |names: &[&'static str]| names.iter().map(|name| (*name, "value")).collect::<Headers>();
        let credentials = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];
        let needed = ["content-type", "x-browser-use-signature", "x-browser-use-timestamp", "x-hub-hmac"];
        let headers = headers_of(&[&credentials[..], &needed].concat());
        let read_back = written(dir.path(), &[Record { headers, ..record(1, "a") }]);
        assert_eq!(read_back[0].headers, headers_of(&needed));
    }

    #[test]
    fn what_is_shown_has_no_credentials() {
        let shown = record(1, "body").shown().to_string();
        assert!(
            shown.contains("x-n") && shown.contains("\"body\":\"body\"") && !shown.contains("s3cret"),
            "{shown}"
        );
    }

    #[test]
    fn no_more_than_so_many_come_through_in_a_second() {
        let start = Instant::now();
        let mut allowance = Allowance::full(start);
        let mut through = |ms| (0..100).filter(|_| allowance.take(start + Duration::from_millis(ms))).count();
        assert_eq!([through(0), through(500), through(501)], [20, 10, 0]);
    }
}
