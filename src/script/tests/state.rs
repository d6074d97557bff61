//! `kv`: what a run reads, writes and leaves behind.

use super::kit::*;
use crate::action::ActionError;
use crate::delivery::Receipt;
use crate::kv::{Changes, Expiry, Limits as Kept, Memory, Read, Store, Unreadable, Value, Write};
use crate::script::Limits;
use crate::template::Params;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Runs statements over a store, within these limits.
fn within(limits: Limits, store: impl Store + 'static, statements: &str) -> Result<Receipt, ActionError> {
    let text = format!("const KV = \"n\"; fn on_event(event) {{ {statements} }}");
    let scripts = loaded(&[("main.rhai", &text)], limits);
    let world = crate::script::World { store: Arc::new(store), ..world(Memory::default()) };
    let params = Params::Data(json("{}"));
    crate::script::Call { scripts, file: "main.rhai".into(), event: event(), id: id(), params, world }.run()
}

fn over(store: impl Store + 'static, statements: &str) -> Result<Receipt, ActionError> {
    within(Limits { time: Duration::from_secs(60), ..Limits::default() }, store, statements)
}

fn changes(store: impl Store + 'static, statements: &str) -> Changes {
    over(store, statements).expect(statements).changes.unwrap_or_default()
}

/// What an expression reads, as JSON.
fn reads(store: impl Store + 'static, statements: &str, expression: &str) -> String {
    let receipt = over(store, &format!("{statements}; note(#{{text: \"\", json: [{expression}]}});"));
    let shown = shown(&receipt.expect(expression).effects[0]);
    json(&shown).pointer("/json").expect("the list").to_string()
}

fn mistake(store: impl Store + 'static, statements: &str) -> String {
    match over(store, statements) {
        Err(ActionError::Blocked(message)) => message,
        other => panic!("{statements}: {other:?}"),
    }
}

fn memory(entries: &[(&str, &str)]) -> Memory {
    entries.iter().fold(Memory::default(), |memory, (key, value)| memory.with("n", key, json(value)))
}

fn set(json: &str, expiry: Expiry) -> Write {
    Write::Set { json: json.into(), expiry }
}

