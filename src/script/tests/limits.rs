//! Every limit holds and is named by its key.

use super::kit::*;
use crate::action::ActionError;
use crate::kv;
use crate::script::Limits;
use std::time::Duration;

const LIMITS: Limits = Limits {
    steps: 100_000,
    time: Duration::from_secs(60),
    depth: 8,
    size: 1_000,
    effects: 3,
    kv: kv::Limits { key_bytes: 20, value_bytes: 100, namespace_bytes: 150 },
};

/// On a thread of the pool, as at work: some of these use its stack.
fn hit(limits: Limits, statements: &str, key: &str) {
    crate::script::pool::wait(|| hit_here(limits, statements, key));
}

fn hit_here(limits: Limits, statements: &str, key: &str) {
    let text = format!(
        "fn on_event(event, params) {{ {statements} }} fn deep(n) {{ deep(n + 1) }} fn blind() {{ blind() }}"
    );
    match run_limited(&text, limits) {
        Err(ActionError::Blocked(message)) => {
            assert!(message.contains(key), "{statements}: {message}");
            assert!(message.starts_with("main.rhai:"), "{statements}: {message}");
        }
        other => panic!("{statements}: {other:?}"),
    }
}

#[test]
fn steps() {
    hit(LIMITS, "loop { }", "limits.script.steps (100000)");
    hit(LIMITS, "while true { try { loop { } } catch { } }", "limits.script.steps");
    hit(LIMITS, "loop { try { [1].map(|x| { loop { } }) } catch { } }", "limits.script.steps");
    // Steps made inside callbacks count.
    let callbacks = "let a = []; for i in 0..900 { a.push(i) } for i in 0..1000 { a.map(|x| x + 1 + 1 + 1) }";
    hit(LIMITS, callbacks, "limits.script.steps");
}

#[test]
fn time() {
    let limits = Limits { steps: u64::MAX, time: Duration::from_millis(20), ..LIMITS };
    hit(limits, "loop { }", "limits.script.time (20ms)");
    hit(limits, "loop { try { [1].map(|x| { loop { } }) } catch { } }", "limits.script.time");
}

#[test]
fn depth() {
    hit(LIMITS, "deep(0)", "limits.script.depth (8)");
    hit(LIMITS, "blind()", "limits.script.depth (8)");
    hit(LIMITS, "loop { try { deep(0) } catch { } }", "limits.script.depth (8)");
    for call in ["deep(0)", "blind()", "[1].map(|x| deep(0))", "[1].map(|x| blind())"] {
        hit(LIMITS, &format!("try {{ {call} }} catch {{ }}"), "limits.script.depth (8)");
    }
}

