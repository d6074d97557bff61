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
