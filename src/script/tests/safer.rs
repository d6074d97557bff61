//! The functions that take the place of Rhai's own: the same answers, within the limits.

use super::kit::*;
use crate::script::{Limits, engine, library, state};
use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, Map};

fn ours() -> Engine {
    let limits = Limits::default();
    let engine = engine::script(&limits, Dynamic::from_map(Map::new()), library::Resolver::default());
    state::meter(&limits, state::Room::of_script(&limits, 0));
    engine
}

fn theirs() -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine
}

#[test]
fn the_answers_are_those_of_rhai() {
    let (ours, theirs) = (ours(), theirs());
    for text in [
        // Lists and functions of their values, the index, or `this`.
        "[1, 2, 3].map(|x| x * 2)",
        "[1, 2, 3].map(|x, i| x * i)",
        "[1, 2, 3].map(|| this + 1)",
        "[].map(|x| x)",
        "[1, 2, 3, 4].filter(|x| x % 2 == 0)",
        "[5, 6, 7].filter(|x, i| i > 0)",
        "[1, 2].filter(|x| 7)",
        "let a = [1, 2, 3]; a.for_each(|| this *= 2); a",
        "let sum = 0; [1, 2, 3].for_each(|x| sum += x); sum",
        "[[1, 2, 3].some(|x| x > 2), [1].some(|x| x > 2), [].some(|x| true)]",
        "[[1, 2, 3].all(|x| x > 0), [1, -1].all(|x| x > 0), [].all(|x| false)]",
        "[[3, 1, 2].index_of(|x| x < 3), [3].index_of(|x| x < 3), [1, 1].index_of(|x| x == 1, 1)]",
        "[[1, 2, 3].index_of(3), [1, 2].index_of(5), [1, 2, 1].index_of(1, 1), [1, 2, 1].index_of(1, -1)]",
        "[[1, 2].index_of(1, 9), [1, 2].index_of(2, -9), [\"a\", \"b\"].index_of(\"b\"), [].index_of(1)]",
        "[[3, 1, 2].find(|x| x < 3), [3].find(|x| x < 3), [1, 2, 3].find(|x| x > 0, 1)]",
        "[[1, 2].find_map(|x| if x > 1 { x * 10 }), [1].find_map(|x| ()), [1, 2].find_map(|x| x, -1)]",
        "[1, 2, 3].reduce(|sum, x| x + (sum ?? 0))",
        "[1, 2, 3].reduce(|sum, x, i| x * i + sum, 100)",
        "[1, 2, 3].reduce_rev(|sum, x| `${sum ?? \"\"}${x}`)",
        "[1, 2, 3].reduce_rev(|sum, x, i| `${sum}${i}`, \"\")",
        "[1, 2].zip([3, 4, 5], |a, b| a + b)",
        "[1, 2].zip([3, 4], |a, b, i| a + b + i)",
        "let a = [1, 2, 3, 4]; let b = a.drain(|x| x % 2 == 0); [a, b]",
        "let a = [1, 2, 3, 4]; let b = a.retain(|x, i| i > 1); [a, b]",
        "let a = [3, 1, 2, 1]; a.sort(|a, b| a - b); a",
        "let a = [3, 1, 2, 1]; a.sort_by(|a, b| a > b); a",
        "let a = [[1, 0], [0, 1], [1, 2], [0, 3]]; a.sort(|a, b| a[0] - b[0]); a",
        "let a = [3, 1, 2]; [a.order(|a, b| b - a), a.order_by(|a, b| a < b), a]",
        "let a = [1, 1, 2, 2, 1]; a.dedup(); a",
        "let a = [1, 2, 4, 7]; a.dedup(|a, b| b - a < 2); a",
        "let a = [1]; a.pad(3, [2]); a.pad(2, 0); a.pad(-1, 0); a",
        // Maps.
        "#{a: 1, b: 2}.map(|k| `${k}${this}`)",
        "#{a: 1, b: 2}.map(|k, v| `${k}${v}`)",
        "#{a: 1, b: 2}.filter(|k| this > 1)",
        "#{a: 1, b: 2}.filter(|k, v| k == \"a\" && v == 1)",
        "let m = #{a: 1, b: 2}; let t = m.drain(|k, v| v > 1); [m, t]",
        "let m = #{a: 1, b: 2}; let t = m.retain(|k| k == \"b\"); [m, t]",
        // Equality.
        "[[1, [2, \"a\"]] == [1, [2, \"a\"]], [1] == [2], [1] != [1, 2], [] == [], [()] == [()]]",
        "[#{a: [1]} == #{a: [1]}, #{a: 1} == #{b: 1}, #{} != #{a: 1}, #{a: 1} == #{a: 1.0}]",
        "[[1, 2].contains(2), 5 in [1, 2], [1] in [[1], 2], ['b', 'a'].contains(\"a\")]",
        "[blob(2, 1)] == [blob(2, 1)]",
        // Texts.
        "let s = \"ab\"; s.pad(5, \"xyz\"); s.pad(2, \"-\"); s.pad(-1, \"-\"); s",
        "let s = \"a-b-c\"; s.replace(\"-\", \"/\"); s.replace('b', \"BB\"); s.replace(\"a\", 'A'); s.replace('c', 'C'); s",
        "let s = \"abc\"; s.replace(\"\", \"-\"); s.replace(\"x\", \"y\"); s",
        "let s = \"é🦀\"; s.replace(\"🦀\", \"\"); s.pad(4, '🦀'); s.pad(6, \"ñ\"); s",
        // Printing.
        "`${[1, 2.5, \"a\\n\\\"b\", 'c', true, (), [], #{}, #{a: [1], \"b c\": ()}]}`",
        "[[1, \"a\"].to_string(), [1, \"a\"].to_debug(), #{a: 'x'}.to_string(), #{a: \"x\"}.to_debug()]",
        "\"\" + [1] + #{a: 1}",
        "`${[|x| x, Fn(\"len\")].len()} ${[Fn(\"len\")]} ${[0..2, blob(2, 1)]}`",
    ] {
        let answer = |engine: &Engine| engine.eval::<Dynamic>(text).map(|value| format!("{value:?}"));
        let (ours, theirs) = (answer(&ours), answer(&theirs));
        assert_eq!(ours.unwrap_or_else(|error| panic!("{text}: {error}")), theirs.expect(text), "{text}");
    }
}

