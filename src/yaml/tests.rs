use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Result<Node, Vec<Diagnostic>> {
    parse(&"a.yaml".into(), &text.into())
}

fn good(text: &str) -> Node {
    read(text).unwrap_or_else(|problems| panic!("{text:?}: {problems:?}"))
}

/// The one problem of a text: `line:column message`, and its help.
fn problem(text: &str) -> (String, String) {
    let problems = read(text).expect_err(text);
    assert_eq!(problems.len(), 1, "{text:?}: {problems:?}");
    let span = problems[0].span.expect("each problem has its place");
    let at = format!("{}:{} {}", span.line, span.column, problems[0].message);
    (at, problems[0].help.clone().unwrap_or_default())
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    let table = [
        ("true", "true"),
        ("False", "false"),
        ("yes", r#""yes""#),
        ("", "null"),
        ("~", "null"),
        ("NULL", "null"),
        ("nUll", r#""nUll""#),
        ("12", "12"),
        ("-0", "-0"),
        ("+1", "1"),
        ("007", "7"),
        ("0x10", "16"),
        ("0o17", "15"),
        ("0x", r#""0x""#),
        ("1_000", r#""1_000""#),
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("1.E+3", "1.0E+3"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("1.", "1.0"),
        (".", r#"".""#),
        ("-", r#""-""#),
        ("1e", r#""1e""#),
        ("1.2.3", r#""1.2.3""#),
        ("2025-05-25", r#""2025-05-25""#),
        ("12345678901234567890123", "12345678901234567890123"),
        ("0.10000000000000000001", "0.10000000000000000001"),
        ("'12'", r#""12""#),
        ("\"true\"", r#""true""#),
        ("!!str 12", r#""12""#),
        ("!!float 12", "12"),
        ("|\n  a\n  b\n", r#""a\nb\n""#),
    ];
    for (text, json) in table {
        let value = if text == "-" { "'-'" } else { text };
        assert_eq!(good(&format!("v: {value}")).get("v").unwrap().to_json().to_string(), json, "{text}");
    }
}

#[test]
fn places_count_characters_and_cut_bytes() {
    let text = "é: \u{1f600} # ü\r\nß: [ö, 'x' , {k: |-\n  }]\n";
    let text = text.replace("{k: |-\n  }", "{k: \u{fc}}");
    let node = good(&text);
    let cut = |pointer: &str, at_key| {
        let span = node.locate(pointer, at_key);
        (span.line, span.column, &text[span.start as usize..span.end as usize])
    };
    assert_eq!(cut("/é", true), (1, 1, "é"));
    assert_eq!(cut("/é", false), (1, 4, "\u{1f600}"));
    assert_eq!(cut("/ß", false), (2, 4, "[ö, 'x' , {k: ü}]"));
    assert_eq!(cut("/ß/1", false), (2, 8, "'x'"));
    assert_eq!(cut("/ß/2/k", false), (2, 18, "ü"));
    assert_eq!(cut("/ß/2/absent", false), (2, 14, "{k: ü}"));
}

#[test]
fn a_block_ends_with_its_last_child() {
    let text = "a:\n  - x\n  - {c: d}  # why\n\n# more\nb:\n";
    let node = good(text);
    let span = node.locate("/a", false);
    assert_eq!(&text[span.start as usize..span.end as usize], "- x\n  - {c: d}");
    let text = "a: 'x'   # why\nb: [y] # so\n";
    let span = good(text).locate("/a", false);
    assert_eq!(&text[span.start as usize..span.end as usize], "'x'");
    assert_eq!((node.locate("/b", false).line, node.locate("/b", false).column), (6, 2));
}

#[test]
fn an_empty_text_is_null() {
    for text in ["", "# nothing\n", "---\n", "\u{feff}"] {
        assert_eq!(good(text).to_json(), Json::Null, "{text:?}");
    }
    assert_eq!(good("\u{feff}a: 1").to_json().to_string(), r#"{"a":1}"#);
}

#[test]
fn keys_are_texts_each_once() {
    assert_eq!(good("1: a\ntrue: b\n'': c\n'<<': d").entries().len(), 4);
    assert_eq!(problem("a: 1\n\"a\": 2").0, "2:1 the key `a` is here already, on line 1");
    assert_eq!(problem("<<: {a: 1}").0, "1:1 merging by `<<` is not supported");
    assert_eq!(problem("? [a]\n: 2").0, "1:3 a key must be a text, not a map or list");
    assert_eq!(problem(": 3").0, "1:1 a key is missing before `:`");
}

#[test]
fn what_one_document_cannot_hold_is_refused() {
    assert_eq!(problem("a: 1\n---\nb: 1").0, "2:1 a second document begins here");
    assert_eq!(problem("a: !vault 1").0, "1:4 the tag `!vault` is not supported here");
    assert_eq!(problem("a: !!int x").0, "1:4 the tag `tag:yaml.org,2002:!int` is not supported here");
    assert!(problem("a: -.inf").0.starts_with("1:4 `-.inf`: infinite"));
    assert!(problem("a: 1e400").0.ends_with("the number is out of range"));
    assert_eq!(problem("é: a\0b").0, "1:5 the text contains a NUL character");
}

#[test]
fn the_classic_slips_get_a_hint_to_quote() {
    for text in ["{url: ${X}}", "a:\n  - {url: \"x\", y: ${X}, z: 1}"] {
        assert!(problem(text).1.contains("quote a reference"), "{text}");
    }
    for text in ["url: {{ x }}", "a: [{{ x }}]", "a: {{ x }}/y"] {
        assert!(read(text).unwrap_err()[0].help.as_ref().unwrap().contains("quote a template"), "{text}");
    }
    assert_eq!(problem("[{wildcard: *.png}]").0, "1:13 this is not YAML: found unknown anchor");
    assert!(problem("[{wildcard: *.png}]").1.contains("begins with `*`"));
    assert!(problem("a:\n\t- b").1.contains("spaces, not tabs"));
    assert!(problem("a: b: c").1.contains("quote a text that has `: `"));
    assert!(problem("a: @x").1.contains("quote a text that begins"));
    assert_eq!(problem("[1, 2").0, "1:6 this is not YAML: ',' or ']' is expected here");
}

#[test]
fn all_problems_come_in_order() {
    let problems = read("a: 1\nb: !x 2\na: 3\n<<: 4\nc: [").unwrap_err();
    let lines = problems.iter().map(|problem| problem.span.unwrap().line).collect::<Vec<_>>();
    assert_eq!(lines, [2, 3, 4, 5]);
}

#[test]
fn an_alias_is_a_copy_at_its_own_place() {
    let node = good("a: &x {k: 1}\nb: *x\n");
    assert_eq!(node.get("a").unwrap().to_json(), node.get("b").unwrap().to_json());
    assert_eq!(node.locate("/b", false).line, 2);
    assert!(problem("a: &x [*x]").0.contains("inside of what it names"));
}

#[test]
fn aliases_of_aliases_are_bounded() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(problem(&text).0.contains("repeat more than 64 MiB"));
}

#[test]
fn nesting_is_bounded() {
    assert!(read(&format!("{}{}", "[".repeat(128), "]".repeat(128))).is_ok());
    for depth in [129, 100_000] {
        assert!(problem(&"[".repeat(depth)).0.starts_with("1:"), "{depth}");
    }
    let block = (0..5_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    assert!(problem(&block).0.contains("nested deeper than 128 levels"));
}

#[test]
fn aliases_cannot_nest_deeper_than_texts() {
    let mut text = format!("a0: &a0 {}{}\n", "[".repeat(60), "]".repeat(60));
    for level in 1..40 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(good(&text).get("a39").is_some());
    text.push_str(&format!("b: {}*a39{}\n", "[".repeat(60), "]".repeat(60)));
    assert!(problem(&text).0.contains("nested deeper than 128 levels"));
}

#[test]
fn a_text_that_is_all_wrong_is_not_read_to_its_end() {
    let text = (0..10_000).map(|_| "{{a}: 1}, ").collect::<String>();
    assert_eq!(read(&format!("[{text}]")).unwrap_err().len(), 100);
    let twins = "a: 1\n".repeat(10_000);
    assert_eq!(read(&twins).unwrap_err().len(), 100);
}

#[test]
fn a_map_of_many_keys_takes_no_square_of_the_time() {
    let text = (0..100_000).map(|key| format!("k{key}: {{v: ü}}\n")).collect::<String>();
    assert_eq!(good(&text).entries().len(), 100_000);
}

#[test]
fn values_agree_with_another_parser() {
    let documents = [
        "a: 1\nb: [x, 'y', \"z\\n\\u00e9\"]\nc: {d: null, e: ~}\n",
        "- a\n- - b\n  - c\n-\n  d: e\n",
        "text: |\n  one\n   two\n\n  three\nfold: >-\n  one\n  two\n\n  three\nkeep: |+\n  x\n\nend: 1\n",
        "plain: a b # c\n# d\nmulti: one\n  two\n  three\nurl: http://x.example/a#b?c=d:e\n",
        "flow: [a, b: c, {d, e: [f]}, [], {}]\n",
        "quoted: 'it''s'\nescaped: \"tab\\t quote \\\" slash \\/ bell \\a\"\n",
        "a: &x [1, {b: 2}]\nc: *x\n",
        "---\na: b\n...\n",
        "key with spaces: v\n\"quoted: key\": v\n? explicit\n: value\n",
        "n: -12\nf: 1.5\nh: 0x1F\no: 0o17\nt: true\ns: 1_000\ne: 1e3\n",
        "a:\n- b\n- c\nd:\n  - e\n",
        "crlf: a\r\nlist:\r\n  - b\r\n",
    ];
    for text in documents {
        let expected: serde_json::Value = serde_yaml::from_str(text).expect(text);
        assert_eq!(good(text).to_json().to_serde(), expected, "{text}");
    }
}

fn yamlish() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b: ",
        "- ",
        "\n",
        "  ",
        "\t",
        "{",
        "}",
        "[",
        "]",
        ",",
        ": ",
        "?",
        "&x ",
        "*x",
        "!t ",
        "'",
        "\"",
        "|",
        ">",
        "#",
        "%",
        "---\n",
        "...",
        "é",
        "\u{1f600}",
        "\r\n",
        "\\",
        "<<",
        "12",
        ".5",
        "\u{feff}",
        "@",
        "${X}",
        "{{ x }}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn spans_fit(node: &Node, text: &str) {
    assert!(text.get(node.span.start as usize..node.span.end as usize).is_some(), "{node:?}");
    if let Value::List(items) = &node.value {
        items.iter().for_each(|item| spans_fit(item, text));
    }
    for entry in node.entries() {
        assert!(text.get(entry.key_span.start as usize..entry.key_span.end as usize).is_some(), "{entry:?}");
        spans_fit(&entry.node, text);
    }
}

fn holds_together(text: &str) {
    match read(text) {
        Ok(node) => spans_fit(&node, text),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let span = problem.span.unwrap();
                assert!(text.get(span.start as usize..span.end as usize).is_some(), "{problem:?}");
                assert!(!problem.render(false).is_empty());
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_node_or_problems(text in any::<String>()) {
        holds_together(&text);
    }

    #[test]
    fn any_text_of_yaml_pieces_gives_a_node_or_problems(text in yamlish()) {
        holds_together(&text);
    }

    #[test]
    fn json_is_yaml(value in any::<(i64, String, bool, Vec<String>)>()) {
        let json = serde_json::to_string(&value).unwrap();
        prop_assume!(!json.chars().any(|c| c.is_control()));
        let node = good(&json);
        prop_assert_eq!(node.to_json(), crate::json::parse(json.as_bytes()).unwrap());
    }
}