#[test]
fn a_run_sees_its_own_writes() {
    let store = memory(&[("a", "1"), ("b", "[2]")]);
    let statements =
        "kv::set(\"a\", \"x\"); kv::delete(\"b\"); kv::set(\"c\", #{n: 1}); kv::delete(\"nowhere\")";
    let all = "kv::get(\"a\"), kv::get(\"b\"), kv::get(\"b\", 5), kv::get(\"c\").n, kv::get(\"d\", \"none\")";
    assert_eq!(reads(store.clone(), statements, all), r#"["x",null,5,1,"none"]"#);
    let again = "kv::delete(\"a\"); kv::set(\"a\", 2); kv::set(\"a\", 3)";
    assert_eq!(reads(store, again, "kv::get(\"a\")"), "[3]");
}

/// Answers something else each time it is asked.
#[derive(Default)]
struct Restless(AtomicUsize);

#[async_trait]
impl Store for Restless {
    async fn get(&self, _: &str, _: &str) -> Result<Option<Value>, Unreadable> {
        Ok(Some(Value { json: self.0.fetch_add(1, Ordering::SeqCst).to_string(), expires: None }))
    }

    async fn list(&self, _: &str, prefix: &str, _: usize) -> Result<Vec<String>, Unreadable> {
        Ok(vec![format!("{prefix}{}", self.0.fetch_add(1, Ordering::SeqCst))])
    }

    async fn bytes(&self, _: &str) -> Result<u64, Unreadable> {
        Ok(0)
    }
}

#[test]
fn what_was_read_reads_the_same_all_through_a_run() {
    let twice = "kv::get(\"a\"), kv::get(\"a\"), kv::list(\"p/\"), kv::list(\"p/\"), kv::get(\"a\")";
    assert_eq!(reads(Restless::default(), "", twice), r#"[0,0,["p/1"],["p/1"],0]"#);
    let reads = changes(Restless::default(), "kv::get(\"a\"); kv::list(\"p/\"); kv::get(\"a\", 7);").reads;
    let wanted = [Read::Key("a".into(), Some("0".into())), Read::Prefix("p/".into(), vec!["p/1".into()])];
    assert_eq!(reads, wanted);
}

#[test]
fn a_list_is_that_of_the_store_with_the_runs_own_over_it() {
    let store = memory(&[("t/a", "1"), ("t/b", "1"), ("t/c", "1"), ("u", "1")]);
    let statements = "kv::delete(\"t/b\"); kv::set(\"t/d\", 1); kv::set(\"t/a\", 2); kv::set(\"v\", 1)";
    assert_eq!(reads(store.clone(), statements, "kv::list(\"t/\")"), r#"[["t/a","t/c","t/d"]]"#);
    assert_eq!(reads(store.clone(), statements, "kv::list(\"\").len()"), "[5]");
    assert_eq!(reads(store, "kv::set(\"t/x\", 1); kv::delete(\"t/x\")", "kv::list(\"t/x\")"), "[[]]");
    let many =
        (0..10_001).fold(Memory::default(), |memory, n| memory.with("n", &format!("k{n}"), 1u32.into()));
    let message = mistake(many.clone(), "try { kv::list(\"k\"); } catch { }");
    assert!(message.contains("more than 10000 keys begin with \"k\""), "{message}");
    assert_eq!(reads(many, "", "kv::list(\"k10\").len()"), "[112]");
}

#[test]
fn counting_up_begins_at_nothing_and_never_rounds() {
    let store = memory(&[
        ("n", "41"),
        ("f", "0.5"),
        ("text", "\"41\""),
        ("list", "[]"),
        ("null", "null"),
        ("most", "9223372036854775807"),
        ("past", "9007199254740993"),
        ("big", "12345678901234567890123"),
        ("fine", "0.10000000000000000000001"),
    ]);
    for (call, sum) in [
        ("incr(\"none\", 1)", "1"),
        ("incr(\"none\", -2)", "-2"),
        ("incr(\"none\", 0.25)", "0.25"),
        ("incr(\"n\", 1)", "42"),
        ("incr(\"n\", 0.5)", "41.5"),
        ("incr(\"f\", 1)", "1.5"),
        ("incr(\"most\", -7)", "9223372036854775800"),
        ("incr(\"past\", 1)", "9007199254740994"),
    ] {
        assert_eq!(reads(store.clone(), "", &format!("kv::{call}")), format!("[{sum}]"), "{call}");
    }
    assert_eq!(reads(store.clone(), "kv::incr(\"n\", 1); kv::incr(\"n\", 1)", "kv::get(\"n\")"), "[43]");
    for (call, wanted) in [
        ("incr(\"text\", 1)", "`text` holds a string, which cannot be counted up"),
        ("incr(\"list\", 1)", "`list` holds a list, which cannot be counted up"),
        ("incr(\"null\", 1)", "`null` holds a (), which cannot be counted up"),
        ("incr(\"n\", \"1\")", "`kv::incr` adds a number, not a string"),
        ("incr(\"n\", ())", "`kv::incr` adds a number, not a ()"),
        ("incr(\"most\", 1)", "`most` would pass what 64 bits hold"),
        ("incr(\"past\", 0.5)", "9007199254740993 would lose digits among numbers with a fraction"),
        ("incr(\"big\", 1)", "12345678901234567890123 cannot be calculated with"),
        ("incr(\"fine\", 1)", "0.10000000000000000000001 cannot be calculated with"),
        ("incr(\"n\", event.payload.big)", "cannot be calculated with"),
        ("incr(\"f\", 1.0/0.0)", "`f` is not a finite number"),
    ] {
        let message = mistake(store.clone(), &format!("kv::{call}"));
        assert!(message.starts_with("main.rhai:1:") && message.contains(wanted), "{call}: {message}");
    }
}

/// A value that ends at its time.
struct Ending;

const END: &str = "2030-01-01T00:00:00Z";

#[async_trait]
impl Store for Ending {
    async fn get(&self, _: &str, _: &str) -> Result<Option<Value>, Unreadable> {
        Ok(Some(Value { json: "1".into(), expires: Some(END.parse().expect("a time")) }))
    }

    async fn list(&self, _: &str, _: &str, _: usize) -> Result<Vec<String>, Unreadable> {
        Ok(Vec::new())
    }

    async fn bytes(&self, _: &str) -> Result<u64, Unreadable> {
        Ok(0)
    }
}

#[test]
fn a_time_to_live_is_kept_by_incr_and_cleared_by_set() {
    let written = |statements: &str| changes(Ending, statements).writes.remove("k").expect(statements);
    let end = Expiry::At(END.parse().expect("a time"));
    let minutes = |count: u64| Expiry::After(Duration::from_secs(60 * count));
    assert_eq!(written("kv::incr(\"k\", 1)"), set("2", end));
    assert_eq!(written("kv::set(\"k\", 1)"), set("1", Expiry::Never));
    assert_eq!(written("kv::set(\"k\", 1, \"10m\"); kv::incr(\"k\", 1)"), set("2", minutes(10)));
    assert_eq!(written("kv::set(\"k\", 1, 60); kv::set(\"k\", 2)"), set("2", Expiry::Never));
    assert_eq!(written("kv::delete(\"k\"); kv::incr(\"k\", 1)"), set("1", Expiry::Never));
    assert_eq!(written("kv::set(\"k\", 1, duration(\"1h\") + \"1h\")"), set("1", minutes(120)));
    for ttl in ["\"soon\"", "-1", "\"-5m\"", "()", "\"18446744073709551615s 1s\""] {
        let message = mistake(Ending, &format!("kv::set(\"k\", 1, {ttl})"));
        assert!(message.contains("the time to live is a duration"), "{ttl}: {message}");
    }
}

#[test]
fn values_come_back_exactly() {
    for value in [
        "123456789012345678901234567890",
        "-9223372036854775808",
        "0.1",
        "1.50000000000000000000001",
        "\"${X} {{ y }} $${z} é\"",
        "[1,[],{\"a b\":null}]",
        "true",
        "null",
    ] {
        let store = memory(&[("k", value)]);
        let copied =
            changes(store, "kv::set(\"copy\", kv::get(\"k\")); kv::set(\"in\", #{v: [kv::get(\"k\")]});");
        assert_eq!(copied.writes["copy"], set(value, Expiry::Never), "{value}");
        assert_eq!(copied.writes["in"], set(&format!("{{\"v\":[{value}]}}"), Expiry::Never), "{value}");
    }
    let event = changes(Memory::default(), "kv::set(\"e\", event.payload);").writes.remove("e");
    let document = event_document();
    assert_eq!(event, Some(set(&document, Expiry::Never)), "{document}");
}

fn event_document() -> String {
    event().get("payload").expect("it has one").to_string()
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let store = memory(&[("k", "1")]);
    for (call, wanted) in [
        ("kv::set(\"k\", vars.secret)", "`k` holds a secret"),
        ("kv::set(\"k\", #{deep: [vars.list]})", "holds a secret"),
        ("kv::set(\"k\", || 1)", "`k` is a function"),
        ("kv::set(\"k\", [0.0 / 0.0])", "is not a finite number"),
        ("kv::set(\"\", 1)", "a text that is not empty"),
        ("kv::get(\"\")", "a text that is not empty"),
        ("kv::delete(\"\")", "a text that is not empty"),
        ("kv::incr(\"\", 1)", "a text that is not empty"),
        ("kv::get(5)", "there is no function `kv::get (i64)`"),
    ] {
        let message = mistake(store.clone(), call);
        assert!(message.starts_with("main.rhai:1:") && message.contains(wanted), "{call}: {message}");
        assert_eq!(changes(store.clone(), &format!("try {{ {call} }} catch {{ }}")), Changes::default());
    }
}

#[test]
fn state_is_kept_exactly_when_the_run_ends_well() {
    let kept = |ending: &str| over(memory(&[("k", "1")]), &format!("kv::incr(\"k\", 1); {ending}"));
    for ending in ["", "return;", "exit();", "drop(\"why\");", "try { throw 1 } catch { }"] {
        let changes = kept(ending).expect(ending).changes.expect(ending);
        assert_eq!((changes.namespace.as_str(), &changes.writes["k"]), ("n", &set("2", Expiry::Never)));
        assert_eq!(changes.reads, [Read::Key("k".into(), Some("1".into()))]);
    }
    for ending in ["fail(\"why\");", "retry(\"why\");", "throw 1;", "loop { }", "event.payload.nope"] {
        kept(ending).expect_err(ending);
    }
    let only_read = changes(memory(&[("k", "1")]), "kv::get(\"k\"); kv::get(\"none\");");
    assert!(
        only_read.writes.is_empty() && only_read.reads.len() == 2,
        "a commit depends on it: {only_read:?}"
    );
    assert_eq!(over(Memory::default(), "let x = 1;").unwrap().changes, None);
}

#[test]
fn an_imported_function_keeps_its_state_with_the_script_that_runs() {
    let main = "import \"lib\" as lib; fn on_event(e) { lib::count() }";
    let library = "const KV = \"other\"; fn count() { kv::incr(\"k\", 1) }";
    let namespace = |main: &str| {
        let scripts = loaded(&[("a/main.rhai", main), ("lib.rhai", library)], Limits::default());
        let receipt = run_for(&scripts, "a/main.rhai", event(), id(), &Params::Data(json("{}"))).unwrap();
        receipt.changes.expect("it counts").namespace
    };
    assert_eq!(namespace(main), "a/main");
    assert_eq!(namespace(&format!("const KV = \"mine\"; {main}")), "mine");
}

#[test]
fn a_namespace_is_named_by_a_short_literal_text() {
    let long = format!("\"{}\"", "a".repeat(101));
    for named in ["5", "\"\"", "\"a b\"", "\"a${1}\"", "\"é\"", &long, "[].len()", "`x`.to_upper()"] {
        let (_, problems) =
            load(&[("a.rhai", &format!("const KV = {named}; fn on_event(e) {{ }}"))], Limits::default());
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 1, "{named}: {shown:?}");
        assert!(shown[0].starts_with("a.rhai:1:7: error: `KV` names the namespace"), "{shown:?}");
        assert!(shown[0].contains("at most 100 letters, digits and `_-./`"), "{shown:?}");
    }
    let fine = format!("const KV = \"{}\"; fn on_event(e) {{ }}", "aZ9_-./".repeat(14));
    loaded(&[("a.rhai", &fine)], Limits::default());
}

#[test]
fn there_is_no_state_outside_of_a_run() {
    let problem = |text: &str| {
        let (_, problems) = load(&[("a.rhai", text)], Limits::default());
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].to_string()
    };
    for call in
        ["kv::get(\"k\")", "kv::set(\"k\", 1)", "kv::incr(\"k\", 1)", "kv::list(\"\")", "kv::delete(\"k\")"]
    {
        let found = problem(&format!("{call};\nfn on_event(e) {{ }}"));
        assert!(found.starts_with("a.rhai:1:"), "{found}");
        assert!(found.contains("`kv` can only be used while an event is handled, in `on_event`"), "{found}");
        let scripts = loaded(&[], Limits::default());
        let error = scripts.condition(&format!("{call} == ()")).err().expect("it does not compile");
        assert!(error.message.contains("is for scripts only"), "{error:?}");
        assert!(error.help.is_some_and(|help| help.contains("a condition is pure")), "{call}");
    }
    assert!(problem("fn on_event(e) { kv::incr(\"k\") }").contains("`kv::incr` takes 2 arguments, not 1"));
    assert!(problem("fn on_event(e) { kv::put(\"k\", 1) }").contains("`kv` has no function `put`"));
}

const LIMITED: Kept = Kept { key_bytes: 10, value_bytes: 20, namespace_bytes: 60 };

#[test]
fn keys_values_and_namespaces_have_a_size() {
    let limits = Limits { kv: LIMITED, ..Limits::default() };
    let run = |statements: &str| within(limits, memory(&[("old", "\"0123456789\"")]), statements);
    for (statements, key) in [
        ("kv::set(\"01234567890\", 1)", "limits.kv.key (10 bytes)"),
        ("kv::get(\"01234567890\")", "limits.kv.key (10 bytes)"),
        ("kv::incr(repeat(\"k\", 11), 1)", "limits.kv.key (10 bytes)"),
        ("kv::delete(repeat(\"é\", 6))", "limits.kv.key (10 bytes)"),
        ("kv::set(\"k\", \"0123456789012345678\")", "takes 21 bytes, more than limits.kv.value (20 bytes)"),
        ("kv::set(\"k\", [[[[[1, 2, 3], [4, 5, 6]]]]])", "limits.kv.value (20 bytes)"),
        ("for i in 0..9 { kv::set(`k${i}`, \"012345678901\"); }", "limits.kv.namespace (60 bytes)"),
        ("for i in 0..9 { kv::incr(`key-${i}`, 100000000); }", "limits.kv.namespace (60 bytes)"),
    ] {
        for around in [
            "BODY",
            "try { BODY } catch { } loop { }",
            "[1].map(|x| { BODY })",
            "try { [1].map(|x| { BODY }) } catch { }",
        ] {
            match run(&around.replace("BODY", statements)) {
                Err(ActionError::Blocked(message)) => {
                    assert!(message.contains(key), "{statements}: {message}")
                }
                other => panic!("{statements}: {other:?}"),
            }
        }
    }
    // What replaces something, or takes its place, does not grow.
    for statements in [
        "for i in 0..9 { kv::set(\"k\", \"0123456789012345\"); }",
        "for i in 0..9 { kv::set(`k${i}`, \"0123456789012345\"); kv::delete(`k${i}`); }",
        "kv::get(\"old\"); kv::delete(\"old\"); for i in 0..3 { kv::set(`k${i}`, \"0123456789012345\"); }",
    ] {
        run(statements).expect(statements);
    }
    let full = Kept { namespace_bytes: 10, ..LIMITED };
    let counted = within(
        Limits { kv: full, ..limits },
        memory(&[("old", "1"), ("more", "111111111")]),
        "kv::incr(\"old\", 1);",
    );
    counted.expect("a full namespace can be counted in");
}

/// Each key costs a look-up when the run commits, and all else waits for that.
#[test]
fn what_is_done_with_state_counts_as_steps() {
    let limits = Limits { steps: 10_000, ..Limits::default() };
    for loops in [
        "for i in 0..1000 { kv::get(`${i}`); }",
        "for i in 0..1000 { kv::set(`${i}`, i); }",
        "for i in 0..1000 { kv::list(`${i}`); }",
        "for i in 0..1000 { try { [i].map(|x| kv::incr(`${x}`, 1)); } catch { } }",
    ] {
        let ended = within(limits, Memory::default(), loops).unwrap_err().to_string();
        assert!(ended.contains("limits.script.steps (10000)"), "{loops}: {ended}");
    }
}

/// A store that cannot be read.
struct Broken;

#[async_trait]
impl Store for Broken {
    async fn get(&self, _: &str, _: &str) -> Result<Option<Value>, Unreadable> {
        Err(Unreadable("input/output error".into()))
    }

    async fn list(&self, _: &str, _: &str, _: usize) -> Result<Vec<String>, Unreadable> {
        Err(Unreadable("input/output error".into()))
    }

    async fn bytes(&self, _: &str) -> Result<u64, Unreadable> {
        std::future::pending().await
    }
}

#[test]
fn a_run_that_cannot_read_its_state_is_tried_again_whatever_it_catches() {
    for call in ["kv::get(\"k\")", "kv::list(\"k\")", "kv::incr(\"k\", 1)"] {
        for around in [call.to_owned(), format!("try {{ [1].map(|x| {call}) }} catch {{ fail(\"no\") }}")] {
            let error = "the state cannot be read: input/output error".to_owned();
            assert_eq!(
                over(Broken, &around).unwrap_err(),
                ActionError::Retry { error, after: None },
                "{around}"
            );
        }
    }
}

/// As long as the attempt lasts; its thread comes back when that is over.
#[test]
fn a_run_waits_for_its_state_no_longer_than_its_attempt() {
    let text = "fn on_event(event) { kv::set(\"k\", 1); }";
    // Generous, so that a busy machine changes no verdict.
    let limits = Limits { time: Duration::from_secs(60), ..Limits::default() };
    let scripts = loaded(&[("main.rhai", text)], limits);
    let world = crate::script::World { store: Arc::new(Broken), ..world(Memory::default()) };
    let (over, params) = (world.over.clone(), Params::Data(json("{}")));
    let call =
        crate::script::Call { scripts, file: "main.rhai".into(), event: event(), id: id(), params, world };
    let running = std::thread::spawn(move || call.run());
    over.cancel();
    let ended = running.join().expect("no panic").unwrap_err();
    assert!(ended.to_string().contains("the attempt's time was over"), "{ended}");
}