#[test]
fn a_constant_is_not_changed() {
    for change in [
        "sort(|a, b| 1)",
        "dedup()",
        "drain(|x| true)",
        "retain(|x| true)",
        "pad(9, 1)",
        "for_each(|| this = 1)",
    ] {
        let error = ours().eval::<Dynamic>(&format!("const A = [2, 1]; A.{change};")).expect_err(change);
        assert!(error.to_string().contains("onstant"), "{change}: {error}");
    }
    assert_eq!(
        ours().eval::<i64>("const A = [2, 1]; A.map(|x| x).len() + A.filter(|x| true).len()").unwrap(),
        4
    );
}

/// In Rhai itself, `list.index_of("fail")` calls `fail`, whoever wrote that text.
#[test]
fn a_text_is_never_taken_for_the_function_of_that_name() {
    for word in ["fail", "drop", "retry", "log", "print", "shout"] {
        let text = format!(
            "fn on_event(event) {{ note(#{{text: `${{[\"a\", \"{word}\"].index_of(\"{word}\")}} ${{[\"a\", \"{word}\"].index_of(\"{word}\", 1)}}`}}); }} fn shout(x) {{ throw 1 }}"
        );
        assert_eq!(shown(&run_file(&text).expect(word).effects[0]), r#"{"text":"1 1"}"#);
        for call in [
            "map(W)",
            "filter(W)",
            "some(W)",
            "all(W)",
            "reduce(W)",
            "reduce(W, 0)",
            "reduce_rev(W)",
            "reduce_rev(W, 0)",
            "dedup(W)",
            "sort(W)",
            "drain(W)",
            "retain(W)",
        ] {
            let message =
                blocked(&format!("let a = [1, 2]; a.{};", call.replace('W', &format!("\"{word}\""))));
            assert!(message.contains("wants a function, not the text"), "{call} {word}: {message}");
        }
    }
}

#[test]
fn an_error_of_a_comparer_is_an_error() {
    for call in
        ["sort(|a, b| a.nope)", "sort_by(|a, b| throw 1)", "order(|a, b| [] > 1)", "dedup(|a, b| throw 1)"]
    {
        blocked(&format!("let a = [2, 1]; a.{call};"));
        assert_eq!(
            one(&format!("let a = [2, 1]; try {{ a.{call}; }} catch {{ note(#{{text: `${{a}}`}}) }}")),
            r#"{"text":"[2, 1]"}"#
        );
    }
    assert!(blocked("[2, 1].order(|a, b| ())").contains("says the order of two values"));
    // An order that contradicts itself is none, and no panic.
    let absurd = "let i = 0; let a = []; for n in 0..200 { a.push(n) } a.sort(|x, y| { i += 1; i % 3 - 1 }); note(#{text: `${a.len()}`});";
    assert_eq!(one(absurd), r#"{"text":"200"}"#);
}

#[test]
fn what_makes_much_of_little_is_measured_before_it_is_made() {
    let size = "limits.script.size (1048576)";
    for bomb in [
        r#"let s = repeat("a", 1000000); s.replace("a", s);"#,
        r#"let s = repeat("a", 1000000); s.replace('a', s);"#,
        r#"let s = repeat("é", 400000); s.replace("", s);"#,
        r#"let s = ""; s.pad(9223372036854775807, "ab");"#,
        // 2^44 lists of 2^20 values: a product of 0, in 64 bits.
        "let item = []; item.pad(1048575, 0); let a = []; a.pad(17592186044416, item);",
        "let a = []; a.pad(9223372036854775807, 1);",
        r#"let s = repeat("a", 1000000); let a = []; a.pad(1000, s);"#,
        r#"let s = repeat("a", 1000000); let m = #{}; for i in 0..50 { m[`${i}`] = s; } `${m}`"#,
        r#"let s = repeat("a", 1000000); let m = #{}; for i in 0..50 { m[`${i}`] = s; } print([m]);"#,
        r#"let s = repeat("a", 1000000); let m = #{}; for i in 0..50 { m[`${i}`] = s; } m.to_debug()"#,
    ] {
        let message = blocked(bomb);
        assert!(message.contains(size), "{bomb}: {message}");
    }
    for use_of_it in [
        "m.to_json()",
        "[m].join(\"\")",
        "[m].unique()",
        "query_encode(#{m: [m]})",
        "note(#{text: \"\", json: m})",
        "kv::set(\"m\", m)",
        "log::info(m)",
        "fetch(#{url: \"https://api.example/tasks/7\", json: m})",
    ] {
        let bomb = format!(
            "let s = repeat(\"a\", 1000000); let m = #{{}}; for i in 0..50 {{ m[`${{i}}`] = s; }} try {{ {use_of_it}; }} catch {{ }}"
        );
        let before = crate::memory::taken();
        let message = blocked(&bomb);
        assert!(message.contains(size), "{use_of_it}: {message}");
        let taken = crate::memory::taken() - before;
        assert!(taken < 100 << 20, "{use_of_it}: {taken} bytes were taken");
    }
}

/// The size of what is looked for is paid for once, not once for each value of the list.
#[test]
fn a_large_value_is_found_without_copies() {
    let text = "let big = []; big.pad(200000, 0); let list = []; list.pad(200000, []);
        note(#{text: `${list.contains(big)} ${list.index_of(big)} ${list.index_of(blob(200000, 0))} ${list == big}`});";
    let before = crate::memory::taken();
    // A list beside a number is an error, as `[] == 0` is.
    let message = blocked(text);
    assert!(message.contains("cannot compare a list with a number"), "{message}");
    assert_eq!(one(&text.replace(" ${list == big}", "")), r#"{"text":"false -1 -1"}"#);
    let taken = crate::memory::taken() - before;
    assert!(taken < 1 << 30, "{taken} bytes were taken");
}
