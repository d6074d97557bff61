//! `when`.

use super::kit::*;
use crate::script::Limits;

fn holds(expression: &str) -> Result<bool, String> {
    let scripts = loaded(&[], Limits::default());
    let condition = scripts.condition(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    condition.holds(&event())
}

#[test]
fn a_condition_sees_the_fields_the_event_and_vars() {
    for (expression, answer) in [
        ("payload.cost > parse_float(metadata.budget)", true),
        ("payload.cost > number(metadata.budget) + 2", false),
        ("status == \"finished\" && event.status == status", true),
        ("parent == ()", true),
        ("timestamp == ()", true),
        ("vars.plain.x == 1", true),
        ("payload.items.all(|item| item.n > 0)", true),
        ("event.get(\"payload.gone\", 1) == 1", true),
        ("payload.cost in 1..20", true),
        ("headers[\"user-agent\"].contains(\"x\")", true),
    ] {
        assert_eq!(holds(expression), Ok(answer), "{expression}");
    }
}

#[test]
fn what_cannot_be_said_is_an_error() {
    for (expression, wanted) in [
        ("payload.cost > metadata.budget", "cannot compare a number with a string"),
        ("payload.cots > 1", "did you mean `cost`? payload has: "),
        ("metadata.x == 1", "`metadata.get(\"x\", default)`"),
        ("payload.cost", "must be true or false, not a number"),
        ("timestamp > 5", "cannot compare a ()"),
        (
            "[1,2,3,4,5,6,7,8,9].map(|a| [1,2,3,4,5,6,7,8,9].map(|b| [1,2,3,4,5,6,7,8,9].map(|c| [1,2,3,4,5,6,7,8,9].map(|d| a+b+c+d)))) == []",
            "too much work",
        ),
        ("vars.secret == \"guess\"", "secret"),
    ] {
        let error = holds(expression).expect_err(expression);
        assert!(error.contains(wanted), "{expression}: {error}");
    }
}

#[test]
fn what_is_no_pure_expression_does_not_compile() {
    let scripts = loaded(&[], Limits::default());
    for (expression, wanted, column) in [
        ("status = \"x\"", "", 8),
        ("status == ", "incomplete", 11),
        ("statsu == \"x\"", "there is no name `statsu`", 1),
        ("payload.cost > cost", "there is no name `cost`", 16),
        ("note(#{text: \"\"})", "there is no function `note`", 1),
        ("let x = 1", "", 1),
        ("payload.name.strats_with(\"a\")", "there is no function `strats_with`", 14),
        ("sleep2(1)", "there is no function `sleep2`", 1),
    ] {
        let Err(error) = scripts.condition(expression) else { panic!("{expression} compiles") };
        assert!(error.message.contains(wanted), "{expression}: {error:?}");
        assert_eq!((error.line, error.column), (1, column), "{expression}: {error:?}");
    }
    assert_eq!(
        scripts.condition("statsu == 1").err().unwrap().help.as_deref(),
        Some("did you mean `status`?")
    );
}

/// Runtime workers have 2 MiB, and conditions are evaluated there.
#[test]
fn conditions_fit_the_stack_of_a_worker() {
    let nested = format!("{}payload.cost{} > 1", "(".repeat(60), ")".repeat(60));
    let lists = format!("{}payload.cost{} != []", "[".repeat(60), "]".repeat(60));
    let sums = vec!["payload.cost"; 60].join(" + ") + " > 1";
    let chain = vec!["payload.ok"; 60].join(" && ");
    let omega = "(|f| f.call(f)).call(|f| f.call(f))";
    let busy = format!("(|f| {0}f.call(f){1}).call(|f| {0}f.call(f){1})", "[".repeat(14), "]".repeat(14));
    let groups = format!("regex_match(status, \"{}a{}\")", "(?:a|".repeat(240), ")*".repeat(240));
    let expressions = [&nested, &lists, &sums, &chain, omega, &busy, &groups].map(str::to_owned);
    let scripts = loaded(&[], Limits::default());
    let work = move || {
        for expression in expressions {
            if let Ok(condition) = scripts.condition(&expression) {
                drop(condition.holds(&event()));
            }
        }
        scripts.condition(omega).expect("it is an expression").holds(&event())
    };
    let worker = std::thread::Builder::new().stack_size(2 << 20).spawn(work).expect("a thread starts");
    let endless = worker.join().expect("its stack holds").unwrap_err();
    assert!(endless.contains("too much work"), "{endless}");
}

/// As large as a body may be by default. How often a condition is evaluated changes nothing either.
#[test]
fn a_condition_is_evaluated_for_large_events_too() {
    let (text, numbers) = ("é".repeat(200_000), vec!["1"; 20_000].join(","));
    let document = format!(
        r#"{{"source":"s","metadata":{{"t":"{text}"}},"payload":{{"cost":12,"text":"{text}","list":[{numbers}],"metadata":{{"t":"{text}"}}}}}}"#
    );
    let (event, scripts) = (event_of(&document), loaded(&[], Limits::default()));
    for (expression, answer) in [
        ("payload.cost > 10 && payload.cost < 20", true),
        ("payload.get(\"cost\", 0) > 10", true),
        ("event.get(\"payload.cost\", 0) > 20", false),
        ("payload.text.len() + payload.list.len() == 220000", true),
        ("payload.text.contains(\"x\") || payload.list[19999] == 2", false),
    ] {
        let condition = scripts.condition(expression).expect(expression);
        for _ in 0..100 {
            assert_eq!(condition.holds(&event), Ok(answer), "{expression}");
        }
    }
}

/// It runs before the answer, and what it works on is a sender's.
#[test]
fn no_condition_makes_much_of_an_event() {
    let text = "a".repeat(60_000);
    let event = event_of(&format!(r#"{{"source":"s","payload":{{"text":"{text}","empty":""}}}}"#));
    let scripts = loaded(&[], Limits::default());
    for expression in [
        "payload.text.replace(\"a\", payload.text) == ()",
        "payload.text.pad(9223372036854775807, \"-\") == ()",
        "payload.text.split(\"\").map(|c| repeat(c, 60000)).len() > 0",
        "repeat(payload.text, 100) == \"\"",
    ] {
        let before = crate::memory::taken();
        let ended = scripts.condition(expression).expect(expression).holds(&event).unwrap_err();
        assert!(ended.contains("too much work"), "{expression}: {ended}");
        let taken = crate::memory::taken() - before;
        assert!(taken < 256 << 20, "{expression}: {taken} bytes");
    }
    let endless = scripts.condition("payload.text.pad(70000, payload.empty) == ()").expect("it compiles");
    assert!(endless.holds(&event).unwrap_err().contains("not an empty one"));
}
