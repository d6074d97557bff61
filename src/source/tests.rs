//! Verification against signatures that CPython made, and the order of the checks.

use super::*;
use crate::json;
use http::StatusCode;
use proptest::prelude::*;

const SECRET: &str = "whsec_test";
const NOW: &str = "1737406233";
const EVENT: &str = r#"{"type":"t","timestamp":"2026-01-01T00:00:00Z","payload":{"status":"München"}}"#;
const CREATION_TEST: &str =
    r#"{"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}"#;

fn source(config: &str, secrets: &[&str]) -> Source {
    let secrets: Vec<_> = secrets.iter().map(|secret| Some(Secret::new(*secret))).collect();
    Source::build("browser-use", &json::parse(config.as_bytes()).expect(config), &secrets).expect(config)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, value.parse().expect("a header's value"));
    }
    map
}

fn post(source: &Source, body: &[u8], headers: &HeaderMap) -> Result<Accepted, Refused> {
    let now = Timestamp::from_second(NOW.parse().unwrap()).unwrap();
    source.accept(Incoming { headers, body: Bytes::copy_from_slice(body), now, random: 7 })
}

/// Posts with these two headers.
fn signed(source: &Source, body: &[u8], timestamp: &str, signature: &str) -> Result<Accepted, Refused> {
    post(source, body, &headers(&[(browser_use::TIMESTAMP, timestamp), (browser_use::SIGNATURE, signature)]))
}

fn verified(result: Result<Accepted, Refused>) -> Verified {
    match result {
        Ok(Accepted::Event(received)) => received.verified,
        other => panic!("not an event: {other:?}"),
    }
}

fn refused(result: Result<Accepted, Refused>) -> Refused {
    result.expect_err("accepted")
}

fn signature_of(body: &str) -> String {
    sign(&Secret::new(SECRET), NOW, &json::parse(body.as_bytes()).expect(body))
}

/// Bodies, headers and signatures computed with CPython 3.11 from the documented algorithm.
#[test]
fn the_sender_s_vectors_verify() {
    let task = r#"{"type":"agent.task.status_update","timestamp":"2025-05-25T09:22:22.269116+00:00","payload":{"session_id":"cd9cc7bf-e3af-4181-80a2-73f083bc94b4","task_id":"5b73fb3f-a3cb-4912-be40-17ce9e9e1a45","status":"finished","metadata":{"campaign":"q4-automation","team":"marketing"}}}"#;
    let munich = r#"{"payload":{"status":"idle","city":"München"},"type":"session.status.update","timestamp":"2026-09-09T12:00:00Z"}"#;
    let differences = "{\"type\":\"agent.task.status_update\",\"timestamp\":\"2025-08-15T18:09:11.881540\",\"payload\":{\"task_id\":\"t\",\"session_id\":\"s\",\"status\":\"finished\",\"metadata\":{\"10\":\"a\",\"9\":\"b\",\"emoji\":\"\u{1f600}\",\"del\":\"\\u007f\",\"ls\":\"\u{2028}\",\"slash\":\"a\\/b\",\"ctl\":\"\\u0001\\n\",\"f1\":1.0,\"f2\":0.00001,\"f3\":1e16,\"f4\":1e21,\"f5\":-0.0,\"i0\":-0,\"big\":18446744073709551616,\"\u{ff01}\":1,\"\u{1f600}\":2}}}";
    // The first one's timestamp is of no form that a window could read.
    for (config, secret, timestamp, body, signature) in [
        (
            r#"{"tolerance":"off"}"#,
            "secret",
            "2025-05-26:22:22.269116+00:00",
            task,
            "454c5f3ffc652a70741dd18151ea1a440a48afc88b61cd366a7482de768f502e",
        ),
        (
            "{}",
            SECRET,
            NOW,
            CREATION_TEST,
            "4c46bc8de573c80af64aebfab25d28abae8b6873cc710dbc2ee24006f186ea14",
        ),
        ("{}", SECRET, NOW, munich, "320851a796b80539a7b9e72096702cf5e774d0b11f8ad636a980a50a3accf18b"),
        ("{}", SECRET, NOW, differences, "83b652a1026937fbe5fab9e0326aa37930058c39ef3f3dd5feb83339bb5e139b"),
    ] {
        let found = verified(signed(&source(config, &[secret]), body.as_bytes(), timestamp, signature));
        assert_eq!(found, Verified { form: Form::Python, secret: 0 }, "{body}");
        assert_eq!(sign(&Secret::new(secret), timestamp, &json::parse(body.as_bytes()).unwrap()), signature);
    }
}

