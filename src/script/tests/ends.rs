//! Each way to end a run, and that none can be swallowed.

use super::kit::*;
use crate::action::ActionError;
use std::time::Duration;

fn retry(error: &str, after: Option<u64>) -> ActionError {
    ActionError::Retry { error: error.into(), after: after.map(Duration::from_secs) }
}

#[test]
fn returning_keeps_the_effects_and_delivers() {
    let receipt = body(r#"note(#{text: "a"}); log(#{}); 7"#).unwrap();
    assert_eq!((receipt.line.as_str(), receipt.effects.len()), ("2 effects", 2));
    assert_eq!(body(r#"note(#{text: "a"}); return;"#).unwrap().line, "1 effect");
    assert_eq!(run_file("fn on_event(event) { }").unwrap().line, "no effects");
    assert_eq!(body(r#"note(#{text: "a"}); exit(); note(#{text: "b"});"#).unwrap().line, "1 effect");
}

#[test]
fn drop_keeps_the_effects_and_notes_why() {
    let receipt = body("note(#{text: \"a\"});\ndrop(`not\nours`);").unwrap();
    assert_eq!((receipt.line.as_str(), receipt.effects.len()), ("dropped: not ours (1 effect)", 1));
}

#[test]
fn retry_and_fail_discard_the_effects() {
    let end = |ending: &str| body(&format!("note(#{{text: \"a\"}}); {ending}")).unwrap_err();
    assert_eq!(end(r#"retry("later");"#), retry("later", None));
    assert_eq!(end(r#"retry("later", "5m");"#), retry("later", Some(300)));
    assert_eq!(end(r#"retry("later", 7);"#), retry("later", Some(7)));
    assert_eq!(end(r#"retry("later", 0);"#), retry("later", Some(1)));
    assert_eq!(end(r#"fail("never");"#), ActionError::Refused("never".into()));
    assert!(blocked(r#"retry("later", "soon");"#).contains("is a duration like"));
    assert!(blocked(r#"retry("later", -1);"#).contains("is a duration like"));
}

#[test]
fn an_error_blocks_with_its_place_and_the_calls() {
    let text = "fn on_event(event, params) {\n  helper(event)\n}\nfn helper(e) {\n  e.payload.cots\n}";
    let Err(ActionError::Blocked(message)) = run_file(text) else { panic!("not blocked") };
    assert!(message.starts_with("main.rhai:5:13: `e.payload` has no `cots`"), "{message}");
    assert!(message.contains("did you mean `cost`?"), "{message}");
    assert!(message.contains("e.payload has: big, cost, evil, items, long, "), "{message}");
    assert!(message.contains("`e.get(\"payload.cots\", default)`"), "{message}");
    assert!(message.contains("in `helper`, called at main.rhai:2:3"), "{message}");
    assert!(message.ends_with("in `on_event`"), "{message}");
    assert!(blocked(r#"throw "mine";"#).starts_with("main.rhai:2:1: mine"));
}

#[test]
fn what_is_absent_is_told_with_what_is_there() {
    let metadata = "a.b, budget, team";
    for (statement, wanted) in [
        (
            "event.metadata.taem",
            format!(
                "`event.metadata` has no `taem`: did you mean `team`? event.metadata has: {metadata}; what may be absent is read with `event.get(\"metadata.taem\", default)`"
            ),
        ),
        ("if event?.metadata?.x == 1 { }", "the map has no `x`".to_owned()),
        ("event.payload.items[0].m", "the map has no `m`: did you mean `n`?".to_owned()),
        ("let p = event.payload; p.cots", "the map has no `cots`: did you mean `cost`?".to_owned()),
        ("params.limti", "the map has no `limti`: ".to_owned()),
        ("let e = #{metadata: #{}}; e.metadata.team", "the map has no `team`: ".to_owned()),
    ] {
        let message = blocked(statement);
        assert!(message.contains(&wanted), "{statement}: {message}");
    }
}

#[test]
fn an_outcome_cannot_be_swallowed() {
    for ending in
        [r#"fail("end")"#, r#"[1].map(|x| fail("end"))"#, r#"[1].filter(|x| { fail("end"); true })"#]
    {
        for around in [
            "try { END; } catch { } loop { }",
            "try { try { END; } catch { log(#{}); } } catch(e) { return; }",
        ] {
            let statements = around.replace("END", ending);
            assert_eq!(body(&statements).unwrap_err(), ActionError::Refused("end".into()), "{statements}");
        }
    }
    let first = r#"try { [1].map(|x| fail("first")) } catch { fail("second") }"#;
    assert_eq!(body(first).unwrap_err(), ActionError::Refused("first".into()));
    assert_eq!(
        body(r#"try { [1].map(|x| drop("d")) } catch { throw "x" }"#).unwrap().line,
        "dropped: d (no effects)"
    );
}

#[test]
fn an_error_of_the_script_can_be_caught() {
    assert_eq!(
        one(r#"try { [1].map(|x| event.payload.nope) } catch (e) { note(#{text: "caught"}) }"#),
        r#"{"text":"caught"}"#
    );
}

#[test]
fn an_error_in_a_callback_has_its_own_place() {
    let message = blocked("let x = [1];\nx.map(|n|\n  n + event.payload.nope)");
    assert!(message.starts_with("main.rhai:4:"), "{message}");
    assert!(message.contains("a closure"), "{message}");
}

/// It is kept with each attempt, logged, and told to the rules that want to know of dead deliveries.
#[test]
fn no_more_is_told_than_can_be_read() {
    let long = "let long = repeat(\"é\", 200000); let many = #{}; for i in 0..50 { many[`${i}`] = long; } ";
    for ending in [
        "fail(long)",
        "retry(long)",
        "throw long",
        "throw [many, many]",
        "drop(long)",
        "let m = #{}; m[long] = 1; m.nope",
        "event.payload.get(long) > 1",
        "throw #{a: || long}",
        "note(#{text: \"\", name: long})",
        "parse_json(long)",
        "number(long)",
        "time::parse(long)",
        "base64_decode(long)",
    ] {
        let told = match body(&format!("{long}{ending};")) {
            Ok(receipt) => receipt.line,
            Err(error) => error.to_string(),
        };
        assert!(told.len() < 5_000, "{ending}: {} bytes are told", told.len());
    }
    assert!(body(&format!("{long} fail(long)")).unwrap_err().to_string().ends_with("… (400000 bytes)"));
}