#[test]
fn sizes() {
    hit(LIMITS, r#"let s = "ab"; loop { s += s; }"#, "limits.script.size (1000)");
    hit(LIMITS, "let a = [1]; loop { a += a; }", "limits.script.size (1000)");
    hit(LIMITS, "let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }", "limits.script.size (1000)");
    hit(LIMITS, r#""x".pad(100000, "y")"#, "limits.script.size (1000)");
    hit(LIMITS, "blob(100000, 0)", "limits.script.size (1000)");
}

/// Functions that make much of little are ended by the limit's own error, whatever is caught.
#[test]
fn sizes_of_what_the_standard_library_makes() {
    for bomb in [
        r#"let s = "ab"; loop { s = repeat(s, 1000); }"#,
        r#"repeat("ab", 9223372036854775807)"#,
        r#"let s = "ab"; loop { s = s.replaced("b", "bbb"); }"#,
        r#"let s = repeat("a", 900); s = s.replaced("a", s);"#,
        r#"let s = "a,"; loop { s = [s, s].join(s); }"#,
        r#"let s = "a"; loop { s = regex_replace(s, "a", "aa"); }"#,
        r#"let s = repeat("a", 900); s = regex_replace(s, "", s);"#,
        r#"let s = repeat("a", 900); s = regex_replace(s, ".*", repeat("$0", 300));"#,
        r#"let s = "a"; loop { s = base64_encode(s); }"#,
        r#"let s = "a"; loop { s = base64url_encode(s); }"#,
        r#"let s = "a"; loop { s = hex_encode(s); }"#,
        r#"let s = "/"; loop { s = url_encode(s); }"#,
        r#"let s = "a"; loop { s = query_encode(#{s: [s, s]}); }"#,
        r#"let s = "%F"; loop { s = time::format(time::unix(0), s + s); s = repeat("%F", s.len()); }"#,
        r#"let l = [1]; loop { l = [l, l].flatten(); }"#,
        r#"let l = [1]; loop { l = [l, l, 1].unique(); l = [l, [l]]; }"#,
        r#"let m = #{}; for i in 0..2000 { m = m.merge(#{}.merge(parse_json(`{"${i}": 1}`))); }"#,
        r#"regex_find_all(repeat("a", 1000), "")"#,
        r#"regex_captures(repeat("a", 900), "((a*))")"#,
    ] {
        hit(LIMITS, bomb, "limits.script.size (1000)");
        hit(
            LIMITS,
            &format!("try {{ [1].map(|x| {{ {bomb} }}); }} catch {{ }} loop {{ }}"),
            "limits.script.",
        );
    }
    hit(LIMITS, r#"try { [1].map(|x| repeat("a", 2000)); } catch { } loop { }"#, "limits.script.size (1000)");
}

/// What a host function goes through counts as steps, and its clock is the script's.
#[test]
fn work_of_the_standard_library() {
    let few = Limits { steps: 5_000, size: 1 << 20, ..LIMITS };
    for work in ["sha256(s)", "regex_match(s, \"b\")", "url_encode(s)", "s.replaced(\"b\", \"\")"] {
        hit(few, &format!("let s = repeat(\"a\", 300000); loop {{ {work} }}"), "limits.script.steps (5000)");
    }
    // Every one of these searches would go to the end of the text.
    let short = Limits { steps: u64::MAX, time: Duration::from_millis(20), size: 1 << 20, ..LIMITS };
    for search in ["regex_find_all(s, \"a.*b|a\")", "regex_replace(s, \"a.*b|a\", \"x\")"] {
        hit(short, &format!("let s = repeat(\"a\", 1000000); {search};"), "limits.script.time");
    }
}

#[test]
fn effects() {
    hit(LIMITS, "loop { try { log(#{}) } catch { } }", "limits.script.effects (3)");
    hit(
        LIMITS,
        r#"let s = ""; s.pad(900, "x"); log(#{message: s}); log(#{message: s});"#,
        "limits.script.size (1000 bytes)",
    );
}

#[test]
fn what_could_pass_every_limit_is_not_there() {
    assert!(blocked("try { sleep(1) } catch(e) { throw e }").contains("cannot sleep"));
    assert!(blocked("sleep(0.5)").contains("cannot sleep"));
    let (_, problems) = load(&[("a.rhai", "fn on_event(e) { eval(\"1\") }")], LIMITS);
    assert!(problems[0].message.contains("eval"), "{problems:?}");
}

/// A script can nest values without end within its limits, and measuring or dropping them is
/// recursive: it must fit the stacks of the pool, or the process ends.
#[tokio::test]
async fn nesting_does_not_exhaust_the_stack() {
    let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
    let nest = "fn on_event(event) { let a = []; for i in 0..400000 { a = [a]; } }";
    let hide = "fn on_event(event) { let a = []; for i in 0..400000 { let b = [()]; b[0] = a; a = b; } }";
    let deep = "fn on_event(event) { f(0) } fn f(n) { [n].map(|x| (((((f(x + 1)))))) ) }";
    for text in [nest, hide, deep] {
        let ended = crate::script::pool::run(move || run_limited(text, limits)).await;
        assert!(matches!(ended, Some(Err(ActionError::Blocked(_)))), "{text}: {ended:?}");
    }
}

#[tokio::test]
async fn a_run_that_panics_takes_no_thread_with_it() {
    for _ in 0..200 {
        assert!(crate::script::pool::run(|| panic!("a test's panic")).await.is_none_or(|()| false));
    }
    assert_eq!(crate::script::pool::run(|| 1).await, Some(1));
}

#[test]
fn many_runs_at_once_do_not_meet() {
    let text = r#"fn on_event(event, params) { for i in 0..params.limit { note(#{text: `${i}`, count: params.limit}); } }"#;
    let scripts =
        loaded(&[("main.rhai", text)], Limits { time: Duration::from_secs(60), ..Limits::default() });
    std::thread::scope(|scope| {
        for count in 0..16u32 {
            let scripts = &scripts;
            scope.spawn(move || {
                for _ in 0..20 {
                    let params = crate::template::Params::Data(json(&format!("{{\"limit\":{count}}}")));
                    let effects = run_with(scripts, &params).unwrap().effects;
                    assert_eq!(effects.len(), count as usize);
                    assert!(
                        effects.iter().all(|effect| shown(effect).contains(&format!("\"count\":{count},")))
                    );
                }
            });
        }
    });
}

#[test]
fn a_limit_is_told_with_the_place_that_is_known_and_with_no_other() {
    let stopped = |text: &str| {
        let lib = "fn three() {\n  for i in 0..4 {\n    log(#{});\n  }\n}";
        run_with(&loaded(&[("main.rhai", text), ("lib.rhai", lib)], LIMITS), &nothing())
            .unwrap_err()
            .to_string()
    };
    let effects = "the script asks for more effects than limits.script.effects (3)";
    let own = stopped("fn on_event(event) {\n  for i in 0..4 {\n    log(#{});\n  }\n}");
    assert_eq!(own, format!("main.rhai:3:5: {effects}"));
    let imported =
        stopped("import \"lib\" as lib;\nfn on_event(event) {\n  try { lib::three() } catch { }\n}");
    assert_eq!(imported, format!("lib.rhai:3:5: {effects}"));
    let steps = stopped("fn on_event(event) {\n  loop { }\n}");
    assert_eq!(steps, "main.rhai: the script took more steps than limits.script.steps (100000)");
    let inner = stopped("fn on_event(event) {\n  [1].map(|x| { loop { } })\n}");
    assert!(inner.starts_with("main.rhai:2:7: the script took more steps"), "{inner}");
}

fn nothing() -> crate::template::Params {
    crate::template::Params::Data(json("{}"))
}
