//! Every limit holds and is named by its key.

use super::kit::*;
use crate::action::ActionError;
use crate::kv;
use crate::script::Limits;
use std::time::Duration;

const LIMITS: Limits = Limits {
    steps: 50_000,
    time: Duration::from_secs(60),
    depth: 16,
    size: 1_000,
    effects: 3,
    kv: kv::Limits { key_bytes: 20, value_bytes: 100, namespace_bytes: 150 },
};

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

/// Where a statement may stand: `main.rhai` and `lib.rhai`. None of these places, and no `try`
/// around it, makes a difference to what ends a run.
const PLACES: [(&str, &str); 8] = [
    ("fn on_event(event, params) { BODY }", ""),
    ("import \"lib\" as lib; fn on_event(event, params) { lib::run(event) }", "fn run(event) { BODY }"),
    ("fn on_event(event, params) { [1].map(|x| { BODY }) }", ""),
    ("fn on_event(event, params) { #{a: 1}.filter(|k, v| { BODY; true }) }", ""),
    ("fn on_event(event, params) { try { BODY } catch { } }", ""),
    ("fn on_event(event, params) { try { [2, 1].sort(|x, y| { BODY; 1 }) } catch (e) { return; } }", ""),
    ("fn on_event(event, params) { try { [1].reduce(|sum, x| { try { BODY } catch { } }) } catch { } }", ""),
    (
        "import \"lib\" as lib; fn on_event(event, params) { try { [1].filter(|x| lib::run(event)) } catch { } }",
        "fn run(event) { [1].find(|x| { BODY; true }) }",
    ),
];

/// Runs a statement in each of these places; each time it is this limit that is hit.
fn everywhere(limits: Limits, body: &str, key: &str) {
    const HELPERS: &str = " fn deep(n) { deep(n + 1) } fn blind() { blind() }";
    crate::script::pool::wait(|| {
        for (main, lib) in PLACES {
            let [main, lib] = [main, lib].map(|text| text.replace("BODY", body) + HELPERS);
            let scripts = loaded(&[("main.rhai", &main), ("lib.rhai", &lib)], limits);
            match run_with(&scripts, &nothing()) {
                Err(ActionError::Blocked(message)) => {
                    assert!(message.contains(key), "{main} {lib}: {message}");
                    let placed = message.starts_with("main.rhai:") || message.starts_with("lib.rhai:");
                    assert!(placed, "{main} {lib}: {message}");
                }
                other => panic!("{main} {lib}: {other:?}"),
            }
        }
    });
}

#[test]
fn endless_work_ends_wherever_it_is() {
    everywhere(LIMITS, "loop { }", "limits.script.steps (50000)");
    everywhere(LIMITS, "while true { try { loop { } } catch { } }", "limits.script.steps (50000)");
    everywhere(LIMITS, "for i in 0..9223372036854775807 { let x = i; }", "limits.script.steps (50000)");
    everywhere(LIMITS, "let s = `${event}`; loop { sha256(s) }", "limits.script.steps (50000)");
    everywhere(LIMITS, "deep(0)", "limits.script.depth (16)");
    everywhere(LIMITS, "blind()", "limits.script.depth (16)");
    everywhere(LIMITS, "let f = |f, n| f.call(f, n + 1); f.call(f, 0)", "limits.script.depth (16)");
    let short = Limits { steps: u64::MAX, time: Duration::from_millis(20), ..LIMITS };
    everywhere(short, "loop { }", "limits.script.time (20ms)");
    everywhere(short, "loop { kv::get(\"k\"); }", "limits.script.time (20ms)");
}

#[test]
fn values_that_grow_are_stopped_wherever_they_are() {
    let size = "limits.script.size (1000)";
    for bomb in [
        r#"let s = "ab"; loop { s += s; }"#,
        r#"let s = "ab"; loop { s = `${s}${s}`; }"#,
        r#"let m = #{s: "ab"}; loop { m.s += m.s; }"#,
        r#"let a = ["ab"]; loop { a[0] += a[0]; }"#,
        r#"let a = [#{s: ["ab"]}]; loop { a[0].s[0] += a[0].s[0]; }"#,
        r#"let s = ""; s.pad(100000, "y");"#,
        r#"let s = ""; s.pad(9223372036854775807, 'y');"#,
        r#"let s = "ab"; loop { s.replace("b", "bbb"); }"#,
        "let a = [1]; loop { a += a; }",
        "let a = [[1]]; loop { a[0] += a[0]; }",
        "let a = [1]; loop { a = [a, a]; }",
        "let a = []; loop { a.push([1]); }",
        "let a = []; a.pad(9223372036854775807, 1);",
        "let a = [1]; loop { let b = a; a.splice(0..0, b); }",
        "let a = [1]; loop { let b = a; a.append(b); }",
        "let a = [1]; loop { a.insert(0, 1); }",
        "let a = [1]; loop { a = a.map(|x| [x, x]); }",
        "let a = [1]; loop { a = a.zip(a, |x, y| [x, y]); }",
        "let a = [1]; loop { a = [a, a].flatten(); }",
        "let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }",
        "let m = #{}; loop { m += #{a: [m]}; }",
        "let m = #{}; loop { m.a = [m, m]; }",
        "let m = #{a: #{}}; let i = 0; loop { m.a[`${i}`] = i; i += 1; }",
        "blob(100000, 0)",
        "let b = blob(10); loop { b += b; }",
        r#"let s = "a,"; loop { s = [s, s].join(s); }"#,
        r#"let s = "a"; loop { s = regex_replace(s, "a", "aa"); }"#,
        r#"let s = "a"; loop { s = base64_encode(s); }"#,
        r#"let l = []; loop { l.push(l.len()); let s = l.to_json(); }"#,
        r#"let l = [1]; loop { l = [l]; let s = `${l} ${l}`; l = [l, s]; }"#,
    ] {
        everywhere(LIMITS, bomb, size);
    }
}

