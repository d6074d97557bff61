//! The kinds end to end: parameters as in YAML, a rendered attempt, a real socket.

use super::*;
use crate::event::EventId;
use crate::json::{Json, Object, parse};
use crate::secret::{Environment, Placeholders};
use crate::template::{Scope, Vars};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BODY: &[u8] = br#"{"type":"t",  "payload":{"n":1.50}}"#;

/// A receiver that answers each request with the same bytes and remembers what came.
struct Receiver {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, answer, &seen).await;
            }
        });
        Self { address, requests }
    }

    fn request(&self) -> String {
        self.requests.lock().unwrap().pop().expect("a request came")
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(mut stream: TcpStream, answer: &str, seen: &Mutex<Vec<String>>) {
    let Some(bytes) = read_request(&mut stream).await else { return };
    seen.lock().unwrap().push(String::from_utf8(bytes).unwrap());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&bytes) {
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
    Some(bytes)
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

pub(super) fn json(text: &str) -> Json {
    parse(text.as_bytes()).expect(text)
}

pub(super) fn event() -> Event {
    let text = r#"{"source":"browser-use","type":"t","status":"finished","metadata":{},"headers":{},
                   "payload":{"n":1.50,"evil":"${KEY} {{ vars.key }} <!channel>\r\nX-Evil: 1","dir":"../x"}}"#;
    let Json::Object(document) = json(text) else { panic!("a document is an object") };
    Event::new("evt_01JDFV3M4X0000000000000000".parse::<EventId>().unwrap(), document)
}

fn vars() -> Vars {
    Vars::compile(&json(r#"{"key":"${KEY}"}"#)).unwrap()
}

pub(super) fn environment() -> Environment {
    let variables = [("KEY".to_owned(), "s3cr3t".to_owned())].into();
    Environment { variables, ..Environment::default() }
}

fn kind(name: &str) -> &'static ActionKind {
    KINDS.iter().find(|kind| kind.name == name).expect("the kind is in the table")
}

pub(super) fn build(
    name: &str,
    params: &Json,
    context: &Context,
) -> Result<(Params, Arc<dyn Action>), Vec<ConfigError>> {
    let params = Params::compile(params, kind(name).schema, &vars())?;
    let action = (kind(name).build)(&params, context)?;
    Ok((params, action))
}

pub(super) fn context() -> Context {
    Context::new(Egress::default(), "unused")
}

pub(super) fn attempt(params: &Params) -> Attempt {
    let (event, vars, environment) = (event(), vars(), environment());
    let scope = Scope { event: &event, vars: &vars, resolver: &environment };
    let headers = [("content-type", "application/json; charset=utf-8"), ("x-request-id", "r-1")];
    let trace = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01")];
    Attempt {
        id: "evt_01JDFV3M4X0000000000000000/rule/action".parse().unwrap(),
        number: 1,
        params: params.render(scope).unwrap(),
        event: Arc::new(event),
        body: Bytes::from_static(BODY),
        headers: headers.into_iter().collect(),
        trace: Trace::new(trace.into_iter().collect(), EventId::new(1, 2), 0xb7ad_6b71_6920_3331),
        consent: Consent::Author,
        script_consent: Consent::Author,
        state: Arc::new(crate::kv::Memory::default()),
        answers: None,
        heard: Heard::default(),
    }
}

/// Delivers once with `url` added to the parameters.
async fn deliver(name: &str, url: &str, params: &str) -> Result<Receipt, ActionError> {
    let Json::Object(mut object) = json(params) else { panic!("parameters are a map") };
    object.insert("url", url);
    let (params, action) = build(name, &Json::Object(object), &context()).unwrap();
    action.deliver(&attempt(&params)).await
}

pub(super) fn errors(name: &str, params: &str) -> Vec<String> {
    let errors = build(name, &json(params), &context()).err().unwrap_or_default();
    errors.into_iter().map(|error| format!("{} {}", error.pointer, error.message)).collect()
}

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

#[test]
fn every_example_builds() {
    for kind in KINDS {
        let text: Arc<str> = kind.example.into();
        let Ok(node) = crate::yaml::parse(&"example".into(), &text) else { panic!("{text} is YAML") };
        let params = node.get(kind.name).expect("an example begins with its kind").to_json();
        assert!(build(kind.name, &params, &context()).is_ok(), "{text}");
    }
}

#[tokio::test]
async fn without_a_body_the_original_bytes_are_sent_and_identified() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let params = r#"{"forward_headers":["X-Request-Id"],"auth":{"bearer":"${KEY}"},"headers":{"X-N":5}}"#;
    let receipt = deliver("http", &receiver.url("/a?b=1"), params).await.unwrap();
    assert_eq!(receipt.line, "204 No Content");
    let request = receiver.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.as_bytes(), BODY);
    for line in [
        "POST /a?b=1 HTTP/1.1",
        "content-type: application/json; charset=utf-8",
        "idempotency-key: evt_01JDFV3M4X0000000000000000/rule/action",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        concat!("user-agent: hookyard/", env!("CARGO_PKG_VERSION")),
        "x-request-id: r-1",
        "authorization: Bearer s3cr3t",
        "x-n: 5",
    ] {
        assert!(head.lines().any(|found| found == line), "{line} in {head}");
    }
}

