//! What loading finds wrong, and where.

use super::kit::*;
use crate::script::Limits;

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    load(files, Limits::default()).1.iter().map(ToString::to_string).collect()
}

fn problem(text: &str) -> String {
    let mut found = problems(&[("a.rhai", text)]);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

#[test]
fn mistakes_are_found_with_their_place() {
    for (text, wanted) in [
        ("fn on_event(event) {\n  let x = ;\n}", "a.rhai:2:11: error: "),
        ("fn on_event(event) {\n  nope\n}", "a.rhai:2:3: error: there is no variable `nope`"),
        ("fn on_event(event) { [1].map(|x| x + nope) }", "there is no variable `nope`"),
        (
            "fn on_event(event) {\n  helpr(1)\n}\nfn helper(x) {}",
            "a.rhai:2:3: error: there is no function `helpr` (did you mean `helper`?)",
        ),
        ("fn on_event(event) { helper(1, 2) } fn helper(x) {}", "`helper` takes 1 arguments, not 2"),
        (
            "fn on_event(event) { event.payload.spilt(\"a\") }",
            "there is no function `spilt` (did you mean `split`?)",
        ),
        ("fn on_event(event) { slack_escap(\"<\") }", "(did you mean `slack_escape`?)"),
        ("fn on_event(event) { slack_escape(\"<\", 1) }", "`slack_escape` takes 1 arguments, not 2"),
        (
            "fn on_event(event) { event.stauts }",
            "a.rhai:1:28: error: an event has no field `stauts` (did you mean `event.status`?)",
        ),
        ("fn on_event(event) { event.cost > 1 }", "`event.payload.cost`"),
        ("fn on_event(event) { event.payload.default }", "write `event.payload[\"default\"]`"),
        ("fn on_event(a, b, c) {}", "takes `(event, params)` or `(event)`"),
        ("private fn on_event(a) {}", "is not private"),
        ("fn on_event(event) { let vars = 1; }", "`vars` is the name"),
        ("fn on_event(event, vars) { }", "`vars` is the name"),
        ("const A = [1].len(); fn on_event(event) { A }", "write `global::A`"),
        ("fn on_event(e) { event.status }", "`event` is a parameter of `on_event`"),
        (
            "import \"gone\" as g; fn on_event(e) { }",
            "a.rhai:1:8: error: there is no script `gone` to import",
        ),
        ("let p = \"x\"; import p as g;", "an import's path is a literal text"),
        ("note(#{text: \"a\"});", "only be called while an event is handled"),
        ("loop { }", "limits.script.steps"),
        ("fn on_event(e) { x::f() }", "there is no import named `x`"),
        ("fn on_event(e) {\n  tmie::now()\n}", "there is no import named `tmie` (did you mean `time`?)"),
        (
            "fn on_event(e) {\n  time::nwo()\n}",
            "a.rhai:2:9: error: `time` has no function `nwo` (did you mean `time::now`?)",
        ),
        (
            "fn on_event(e) { log::fatal(\"\") }",
            "`log` has no function `fatal` (it has debug, error, info, warn)",
        ),
        ("fn on_event(e) { time::now(1) }", "`time::now` takes 0 arguments, not 1"),
        ("fn on_event(e) { time::a::now() }", "`time` has no modules in it"),
        ("fn on_event(e) { time::NOW }", "`time` has no constant `NOW`"),
        ("fn on_event(e) { now() }", "there is no function `now` (did you mean `time::now`?)"),
    ] {
        let found = problem(text);
        assert!(found.contains(wanted), "{text}: {found}");
    }
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let found = problems(&[
        ("a.rhai", "fn on_event(event) { one; two(); event.thre }"),
        ("b.rhai", "fn on_event(event) { if }"),
    ]);
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn what_is_right_is_not_reported() {
    let text = r#"
        import "lib/format" as f;
        const LIMIT = 5;
        const NAMES = ["a", "b"];
        const COMPUTED = NAMES.len();
        fn on_event(event, params) {
            let greet = #{hello: |n| n + 1};
            let total = 0;
            for (item, i) in event.payload.items { total += item.n + i; }
            let each = NAMES.map(|n| [1].map(|m| `${n}${m}${total}`));
            let named = NAMES.map(shout);
            event.note = "mine";
            event.note.len();
            switch total { 1 => (), _ => greet.hello(1) };
            try { shout("x") } catch (err) { err }
            note(#{text: `${f::bold("x")} ${LIMIT} ${global::COMPUTED} ${inner()} ${f::STAR}`});
        }
        fn shout(n) { n.to_upper() }
        fn inner() { LIMIT + { let LIMIT = 1; LIMIT } }
    "#;
    let library =
        "export const STAR = \"*\"; import \"lib/deep.rhai\" as d; fn bold(x) { `*${d::same(x)}*` }";
    let files = [("main.rhai", text), ("lib/format.rhai", library), ("lib/deep.rhai", "fn same(x) { x }")];
    assert_eq!(problems(&files), [""; 0]);
    let scripts = loaded(&files, Limits::default());
    let receipt = run_with(&scripts, &crate::template::Params::Data(json("{}"))).unwrap();
    assert_eq!(shown(&receipt.effects[0]), r#"{"text":"*x* 5 2 6 *"}"#);
}

#[test]
fn imports_in_a_circle_are_an_error() {
    let found = problems(&[("a.rhai", "import \"b\" as b; fn f() {}"), ("b.rhai", "import \"a\" as a;")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("import each other"), "{found:?}");
}

#[test]
fn an_error_below_an_import_names_the_file_it_is_in() {
    let library = "fn f(x) {\n  x.nope\n}";
    let files = [("main.rhai", "import \"lib\" as l; fn on_event(e) { l::f(e) }"), ("lib.rhai", library)];
    let error =
        run_with(&loaded(&files, Limits::default()), &crate::template::Params::Data(json("{}"))).unwrap_err();
    assert!(error.to_string().starts_with("lib.rhai:2:5: the map has no `nope`"), "{error}");
    assert!(error.to_string().contains("in `f`, called at main.rhai:1:"), "{error}");
}

#[test]
fn an_import_cannot_hide_a_module() {
    let files = [("a.rhai", "fn on_event(e) {}\nimport \"lib\" as time;"), ("lib.rhai", "fn now() { 1 }")];
    let found = problems(&files);
    assert_eq!(found.len(), 1, "{found:?}");
    let wanted = "a.rhai:2:8: error: `time` is a module of hookyard's own (it would be hidden: give the import another name)";
    assert_eq!(found[0], wanted);
}

#[test]
fn files_cannot_be_read() {
    let found = problem("import \"/etc/passwd\" as p;");
    assert!(found.contains("there is no script `/etc/passwd`"), "{found}");
}

#[test]
fn what_works_is_compiled_beside_what_does_not() {
    let files = [("good.rhai", "fn on_event(e) {}"), ("bad.rhai", "fn on_event(e) { if }")];
    let (scripts, problems) = load(&files, Limits::default());
    assert_eq!(problems.len(), 1);
    assert!(scripts.action("script", &crate::template::Params::Data(json("\"good.rhai\""))).is_ok());
    assert!(scripts.action("script", &crate::template::Params::Data(json("\"bad.rhai\""))).is_err());
}

/// One file that handles events, and the library it imports.
fn warnings_beside(main: &str, library: &str) -> Vec<String> {
    problems(&[("lib/format.rhai", library), ("main.rhai", main)])
}

#[test]
fn what_nobody_uses_is_a_warning_with_its_place() {
    let main =
        "import \"lib/format\" as f;\nfn on_event(event) { f::bold(1); }\n\nfn helper(x) {\n  helper(x)\n}";
    let library = "fn bold(x) { x }\nfn  italic(\n  x\n) { x }";
    assert_eq!(
        warnings_beside(main, library),
        [
            "lib/format.rhai:2:5: warning: `italic` is never called (remove it)",
            "main.rhai:4:4: warning: `helper` is never called (remove it)",
        ]
    );
    assert_eq!(
        warnings_beside(
            "import \"lib/format\" as f;\nimport \"lib/format\";\nfn on_event(e) { }",
            "fn bold(x) { x }"
        ),
        [
            "lib/format.rhai:1:4: warning: `bold` is never called (remove it)",
            "main.rhai:1:8: warning: the import `f` is not used (remove it)",
            "main.rhai:2:8: warning: `lib/format` is imported without a name, by which it could be used \
             (write `import \"lib/format\" as name;`, or remove it)",
        ]
    );
    assert_eq!(
        warnings_beside("fn on_event(e) { }", "\nfn bold(x) { x }\nfn italic(x) { bold(x) }"),
        [
            "lib/format.rhai:2:4: warning: no script imports this one, and it has no `on_event`: nothing of it can run \
          (`import \"lib/format\" as name;` where it is wanted, or add `fn on_event(event)`)"
        ]
    );
}

#[test]
fn what_may_be_used_is_not_told_of() {
    let nothing: [&str; 0] = [];
    for (main, library) in [
        // Handed on, as a method, by a text, in a closure, in a text, in a constant.
        ("fn on_event(e) { [1].map(each) } fn each(x) { x }", ""),
        ("fn on_event(e) { e.status.shout() } fn shout() { this + \"!\" }", ""),
        ("fn on_event(e) { Fn(\"shout\").call(1) } fn shout(x) { x }", ""),
        ("fn on_event(e) { [1].map(|x| shout(x)) } fn shout(x) { x }", ""),
        ("fn on_event(e) { `${shout(1)}` } fn shout(x) { x }", ""),
        ("const A = shout(1); fn on_event(e) { global::A } fn shout(x) { x }", ""),
        ("fn on_event(e) { `${#{}}` } fn to_string(x) { \"\" }", ""),
        ("fn on_event(e) { e.status.shout() } fn string.shout() { this + \"!\" }", ""),
        // An overload; by one that is used; private and not.
        ("fn on_event(e) { f(1) } fn f(x) { f(x, 1) } fn f(x, y) { g(x) } private fn g(x) { x }", ""),
        // Of a library: in a constant, by its own functions, in a method's argument.
        (
            "import \"lib/format\" as f; const A = f::a(); fn on_event(e) { global::A }",
            "fn a() { b() } fn b() { 1 }",
        ),
        ("import \"lib/format\" as f; fn on_event(e) { [1].map(|x| f::a(x)) }", "fn a(x) { x }"),
        ("import \"lib/format\" as f; fn on_event(e) { f::STAR }", "export const STAR = 1;"),
        ("", "fn on_event(event) { }"),
        ("fn on_event(event) { }", "// to be written"),
    ] {
        assert_eq!(warnings_beside(main, library), nothing, "{main}");
    }
    let through = [
        ("main.rhai", "import \"a\" as a; fn on_event(e) { a::b::f() }"),
        ("a.rhai", "import \"b\" as b;"),
        ("b.rhai", "fn f() { 1 }"),
    ];
    assert_eq!(problems(&through), nothing);
    let broken = [("main.rhai", "fn on_event(e) { if }"), ("lib.rhai", "fn f() { 1 }")];
    assert_eq!(problems(&broken).len(), 1, "the file that does not parse may import the other");
}

#[test]
fn a_switch_over_a_text_with_cases_that_are_none_is_a_warning() {
    let found = |switch: &str| problems(&[("a.rhai", &format!("fn on_event(event) {{\n  {switch}\n}}"))]);
    for (switch, case) in [
        (
            "switch event.metadata.level { 1 => 2, _ => 3 }",
            "`event.metadata.level` may be a text, which the case `1` never",
        ),
        (
            "switch event.metadata[\"level\"] { -1 => 2 }",
            "`event.metadata.level` may be a text, which the case `-1` never",
        ),
        ("switch event[\"metadata\"].level { 1.5 => 2 }", "which the case `1.5` never"),
        ("switch event.get(\"metadata.level\") { \"x\" | 7 => 2, }", "which the case `7` never"),
        ("switch event.get(\"metadata.level\", \"0\") { 0..5 => 2 }", "which a case that is a range never"),
        ("switch event.status { 'f' => 2 }", "`event.status` is a text, which the case `'f'` never"),
        ("switch event.headers[\"x-urgent\"] { true => 2 }", "which the case `true` never"),
        ("[1].map(|n| switch event.status { 1 if n > 0 => 2 })", "which the case `1` never"),
    ] {
        let found = found(switch);
        assert_eq!(found.len(), 1, "{switch}: {found:?}");
        assert!(found[0].contains("warning: ") && found[0].contains(case), "{switch}: {found:?}");
        assert!(found[0].contains("write the case as a text in `\"…\"`, or `switch number(…)`"), "{found:?}");
    }
    for switch in [
        "switch event.metadata.level { \"1\" => 1, \"2\" => 2, _ => 3 }",
        "switch number(event.metadata.level) { 1 => 2 }",
        "switch event.get(\"metadata.level\", 0) { 0 => 2 }",
        "switch event.get(\"metadata.level\") { () => 1, \"x\" => 2 }",
        "switch event.payload.cost { 1 => 2 }",
        "switch event.metadata { 1 => 2 }",
        "switch event.hops { 1 => 2 }",
        "event.metadata.level = 1; switch event.metadata.level { 1 => 2 }",
        "let other = event; switch other.status { 1 => 2 }",
        "switch event.status { \"a\" => { switch event.payload.n { 1 => 2 } } }",
    ] {
        assert_eq!(found(switch), [""; 0], "{switch}");
    }
    let place = "a.rhai:2:3: warning: ";
    assert!(found("switch event.status { 1 => 2 }")[0].starts_with(place));
}

#[test]
fn a_file_that_only_computes_is_known_with_what_it_imports() {
    let files = [
        ("pure.rhai", "import \"lib/text\" as text; fn on_event(event) { text::shout(event) }"),
        ("lib/text.rhai", "fn shout(event) { event.status }"),
        ("asks.rhai", "import \"lib/ask\" as ask; fn on_event(event) { ask::it() }"),
        ("lib/ask.rhai", "fn it() { fetch(#{url: \"https://x.example/\"}) }"),
        ("counts.rhai", "fn on_event(event) { kv::set(\"n\", 1) }"),
    ];
    let scripts = loaded(&files, Limits::default());
    for (file, only_computes) in [("pure.rhai", true), ("asks.rhai", false), ("counts.rhai", false)] {
        assert_eq!(crate::script::library::only_computes(&scripts.library, file), only_computes, "{file}");
    }
}