/// What no function measures, since it is in closures, or many times over.
#[test]
fn what_all_values_hold_is_bounded_wherever_they_are() {
    let limits = Limits { steps: 1_000_000, size: 100_000, ..LIMITS };
    for bomb in [
        "let a = []; a.pad(90000, 0); let f = Fn(\"blind\"); loop { f = f.curry(a); }",
        "let a = []; a.pad(90000, 0); let l = []; loop { l.push(Fn(\"blind\").curry(a)); }",
        "let a = []; a.pad(90000, 0); let l = []; loop { let b = a; b.push(1); l.push(|| b); }",
        "let a = []; a.pad(90000, 0); let f = || 1; loop { let g = f; let b = a; f = || [g, b]; }",
        "let a = []; a.pad(90000, 0); let m = #{f: []}; loop { m.f.push(Fn(\"blind\").curry(a)); }",
        "let a = []; a.pad(90000, 0); let n = []; n.pad(1000, 0); n.map(|x| a)",
    ] {
        everywhere(limits, bomb, "limits.script.size (100000)");
    }
}

#[test]
fn effects_and_state_are_bounded_wherever_they_are() {
    everywhere(LIMITS, "for i in 0..10000 { log(#{}) }", "limits.script.effects (3)");
    everywhere(LIMITS, "for i in 0..10000 { note(#{text: `${i}`}) }", "limits.script.effects (3)");
    everywhere(
        LIMITS,
        r#"let s = ""; s.pad(900, "x"); log(#{message: s}); log(#{message: s});"#,
        "limits.script.size (1000 bytes)",
    );
    everywhere(LIMITS, "kv::set(repeat(\"k\", 21), 1)", "limits.kv.key (20 bytes)");
    everywhere(LIMITS, "kv::set(\"k\", repeat(\"v\", 99))", "limits.kv.value (100 bytes)");
    everywhere(LIMITS, "for i in 0..99 { kv::set(`${i}`, i) }", "limits.kv.namespace (150 bytes)");
    everywhere(LIMITS, "for i in 0..9999 { kv::get(`${i}`) }", "limits.script.steps (50000)");
}

/// Steps made inside callbacks count, which Rhai itself forgets.
#[test]
fn steps_of_callbacks() {
    let callbacks = "let a = []; for i in 0..900 { a.push(i) } for i in 0..1000 { a.map(|x| x + 1 + 1 + 1) }";
    hit(LIMITS, callbacks, "limits.script.steps");
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
fn what_could_pass_every_limit_is_not_there() {
    assert!(blocked("try { sleep(1) } catch(e) { throw e }").contains("cannot sleep"));
    assert!(blocked("sleep(0.5)").contains("cannot sleep"));
    for text in
        ["fn on_event(e) { eval(\"1\") }", "fn on_event(e) { [1].map(|x| eval(`${x}`)) }", "eval(\"1\");"]
    {
        let (_, problems) = load(&[("a.rhai", text)], LIMITS);
        assert!(problems[0].message.contains("eval"), "{text}: {problems:?}");
    }
    // Nor by its name.
    assert!(blocked("let f = Fn(\"eval\"); f.call(\"1\")").contains("eval"));
    assert!(blocked("let f = Fn(\"sleep\"); f.call(1)").contains("cannot sleep"));
    assert!(blocked("[1].map(Fn(\"sleep\"))").contains("cannot sleep"));
}

/// What can be imported is what was read into memory when the rules were loaded.
#[test]
fn no_path_leads_out_of_the_rule_set() {
    for path in [
        "/etc/passwd",
        "../main",
        "./../main.rhai",
        "lib/../main",
        "lib/../../etc/passwd",
        "..",
        ".",
        "",
        "/main",
        "lib//format",
        "file:///etc/passwd",
        "~/main",
        "main.rhai.rhai",
        "lib",
        "main\\u0000",
    ] {
        for text in [
            format!("import \"{path}\" as other; fn on_event(e) {{ }}"),
            format!("fn on_event(e) {{ import \"{path}\" as other; }}"),
            format!(
                "fn on_event(e) {{ try {{ [1].map(|x| {{ import \"{path}\" as other; }}) }} catch {{ }} }}"
            ),
        ] {
            let files =
                [("main.rhai", "fn on_event(e) { }"), ("lib/format.rhai", "fn f() { }"), ("a.rhai", &text)];
            let (_, problems) = load(&files, LIMITS);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].message.contains("there is no script"), "{text}: {problems:?}");
        }
    }
    // One that is computed is none at all.
    for path in ["event.payload.path", "`${1}`", "\"ma\" + \"in\"", "vars.secret"] {
        let text = format!("fn on_event(event) {{ import {path} as other; }}");
        let (_, problems) = load(&[("main.rhai", "fn on_event(e) { }"), ("a.rhai", &text)], LIMITS);
        assert!(problems[0].message.contains("an import's path is a literal text"), "{text}: {problems:?}");
    }
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
    assert_eq!(steps, "main.rhai: the script took more steps than limits.script.steps (50000)");
    let inner = stopped("fn on_event(event) {\n  [1].map(|x| { loop { } })\n}");
    assert!(inner.starts_with("main.rhai:2:7: the script took more steps"), "{inner}");
}

fn nothing() -> crate::template::Params {
    crate::template::Params::Data(json("{}"))
}
