//! The endpoints over real sockets, spoken to byte by byte.

use super::*;
use crate::delivery::DeliveryId;
use crate::event::EventId;
use crate::journal::{
    AttemptRecord, Cancelled, Capacity, Chosen, Counts, DeliveryFilter, Derived, EventFilter, Generation,
    GenerationBrief, Happening, Heal, History, JournalError, LaneDepth, Lease, Replay, Settled, Settlement,
    StoredDelivery, StoredEvent, Trim,
};
use crate::kv;
use crate::secret::Secret;
use crate::server::{ServerLimits, serve};
use crate::source::{browser_use, sign};
use async_trait::async_trait;
use futures_util::FutureExt;
use hyper::service::service_fn;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "sesame";
const PATH: &str = "/hooks/browser-use";
const EVENT: &str = r#"{"type":"t","payload":{"status":"finished"}}"#;
const CREATION_TEST: &str = r#"{"type":"test","timestamp":"2024-03-21T12:00:00Z","payload":{"test":"ok"}}"#;
const LONG: Duration = Duration::from_secs(60);

/// Keeps entries in memory; finds twins by their fingerprint.
#[derive(Default)]
struct Memory {
    entries: Mutex<Vec<Entry>>,
    full: AtomicBool,
}

const UNUSED: &str = "the endpoints only append";

#[async_trait]
impl Journal for Memory {
    async fn append(&self, entry: Entry) -> Result<Appended, JournalError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(JournalError::Unavailable("disk full".to_owned()));
        }
        let mut entries = self.entries.lock().unwrap();
        let twin = entries.iter().find(|kept| kept.received.fingerprint == entry.received.fingerprint);
        if let Some(twin) = twin {
            return Ok(Appended::Duplicate(twin.received.event.id()));
        }
        let id = entry.received.event.id();
        entries.push(entry);
        Ok(Appended::New(id))
    }
    async fn route(&self, _: EventId, _: Routing, _: Timestamp) -> Result<(), JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn unrouted(&self, _: usize) -> Result<Vec<StoredEvent>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn lease(&self, _: Timestamp, _: Capacity) -> Result<Lease, JournalError> {
        unreachable!("{UNUSED}")
    }
    fn only_waits(&self, _: &DeliveryId) {
        unreachable!()
    }

    async fn release(&self, _: &DeliveryId) {
        unreachable!("{UNUSED}")
    }
    async fn settle(&self, _: Arc<[Settlement]>) -> Result<Vec<Settled>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn announce(&self, _: Derived, _: Timestamp) -> Result<(), JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn change(&self, _: kv::Changes, _: Timestamp) -> Result<(), JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn heal(&self, _: Heal, _: Timestamp) -> Result<usize, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn retry(&self, _: Chosen, _: Timestamp) -> Result<usize, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn cancel(&self, _: Chosen, _: Timestamp) -> Result<Cancelled, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn replay(&self, _: EventId, _: Routing, _: Timestamp) -> Result<Option<u32>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn keep_generation(
        &self,
        _: &str,
        _: &BTreeMap<String, Vec<u8>>,
        _: Timestamp,
    ) -> Result<u64, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn trim(&self, _: Trim) -> Result<usize, JournalError> {
        unreachable!("{UNUSED}")
    }
    fn work(&self) -> Arc<Notify> {
        unreachable!("{UNUSED}")
    }
    fn happenings(&self) -> broadcast::Receiver<Arc<Happening>> {
        unreachable!("{UNUSED}")
    }
    async fn close(&self) {}
}