#[tokio::test]
async fn a_body_is_json_text_or_a_form() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    for (params, body, ty) in [
        (r#"{"json":{"n":"{{ payload.n }}"},"method":"put"}"#, r#"{"n":1.50}"#, "application/json"),
        (r#"{"body":"n={{ payload.n }}"}"#, "n=1.50", "text/plain; charset=utf-8"),
        (r#"{"form":{"a":"b c","d":[1,true]}}"#, "a=b+c&d=1&d=true", "application/x-www-form-urlencoded"),
        (r#"{"method":"GET"}"#, "", ""),
        (r#"{"auth":{"basic":{"user":"u","password":"${KEY}"}},"json":null}"#, "null", "application/json"),
    ] {
        deliver("http", &receiver.url("/"), params).await.unwrap();
        let request = receiver.request();
        assert_eq!(request.split_once("\r\n\r\n").unwrap().1, body, "{params}");
        assert!(ty.is_empty() || request.contains(&format!("content-type: {ty}\r\n")), "{request}");
        assert_eq!(
            params.contains("basic"),
            request.contains("authorization: Basic dTpzM2NyM3Q="),
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_signed_request_is_signed_as_it_goes_out() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let params = r#"{"sign":["${KEY}","{{ vars.key }}"],"json":{"n":"{{ payload.n }}"}}"#;
    deliver("http", &receiver.url("/"), params).await.unwrap();
    let request = receiver.request();
    let header = |name: &str| {
        let line = request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("{name} in {request}"))
    };
    let (id, seconds) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(id, "evt_01JDFV3M4X0000000000000000/rule/action");
    let age = jiff::Timestamp::now().as_second() - seconds.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{seconds}");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cr3t").unwrap();
    mac.update(format!(r#"{id}.{seconds}.{{"n":1.50}}"#).as_bytes());
    let signature = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), format!("{signature} {signature}"));
    deliver("http", &receiver.url("/"), "{}").await.unwrap();
    assert!(!receiver.request().contains("webhook-"), "only if it is asked for");
}

#[test]
fn what_cannot_be_signed_is_told_at_load_where_it_is_known() {
    let with = |more: &str| errors("http", &format!(r#"{{"url":"https://crm.example/",{more}}}"#));
    assert_eq!(with(r#""sign":"${KEY}""#), [""; 0]);
    for (more, error) in [
        (r#""sign":"whsec_s3cr3t!""#, "/sign `sign` has a secret that begins with `whsec_`"),
        (r#""sign":[]"#, "/sign `sign` is a secret or a list of secrets"),
        (
            r#""sign":"k","headers":{"Webhook-Id":"x"}"#,
            "/headers/Webhook-Id the header `Webhook-Id` is set by",
        ),
        (r#""sign":"k","forward_headers":["webhook-signature"]"#, "/forward_headers/0 the header `webhook-"),
    ] {
        let found = with(more);
        assert!(found.len() == 1 && found[0].starts_with(error), "{more}: {found:?}");
    }
    assert_eq!(with(r#""forward_headers":["webhook-signature"]"#), [""; 0]);
}

#[tokio::test]
async fn what_an_event_says_arrives_literally() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    deliver("http", &receiver.url("/"), r#"{"json":{"v":"{{ payload.evil }}"}}"#).await.unwrap();
    let body = receiver.request().split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(json(&body).get("v"), event().get("payload").unwrap().get("evil"));
    deliver("slack", &receiver.url("/"), r#"{"text":"{{ payload.evil }}"}"#).await.unwrap();
    let request = receiver.request();
    assert!(
        request.contains("${KEY} {{ vars.key }} &lt;!channel&gt;") && !request.contains("s3cr3t"),
        "{request}"
    );
    let header = deliver("http", &receiver.url("/"), r#"{"headers":{"X-A":"{{ payload.evil }}"}}"#).await;
    assert!(matches!(&header, Err(ActionError::Blocked(error)) if error.contains("X-A")), "{header:?}");
}

#[tokio::test]
async fn answers_decide_what_becomes_of_a_delivery() {
    let answered = |error: ActionError| match error {
        ActionError::Answered { status, after, .. } => (status, after),
        other => panic!("{other:?}"),
    };
    for (answer, expected) in [
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", (400, None)),
        ("HTTP/1.1 422 Unprocessable Entity\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", (422, None)),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", (404, None)),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            (302, None),
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            (503, Some(Duration::from_secs(7))),
        ),
        (
            "HTTP/1.1 429 Too Many\r\nretry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            (429, None),
        ),
    ] {
        let receiver = Receiver::answering(answer).await;
        let error = deliver("http", &receiver.url("/"), "{}").await.unwrap_err();
        assert_eq!(answered(error), expected, "{answer}");
    }
}

#[tokio::test]
async fn an_answer_is_left_for_the_record_whatever_it_says() {
    for (kind, params) in [("http", "{}"), ("slack", r#"{"text":"x"}"#)] {
        for (status, ok) in [("200 OK", true), ("422 Unprocessable Entity", false), ("503 Busy", false)] {
            let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\nfirst\nsecond \u{e9}");
            let receiver = Receiver::answering(answer.leak()).await;
            let Json::Object(mut object) = json(params) else { panic!("parameters are a map") };
            object.insert("url", receiver.url("/"));
            let (params, action) = build(kind, &Json::Object(object), &context()).unwrap();
            let attempt = attempt(&params);
            assert_eq!(action.deliver(&attempt).await.is_ok(), ok);
            let heard = attempt.heard.take().expect("there was an answer");
            let wanted = (status[..3].parse().unwrap(), "first\nsecond \u{e9}", false);
            assert_eq!((heard.status, heard.body.as_str(), heard.cut), wanted);
        }
    }
}

/// A receiver that sends `head`, and then `more` again and again; without any it stays silent.
async fn endless(head: &'static str, more: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let mut alive = stream.write_all(head.as_bytes()).await.is_ok();
        while alive && !more.is_empty() {
            alive = stream.write_all(more.as_bytes()).await.is_ok();
        }
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await
    });
    url
}

#[tokio::test]
async fn the_status_is_the_verdict_whatever_becomes_of_the_body() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n";
    const BAD: &str = "HTTP/1.1 422 Unprocessable\r\nContent-Length: 10000000000\r\n\r\nbecause";
    let broken = Receiver::answering(OK).await;
    for url in [broken.url("/"), endless(OK, "xxxxxxxx").await, endless(OK, "").await] {
        let receipt = deliver("http", &url, "{}").await.unwrap();
        assert_eq!(receipt.line, "200 OK");
    }
    let broken = Receiver::answering(BAD).await;
    for url in [broken.url("/"), endless(BAD, "").await] {
        let error = deliver("http", &url, "{}").await.unwrap_err();
        assert!(error.to_string().ends_with(": because"), "{error:?}");
    }
    let error = deliver("http", &endless(BAD, "xxxxxxxx").await, "{}").await.unwrap_err();
    assert!(error.to_string().len() < 5000, "the excerpt is cut");
}

#[tokio::test]
async fn an_error_shows_the_answer_on_one_line_and_never_the_url() {
    let answer = "HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n\r\nfirst\r\n\x1b[31msecond";
    let receiver = Receiver::answering(answer).await;
    let error = deliver("http", &receiver.url("/secret-path"), "{}").await.unwrap_err().to_string();
    assert_eq!(error, "500 Internal Server Error from 127.0.0.1: first [31msecond");
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = deliver("http", &format!("http://{gone}/secret-path"), "{}").await.unwrap_err();
    assert!(matches!(error, ActionError::Down(_)), "{error:?}");
    let error = error.to_string();
    assert!(error.starts_with("cannot connect to 127.0.0.1") && !error.contains("secret-path"), "{error}");
}

#[tokio::test]
async fn slack_is_told_the_message_and_its_errors_are_obeyed() {
    let receiver =
        Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
    let params = r#"{"text":"<b> {{ status }}","blocks":[{"type":"divider"}],"unfurl_links":false}"#;
    deliver("slack", &receiver.url("/services/T0"), params).await.unwrap();
    let body = receiver.request().split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body, r#"{"blocks":[{"type":"divider"}],"text":"<b> finished","unfurl_links":false}"#);
    for (answer, dead) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\nconnection: close\r\n\r\nno_service", true),
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbad", false),
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 15\r\nconnection: close\r\n\r\ninvalid_payload", true),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\nconnection: close\r\n\r\nproxy", false),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 12\r\nconnection: close\r\n\r\nrollup_error", false),
    ] {
        let receiver = Receiver::answering(answer).await;
        let error = deliver("slack", &receiver.url("/"), r#"{"text":"x"}"#).await.unwrap_err();
        assert_eq!(matches!(error, ActionError::Refused(_)), dead, "{answer}");
        assert!(answer.ends_with(error.to_string().rsplit(' ').next().unwrap()), "{error}");
    }
}

#[tokio::test]
async fn a_host_that_a_script_chose_is_guarded() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let port = receiver.address.port();
    let send = async |host: &str, consented: &[&str], allow: &[&str]| {
        let egress =
            Json::object([("allow", Json::Array(allow.iter().map(|net| Json::from(*net)).collect()))]);
        let context = Context::new(crate::registry::parse::<Egress>(&egress).unwrap(), "unused");
        let params = Json::object([("url", format!("http://{host}:{port}/").into())]);
        let (params, action) = build("http", &params, &context).unwrap();
        let consented = consented.iter().map(|host| format!("{host}:{port}")).collect();
        let attempt = Attempt { consent: Consent::Hosts(Arc::new(consented)), ..attempt(&params) };
        action.deliver(&attempt).await
    };
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "0.0.0.0"] {
        let refused = send(host, &["other.example"], &[]).await;
        assert!(
            matches!(&refused, Err(ActionError::Blocked(error)) if error.contains("egress.allow")),
            "{host}: {refused:?}"
        );
    }
    assert!(send("127.0.0.1", &["127.0.0.1"], &[]).await.is_ok());
    assert!(send("localhost", &["localhost"], &[]).await.is_ok());
    assert!(send("127.0.0.1", &[], &["127.0.0.0/8"]).await.is_ok());
    assert!(send("localhost", &[], &["localhost"]).await.is_ok());
    let metadata = send("169.254.169.254", &["169.254.169.254"], &["0.0.0.0/0"]).await;
    assert!(matches!(metadata, Err(ActionError::Blocked(_))), "{metadata:?}");
}

/// What else listens there (hookyard's own admin side) is not the author's choice.
#[tokio::test]
async fn a_host_in_vars_is_open_to_scripts_at_its_port_only() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let port = receiver.address.port();
    let vars = json(&format!(r#"{{"base":"http://127.0.0.1:{port}/x"}}"#));
    let vars = Vars::compile(&vars).unwrap();
    let consent = Consent::Hosts(Arc::new(vars.hosts(&Placeholders)));
    let send = async |url: String| {
        let context = Context::new(Egress::default(), "unused");
        let (params, action) = build("http", &Json::object([("url", url.into())]), &context).unwrap();
        action.deliver(&Attempt { consent: consent.clone(), ..attempt(&params) }).await
    };
    let sent = send(format!("http://127.0.0.1:{port}/other")).await;
    assert!(sent.is_ok(), "{sent:?}");
    for other in [format!(":{}", port ^ 1), String::new()] {
        let refused = send(format!("http://127.0.0.1{other}/x")).await;
        assert!(
            matches!(&refused, Err(ActionError::Blocked(error)) if error.contains("egress.allow")),
            "{other}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_file_gets_the_event_with_its_delivery_by_default() {
    let directory = tempfile::tempdir().unwrap();
    let context = Context::new(Egress::default(), directory.path());
    for params in [
        r#"{"path":"all.jsonl"}"#,
        r#"{"path":"all.jsonl","json":{"v":"{{ payload.evil }}"}}"#,
        r#"{"path":"all.jsonl","text":"{{ payload.evil }}"}"#,
    ] {
        let (params, action) = build("file", &json(params), &context).unwrap();
        action.deliver(&attempt(&params)).await.unwrap();
    }
    let content = std::fs::read_to_string(directory.path().join("all.jsonl")).unwrap();
    let lines: Vec<_> = content.lines().collect();
    let mut document: Object = event().document().clone();
    document.insert("delivery", "evt_01JDFV3M4X0000000000000000/rule/action");
    assert_eq!(json(lines[0]), Json::Object(document));
    assert_eq!(json(lines[1]).get("v"), event().get("payload").unwrap().get("evil"));
    assert_eq!(lines[2], r"${KEY} {{ vars.key }} <!channel>\r\nX-Evil: 1");
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn an_event_fills_one_segment_of_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let context = Context::new(Egress::default(), directory.path());
    let (params, action) =
        build("file", &json(r#"{"path":"{{ status }}/x.log","text":"a"}"#), &context).unwrap();
    action.deliver(&attempt(&params)).await.unwrap();
    assert!(directory.path().join("finished/x.log").exists());
    let (event, vars, environment) = (event(), vars(), environment());
    let scope = Scope { event: &event, vars: &vars, resolver: &environment };
    let (params, _) = build("file", &json(r#"{"path":"a/{{ payload.dir }}"}"#), &context).unwrap();
    assert!(params.render(scope).unwrap_err().message.contains("segment"));
    let (params, action) = build("file", &json(r#"{"path":"a/{{ '.' ~ '.' }}"}"#), &context).unwrap();
    assert!(matches!(action.deliver(&attempt(&params)).await, Err(ActionError::Blocked(_))));
}

#[tokio::test]
async fn the_log_takes_one_line_at_a_known_level() {
    let (params, action) = build("log", &Json::Null, &context()).unwrap();
    assert_eq!(action.deliver(&attempt(&params)).await.unwrap().line, "logged");
    let (params, action) = build("log", &json(r#"{"level":"{{ status }}"}"#), &context()).unwrap();
    assert!(matches!(action.deliver(&attempt(&params)).await, Err(ActionError::Blocked(_))));
    assert_eq!(super::log::one_line("a\r\n\x1b[31mb"), "a\\r\\n\\u{1b}[31mb");
}

#[test]
fn whatever_is_literal_is_checked_when_it_is_built() {
    for (kind, params, expected) in [
        ("http", r#"{"url":"ftp://a.example/"}"#, "/url"),
        ("http", r#"{"url":"https://a.example/","method":"FETCH"}"#, "/method"),
        ("http", r#"{"url":"https://a.example/","json":1,"body":"x"}"#, "/body"),
        ("http", r#"{"url":"https://a.example/","headers":{"Host":"x"}}"#, "/headers/Host"),
        ("http", r#"{"url":"https://a.example/","headers":{"a b":"x"}}"#, "/headers/a b"),
        ("http", r#"{"url":"https://a.example/","headers":{"a":[]}}"#, "/headers/a"),
        ("http", r#"{"url":"https://a.example/","auth":{"barer":"x"}}"#, "/auth/barer"),
        ("http", r#"{"url":"https://a.example/","auth":{"basic":{"pass":"x"}}}"#, "/auth/basic/pass"),
        ("http", r#"{"url":"https://a.example/","forward_headers":["host"]}"#, "/forward_headers/0"),
        ("slack", r#"{"url":"https://a.example/"}"#, ""),
        ("slack", r#"{"url":"https://a.example/","blocks":"x"}"#, "/blocks"),
        ("slack", r#"{"text":"x"}"#, ""),
        ("file", r#"{"path":"../x"}"#, "/path"),
        ("file", r#"{"path":"x","json":1,"text":"x"}"#, "/text"),
        ("file", r#"{"path":"x","keep":1001}"#, "/keep"),
        ("log", r#"{"level":"loud"}"#, "/level"),
    ] {
        let errors = errors(kind, params);
        assert!(
            errors.iter().any(|error| error.starts_with(&format!("{expected} "))),
            "{params}: {errors:?}"
        );
    }
}