/// What `scripts/signed-bodies.py` recorded.
struct Recorded {
    source: Source,
    timestamp: String,
    lines: Vec<Line>,
}

/// One body as it was sent.
#[derive(serde::Deserialize)]
struct Line(
    /// The form that is to be found.
    String,
    /// The index of the secret.
    usize,
    /// The signature.
    String,
    /// The body.
    String,
);

fn recorded() -> Recorded {
    let text = include_str!("../../tests/data/browser-use-signed.jsonl");
    let (head, lines) = text.split_once('\n').expect("a first line");
    let head: serde_json::Value = serde_json::from_str(head).expect("the first line is JSON");
    let secrets: Vec<_> = head["secrets"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    let timestamp = head["timestamp"].as_str().unwrap().to_owned();
    let lines = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    Recorded { source: source(r#"{"tolerance":"off"}"#, &secrets), timestamp, lines }
}

#[test]
fn every_body_that_cpython_signed_is_accepted_in_its_form_and_by_its_secret() {
    let Recorded { source, timestamp, lines } = recorded();
    assert!(lines.len() >= 2_000 && lines.iter().filter(|line| line.0 == "utf8").count() > 200);
    for Line(form, secret, signature, body) in &lines {
        let found = verified(signed(&source, body.as_bytes(), &timestamp, signature));
        assert_eq!((found.form.name(), found.secret), (form.as_str(), *secret), "{body}");
    }
}

/// The signature covers the JSON value and not its spelling: a flip that only makes other white
/// space, `E` of `e` or a digit beyond a double's precision has to be accepted. So each body is
/// flipped at one place after the other until the value has changed.
#[test]
fn every_body_with_one_byte_flipped_is_refused() {
    let Recorded { source, timestamp, lines } = recorded();
    let mut spellings = 0;
    for (index, Line(_, _, signature, body)) in lines.iter().enumerate() {
        let changed = (0..body.len()).any(|step| {
            let mut flipped = body.as_bytes().to_vec();
            let at = (index * 7919 + step) % flipped.len();
            flipped[at] ^= 1 << (index % 8);
            let result = signed(&source, &flipped, &timestamp, signature);
            if same_value(&flipped, body.as_bytes()) {
                verified(result);
                spellings += 1;
                return false;
            }
            assert!(matches!(refused(result), Refused::Body(_) | Refused::Signature), "{body} at {at}");
            true
        });
        assert!(changed, "no flip changes {body}");
    }
    assert!(spellings < lines.len() / 4, "{spellings} flips changed nothing");
}

/// Whether two bodies are the same in Python's eyes (by its `repr` of all floats).
fn same_value(flipped: &[u8], body: &[u8]) -> bool {
    let canonical = |text| {
        let mut out = Vec::new();
        json::write_canonical(&json::parse(text).ok()?, CanonicalForm::Ascii, &mut out);
        Some(out)
    };
    canonical(flipped) == canonical(body)
}

#[test]
fn the_utf8_form_is_tried_second_and_the_raw_body_only_where_configured() {
    let utf8 = mac_of(
        r#"{"payload":{"status":"München"},"timestamp":"2026-01-01T00:00:00Z","type":"t"}"#.as_bytes(),
    );
    let spaced = EVENT.replace(',', " , ");
    let raw = mac_of(spaced.as_bytes());
    let default = source("{}", &[SECRET]);
    let both = source(r#"{"forms":["python","raw"]}"#, &[SECRET]);
    assert_eq!(verified(signed(&default, spaced.as_bytes(), NOW, &utf8)).form, Form::Utf8);
    assert_eq!(refused(signed(&default, spaced.as_bytes(), NOW, &raw)), Refused::Signature);
    assert_eq!(verified(signed(&both, spaced.as_bytes(), NOW, &raw)).form, Form::Raw);
    assert_eq!(refused(signed(&both, spaced.as_bytes(), NOW, &utf8)), Refused::Signature);
}

/// The MAC over exactly these bytes.
fn mac_of(signed: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let mac = mac.chain_update(NOW).chain_update(".").chain_update(signed);
    hex::encode(mac.finalize().into_bytes())
}

#[test]
fn any_of_several_secrets_is_good_and_its_index_is_told() {
    let config = json::parse(b"{}").unwrap();
    let secrets = [None, Some(Secret::new("other")), Some(Secret::new(SECRET))];
    let source = Source::build("browser-use", &config, &secrets).unwrap();
    assert_eq!(verified(signed(&source, EVENT.as_bytes(), NOW, &signature_of(EVENT))).secret, 2);
}

#[test]
fn headers_are_wanted_once_and_not_empty() {
    let source = source("{}", &[SECRET]);
    let good = signature_of(EVENT);
    let (time, mac) = ((browser_use::TIMESTAMP, NOW), (browser_use::SIGNATURE, good.as_str()));
    let answer = |pairs: &[(&'static str, &str)]| {
        let refused = refused(post(&source, EVENT.as_bytes(), &headers(pairs)));
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        refused.reason()
    };
    assert_eq!(answer(&[]), "header_missing");
    assert_eq!(answer(&[time]), "header_missing");
    assert_eq!(answer(&[mac]), "header_missing");
    assert_eq!(answer(&[time, (browser_use::SIGNATURE, "")]), "header_missing");
    assert_eq!(answer(&[(browser_use::TIMESTAMP, ""), mac]), "header_missing");
    assert_eq!(answer(&[time, mac, mac]), "header_twice");
    assert_eq!(answer(&[time, time, mac]), "header_twice");
}

#[test]
fn a_signature_is_64_lower_case_hex_digits_and_the_right_one() {
    let source = source("{}", &[SECRET]);
    let good = signature_of(EVENT);
    let zeros = "0".repeat(64);
    let prefixed = format!("sha256={good}");
    let doubled = format!("{good}{good}");
    for bad in [good.to_uppercase().as_str(), &good[..63], &good[..2], &prefixed, &doubled, &zeros, "no hex"]
    {
        let refused = refused(signed(&source, EVENT.as_bytes(), NOW, bad));
        assert_eq!((&refused, refused.status()), (&Refused::Signature, StatusCode::FORBIDDEN), "{bad}");
    }
}

#[test]
fn the_timestamp_is_checked_before_the_signature_and_is_signed_verbatim() {
    let source = source("{}", &[SECRET]);
    let body = EVENT.as_bytes();
    let zeros = "0".repeat(64);
    assert_eq!(refused(signed(&source, body, "yesterday", &zeros)).status(), StatusCode::BAD_REQUEST);
    assert_eq!(refused(signed(&source, body, "1737000000", &zeros)), Refused::TimestampWindow);
    assert_eq!(Refused::TimestampWindow.status(), StatusCode::FORBIDDEN);
    // The same moment in other words.
    let result = signed(&source, body, "2025-01-20T20:50:33Z", &signature_of(EVENT));
    assert_eq!(refused(result), Refused::Signature);
    let value = json::parse(body).unwrap();
    let other = sign(&Secret::new(SECRET), "2025-01-20T20:50:33Z", &value);
    verified(signed(&source, body, "2025-01-20T20:50:33Z", &other));
}

#[test]
fn a_body_is_one_json_object_that_reads_in_one_way() {
    let source = source("{}", &[SECRET]);
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 10] = [
        b"",
        b"[]",
        b"\"x\"",
        b"{\"a\":1,\"a\":2}",
        b"{\"a\":NaN}",
        b"{\"a\":1e999}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":1}{}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let refused = refused(signed(&source, body, NOW, &"0".repeat(64)));
        assert_eq!((refused.reason(), refused.status()), ("body", StatusCode::BAD_REQUEST));
    }
    assert_eq!(
        refused(signed(&source, b"[]", NOW, "")).to_string(),
        "the body cannot be verified: a JSON object is wanted, not an array"
    );
}

#[test]
fn the_creation_test_is_answered_without_a_signature_and_is_an_event_with_one() {
    let waiting = source("{}", &[]);
    let ready = source("{}", &[SECRET]);
    let body = CREATION_TEST.as_bytes();
    for source in [&waiting, &ready] {
        assert!(matches!(post(source, body, &HeaderMap::new()), Ok(Accepted::CreationTest)));
        assert!(matches!(signed(source, body, "1", "bad"), Ok(Accepted::CreationTest)));
    }
    verified(signed(&ready, body, NOW, &signature_of(CREATION_TEST)));
    for other in [
        r#"{"type":"test","payload":{"test":"ok","more":1}}"#,
        r#"{"type":"test","payload":{"test":"OK"}}"#,
        r#"{"type":"test"}"#,
        r#"{"type":"tests","payload":{"test":"ok"}}"#,
    ] {
        assert_eq!(
            refused(post(&waiting, other.as_bytes(), &HeaderMap::new())),
            Refused::NoSecret,
            "{other}"
        );
        assert_eq!(refused(post(&ready, other.as_bytes(), &HeaderMap::new())).reason(), "header_missing");
    }
    assert_eq!(Refused::NoSecret.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn an_event_keeps_the_exact_request_and_has_its_document() {
    let source = source("{}", &[SECRET]);
    let mut with = headers(&[("user-agent", "x"), ("cookie", "hush")]);
    with.append(browser_use::TIMESTAMP, NOW.parse().unwrap());
    with.append(browser_use::SIGNATURE, signature_of(EVENT).parse().unwrap());
    let Ok(Accepted::Event(received)) = post(&source, EVENT.as_bytes(), &with) else { panic!("refused") };
    assert_eq!(received.body, EVENT.as_bytes());
    assert_eq!(received.headers.values("cookie").collect::<Vec<_>>(), ["hush"]);
    let made_of = Request {
        source: "browser-use",
        id: received.event.id(),
        received_at: received.event.get("received_at").and_then(Json::as_str).unwrap().parse().unwrap(),
        headers: &received.headers,
    };
    let read_back = read_back(received.preset.unwrap(), &made_of, &received.body);
    assert_eq!(read_back.unwrap(), received.event);
    let id = received.event.id();
    assert_eq!((id.0.timestamp_ms(), id.0.random()), (1_737_406_233_000, 7));
    assert_eq!(
        received.event.to_string(),
        format!(
            r#"{{"id":"{id}","source":"browser-use","type":"t","status":"München","metadata":{{}},"timestamp":"2026-01-01T00:00:00Z","received_at":"2025-01-20T20:50:33.000Z","headers":{{"user-agent":"x","x-browser-use-timestamp":"1737406233"}},"payload":{{"status":"München"}}}}"#
        )
    );
}

/// What the journal of a version that is in use has kept must be read the same for ever.
#[test]
fn a_kept_request_is_read_back_as_this_text() {
    let headers = [("host", "h"), ("via", "a"), ("via", "b"), ("cookie", "hush"), ("x-n", "\u{e9}")];
    let headers: Headers = headers.into_iter().collect();
    let id = "evt_01JDFV3M4X0000000000000007".parse().unwrap();
    let received_at = "2025-01-20T20:50:33.001Z".parse().unwrap();
    let request = Request { source: "a b", id, received_at, headers: &headers };
    let body = r#"{ "type":"t", "timestamp":"then", "more":1,
        "payload":{"status":"ok","n":1.50,"b":[],"a":null,"metadata":{"k":"v"}} }"#;
    assert_eq!(
        read_back("browser-use", &request, body.as_bytes()).unwrap().to_string(),
        r#"{"id":"evt_01JDFV3M4X0000000000000007","source":"a b","type":"t","status":"ok","metadata":{"k":"v"},"timestamp":"then","received_at":"2025-01-20T20:50:33.001Z","headers":{"host":"h","via":"a, b","x-n":"é"},"payload":{"a":null,"b":[],"metadata":{"k":"v"},"n":1.50,"status":"ok"}}"#
    );
}

#[test]
fn twins_share_a_fingerprint_and_nothing_else_does() {
    let fingerprint =
        |source: &Source, body: &str| match signed(source, body.as_bytes(), NOW, &signature_of(body)) {
            Ok(Accepted::Event(received)) => received.fingerprint,
            other => panic!("{other:?}"),
        };
    let one = source("{}", &[SECRET]);
    let config = json::parse(br#"{"preset":"browser-use"}"#).unwrap();
    let two = Source::build("b", &config, &[Some(Secret::new(SECRET))]).unwrap();
    let spelled = EVENT.replace("ü", "\\u00FC").replace(',', " , ");
    assert_eq!(fingerprint(&one, EVENT), fingerprint(&one, &spelled));
    assert_ne!(fingerprint(&one, EVENT), fingerprint(&two, EVENT));
    assert_ne!(fingerprint(&one, EVENT), fingerprint(&one, &EVENT.replace("München", "Munchen")));
}

proptest! {
    #[test]
    fn no_request_breaks_the_verifier(body in any::<Vec<u8>>(), time in "[ -~]{0,40}", mac in "[ -~]{0,70}") {
        let source = source("{}", &[SECRET]);
        prop_assert!(signed(&source, &body, &time, &mac).is_err());
    }

    #[test]
    fn what_is_signed_here_is_accepted_here(text in any::<String>(), number in any::<f64>(), integer in any::<i128>()) {
        let number = json::Number::from_f64(number).map(Json::Number);
        let payload = Json::object([
            (text.clone(), number.into()),
            ("integer".to_owned(), Json::Number(json::Number::parse(&integer.to_string()).unwrap())),
        ]);
        let body = Json::object([("type", Json::from("t")), ("payload", payload), ("text", text.into())]).to_string();
        verified(signed(&source("{}", &[SECRET]), body.as_bytes(), NOW, &signature_of(&body)));
    }
}