#[async_trait]
impl History for Memory {
    async fn events(&self, _: EventFilter) -> Result<Vec<StoredEvent>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn event(&self, _: EventId) -> Result<Option<StoredEvent>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn deliveries(&self, _: DeliveryFilter) -> Result<Vec<StoredDelivery>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn replays(&self, _: EventId) -> Result<Vec<Replay>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn delivery(&self, _: &DeliveryId) -> Result<Option<StoredDelivery>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn count_deliveries(&self, _: DeliveryFilter) -> Result<u64, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn lanes(&self) -> Result<Vec<LaneDepth>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn attempts(&self, _: &DeliveryId) -> Result<Vec<AttemptRecord>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn counts(&self) -> Result<Counts, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn kv_get(&self, _: &str, _: &str, _: Timestamp) -> Result<Option<kv::Value>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn kv_list(
        &self,
        _: &str,
        _: &str,
        _: usize,
        _: Timestamp,
    ) -> Result<Vec<kv::Entry>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn kv_sizes(&self) -> Result<Vec<kv::Size>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn kv_bytes(&self, _: &str) -> Result<u64, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn newest_generation(&self, _: &str) -> Result<Option<Generation>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn generations(&self) -> Result<Vec<GenerationBrief>, JournalError> {
        unreachable!("{UNUSED}")
    }
    async fn generation(&self, _: u64) -> Result<Option<Generation>, JournalError> {
        unreachable!("{UNUSED}")
    }
}

struct Server {
    address: SocketAddr,
    journal: Arc<Memory>,
    sources: watch::Sender<Arc<Sources>>,
    hooks: Arc<Hooks>,
}

fn sources(secret: Option<&str>) -> Arc<Sources> {
    let config = crate::json::parse(b"{}").unwrap();
    let source = Source::build("browser-use", &config, &[secret.map(Secret::new)]).unwrap();
    Arc::new(Sources::new([source]).unwrap())
}

async fn start(limits: HookLimits) -> Server {
    start_with(limits, IN_FLIGHT_BYTES).await
}

async fn start_with(limits: HookLimits, in_flight_bytes: usize) -> Server {
    let journal = Arc::new(Memory::default());
    let (sources, sources_rx) = watch::channel(sources(Some(SECRET)));
    let (_, rules) = watch::channel(None);
    let (_, limits) = watch::channel(limits);
    let mut hooks = Hooks::new(sources_rx, rules, limits, journal.clone());
    hooks.in_flight = Arc::new(Semaphore::new(in_flight_bytes));
    let hooks = Arc::new(hooks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shared = hooks.clone();
    let service =
        service_fn(move |request| answer(shared.clone(), request).map(Ok::<_, std::convert::Infallible>));
    let (_, server_limits) = watch::channel(ServerLimits::default());
    tokio::spawn(serve(listener, service, server_limits, CancellationToken::new()));
    Server { address, journal, sources, hooks }
}

fn limits() -> HookLimits {
    HookLimits { body_bytes: 1 << 20, body_timeout: LONG }
}

/// An answer: status, header lines in lower case, body.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    /// Sends these bytes and reads to the end of the connection.
    async fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        read_reply(&mut stream).await
    }

    /// Posts a body with these further header lines.
    async fn post(&self, path: &str, lines: &[String], body: &[u8]) -> Reply {
        let length = format!("content-length: {}", body.len());
        let mut request = head("POST", path, &[lines, &[length]].concat());
        request.extend_from_slice(body);
        self.raw(&request).await
    }

    async fn post_signed(&self, body: &str) -> Reply {
        self.post(PATH, &signature_lines(body), body.as_bytes()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.raw(&head("GET", path, &[])).await
    }

    fn kept(&self) -> usize {
        self.journal.entries.lock().unwrap().len()
    }
}

fn head(method: &str, path: &str, lines: &[String]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n").into_bytes()
}

fn signature_lines(body: &str) -> Vec<String> {
    let now = Timestamp::now().as_second().to_string();
    let signature = sign(&Secret::new(SECRET), &now, &crate::json::parse(body.as_bytes()).unwrap());
    vec![format!("{}: {now}", browser_use::TIMESTAMP), format!("{}: {signature}", browser_use::SIGNATURE)]
}

async fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut out = Vec::new();
    tokio::time::timeout(LONG, stream.read_to_end(&mut out)).await.expect("an answer in time").unwrap();
    let text = String::from_utf8(out).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn is_error(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert!(reply.head.contains("content-type: application/json"), "{reply:?}");
    let body: serde_json::Value = serde_json::from_str(&reply.body).expect("a JSON body");
    assert_eq!(body["status"], "error");
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
}

#[tokio::test]
async fn a_signed_event_is_kept_before_the_answer_and_its_twin_gets_the_same_id() {
    let server = start(limits()).await;
    let first = server.post_signed(EVENT).await;
    let id = server.journal.entries.lock().unwrap()[0].received.event.id();
    let success = r#""status":"success","message":"Webhook received""#;
    assert_eq!((first.status, first.body), (200, format!(r#"{{{success},"id":"{id}"}}"#)));
    let again = server.post_signed(&EVENT.replace(',', " , ")).await;
    assert_eq!((again.status, again.body), (200, format!(r#"{{{success},"id":"{id}","duplicate":true}}"#)));
    assert_eq!(server.kept(), 1);
    let entries = server.journal.entries.lock().unwrap();
    assert!(entries[0].routing.is_none(), "there is no generation");
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(entries[0].dedupe_since, entries[0].received_at - day);
}

#[tokio::test]
async fn path_method_and_types_are_judged_in_this_order() {
    let server = start(limits()).await;
    let encoded = "content-encoding: gzip".to_owned();
    is_error(&server.post("/hooks/none", &[], b"{}").await, 404);
    is_error(&server.get("/").await, 404);
    let reply = server.get(PATH).await;
    is_error(&reply, 405);
    assert!(reply.head.contains("\r\nallow: post"), "{reply:?}");
    is_error(&server.post(PATH, &[encoded], b"{}").await, 415);
    is_error(
        &server.post(PATH, &["content-type: application/x-www-form-urlencoded".into()], b"a=b").await,
        415,
    );
    is_error(&server.post(PATH, &[], b"").await, 400);
    assert_eq!(server.kept(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_declared_or_chunked() {
    let server = start(HookLimits { body_bytes: 1000, ..limits() }).await;
    let long = "x".repeat(1500);
    is_error(&server.post(PATH, &[], long.as_bytes()).await, 413);
    let mut chunked = head("POST", PATH, &["transfer-encoding: chunked".into()]);
    for piece in long.as_bytes().chunks(100) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    is_error(&server.raw(&chunked).await, 413);
    let waits = vec!["expect: 100-continue".to_owned(), "content-length: 1001".to_owned()];
    is_error(&server.raw(&head("POST", PATH, &waits)).await, 413);
}

#[tokio::test]
async fn a_chunked_body_within_the_limit_is_taken() {
    let server = start(limits()).await;
    let mut lines = signature_lines(EVENT);
    lines.push("transfer-encoding: chunked".to_owned());
    let mut request = head("POST", PATH, &lines);
    let (front, back) = EVENT.split_at(7);
    for piece in [front, back, ""] {
        request.extend_from_slice(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
    }
    assert_eq!(server.raw(&request).await.status, 200);
}

#[tokio::test]
async fn a_client_that_stops_half_way_is_told_and_one_that_breaks_off_leaves_nothing() {
    let server = start(HookLimits { body_timeout: Duration::from_millis(200), ..limits() }).await;
    let mut half = head("POST", PATH, &["content-length: 100".into()]);
    half.extend_from_slice(b"{\"type\"");
    is_error(&server.raw(&half).await, 408);
    let mut broken = head("POST", PATH, &["transfer-encoding: chunked".into()]);
    broken.extend_from_slice(b"zz\r\n");
    is_error(&server.raw(&broken).await, 400);
    assert_eq!(server.kept(), 0);
    assert_eq!(server.hooks.in_flight.available_permits(), IN_FLIGHT_BYTES);
}

#[tokio::test]
async fn bodies_that_are_not_one_json_object_are_refused() {
    let server = start(limits()).await;
    let brackets = "[".repeat(100_000);
    for body in [b"{\"a\":\"\xff\"}".as_slice(), brackets.as_bytes(), b"[]", b"{\"a\":1,\"a\":2}"] {
        is_error(&server.post(PATH, &[], body).await, 400);
    }
}

#[tokio::test]
async fn signatures_are_wanted_once_and_right() {
    let server = start(limits()).await;
    let lines = signature_lines(EVENT);
    let post = async |lines: &[String]| server.post(PATH, lines, EVENT.as_bytes()).await;
    is_error(&post(&[]).await, 400);
    is_error(&post(&[lines.clone(), lines[1..].to_vec()].concat()).await, 400);
    let wrong = format!("{}: {}", browser_use::SIGNATURE, "0".repeat(64));
    let reply = post(&[lines[0].clone(), wrong]).await;
    is_error(&reply, 403);
    assert_eq!(reply.body, r#"{"status":"error","message":"the signature does not match"}"#);
    assert_eq!(server.kept(), 0);
}

#[tokio::test]
async fn a_waiting_source_answers_the_creation_test_and_503_until_a_reload_brings_its_secret() {
    let server = start(limits()).await;
    server.sources.send_replace(sources(None));
    let reply = server.post(PATH, &[], CREATION_TEST.as_bytes()).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"status":"success","message":"Webhook received"}"#)
    );
    let reply = server.post_signed(EVENT).await;
    is_error(&reply, 503);
    assert!(reply.head.contains("\r\nretry-after: 60"), "{reply:?}");
    assert_eq!(server.kept(), 0);
    server.sources.send_replace(sources(Some(SECRET)));
    assert_eq!(server.post_signed(EVENT).await.status, 200);
}

#[tokio::test]
async fn while_the_journal_cannot_commit_the_sender_is_told_to_retry() {
    let server = start(limits()).await;
    server.journal.full.store(true, Ordering::Relaxed);
    let reply = server.post_signed(EVENT).await;
    is_error(&reply, 503);
    assert!(reply.head.contains("\r\nretry-after: 5"), "{reply:?}");
    assert!(!reply.body.contains("disk"), "{reply:?}");
    assert_eq!(server.hooks.ready(), Err(NotReady::Journal));
    server.journal.full.store(false, Ordering::Relaxed);
    assert_eq!(server.post_signed(EVENT).await.status, 200);
    assert_eq!(server.hooks.ready(), Err(NotReady::NoGeneration));
}

#[tokio::test]
async fn bodies_beyond_what_all_may_take_are_shed_and_the_room_comes_back() {
    let server = start_with(limits(), 8192).await;
    let large = format!(r#"{{"type":"t","pad":"{}"}}"#, "x".repeat(8192));
    is_error(&server.post_signed(&large).await, 503);
    assert_eq!(server.post_signed(EVENT).await.status, 200);
    assert_eq!(server.hooks.in_flight.available_permits(), 8192);
}

#[tokio::test]
async fn health_is_told_apart_from_readiness() {
    let server = start(limits()).await;
    let health = server.get("/healthz").await;
    assert_eq!((health.status, health.body.as_str()), (200, r#"{"status":"ok"}"#));
    is_error(&server.get("/readyz").await, 503);
}

#[tokio::test]
async fn what_happens_is_counted_and_nothing_of_an_unknown_path_becomes_a_label() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    // The test's runtime has one thread, which is this one.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let server = start(limits()).await;
    server.post_signed(EVENT).await;
    server.post_signed(EVENT).await;
    server.post(PATH, &[], CREATION_TEST.as_bytes()).await;
    server.post(PATH, &[], EVENT.as_bytes()).await;
    server.post("/attacker", &[], b"{}").await;
    let page = page.render();
    for line in [
        r#"hookyard_received_total{source="browser-use"} 1"#,
        r#"hookyard_matched_total{source="browser-use"} 0"#,
        r#"hookyard_unmatched_total{source="browser-use"} 0"#,
        r#"hookyard_duplicates_total{source="browser-use"} 1"#,
        r#"hookyard_creation_tests_total{source="browser-use"} 1"#,
        r#"hookyard_verified_total{source="browser-use",form="python",secret="0"} 2"#,
        r#"hookyard_refused_total{source="browser-use",reason="header_missing"} 1"#,
        r#"hookyard_refused_total{source="",reason="not_found"} 1"#,
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    assert!(!page.contains("attacker"), "{page}");
}
