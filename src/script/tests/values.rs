//! Numbers, comparisons and reading.

use super::kit::*;

#[test]
fn numbers_stay_what_they_are() {
    for (expression, text) in [
        ("event.payload.big", "123456789012345678901234567890"),
        ("event.payload.long", "9223372036854775807"),
        ("event.payload.price", "0.1"),
        ("number(\"12\")", "12"),
        ("number(\"12.5\") + 1", "13.5"),
        ("number(\"123456789012345678901\")", "123456789012345678901"),
        ("number(3)", "3"),
        ("parse_json(\"{\\\"a\\\": 99999999999999999999}\").a", "99999999999999999999"),
        ("event.payload.big == number(\"123456789012345678901234567890\")", "true"),
        ("event.payload.big > 1", "true"),
        ("1.5 < event.payload.big", "true"),
        ("\"\" + event.payload.big", "\"123456789012345678901234567890\""),
        ("`${event.payload.big}`", "\"123456789012345678901234567890\""),
        ("event.payload.none == ()", "true"),
        ("event.payload.big == ()", "false"),
        ("event.payload.to_json().contains(\"123456789012345678901234567890\")", "true"),
    ] {
        assert_eq!(value(expression).to_string(), text, "{expression}");
    }
    for sum in ["event.payload.big + 1", "1.0 * event.payload.big", "-event.payload.big"] {
        assert!(blocked(sum).contains("cannot be calculated with"), "{sum}");
    }
    assert!(blocked("number(\"a\")").contains("\"a\" is not a number"));
    assert!(blocked("event.payload.long + 1").contains("overflow"));
}

#[test]
fn comparing_a_number_with_a_string_is_an_error_either_way() {
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        for (a, b) in
            [("event.payload.cost", "event.metadata.budget"), ("1.5", "\"1\""), ("event.payload.big", "'1'")]
        {
            for comparison in [format!("{a} {operator} {b}"), format!("{b} {operator} {a}")] {
                let message = blocked(&format!("if {comparison} {{ 1 }}"));
                assert!(message.contains("cannot compare a"), "{comparison}: {message}");
                assert!(message.contains("number(…)"), "{comparison}: {message}");
            }
        }
    }
}

#[test]
fn other_mixed_comparisons_are_errors_too() {
    for comparison in [
        "1 < ()",
        "() >= 1",
        "\"a\" < ()",
        "true > false",
        "true == \"true\"",
        "1 == true",
        "[1] == 1",
        "#{} < #{}",
    ] {
        assert!(blocked(&format!("if {comparison} {{ 1 }}")).contains("cannot compare"), "{comparison}");
    }
    for (comparison, answer) in [
        ("1 < 1.5", true),
        ("\"a\" < \"b\"", true),
        ("'a' == \"a\"", true),
        ("1 == ()", false),
        ("() == ()", true),
        ("[1] == [1]", true),
        ("true != false", true),
        ("\"x\" != ()", true),
    ] {
        assert_eq!(value(comparison), crate::json::Json::from(answer), "{comparison}");
    }
}

#[test]
fn a_mixed_comparison_of_constants_is_not_folded_away() {
    assert!(blocked("if 1 == \"1\" { 1 }").contains("cannot compare"));
    assert!(blocked("if [1, 2].contains(\"1\") { 1 }").contains("cannot compare"));
}

#[test]
fn get_reads_what_may_be_absent() {
    for (expression, answer) in [
        ("event.get(\"metadata.team\", \"none\")", "\"marketing\""),
        ("event.get(\"metadata.tame\", \"none\")", "\"none\""),
        ("event.get(\"metadata.tame\")", "null"),
        ("event.get(\"payload.items.1.n\", 0)", "2"),
        ("event.get(\"payload.items.7.n\", 0)", "0"),
        ("event.get(\"payload.none\", 3)", "3"),
        ("event.metadata.get(\"a.b\")", "\"dotted\""),
        ("event.get(\"metadata.a.b\")", "\"dotted\""),
        ("#{x: 1}.get(\"x\", 2)", "1"),
        ("params.get(\"limit\")", "5"),
    ] {
        assert_eq!(value(expression).to_string(), answer, "{expression}");
    }
}

#[test]
fn what_goes_into_html_can_be_escaped() {
    let escaped = value(r#"html_escape("<b title='\"'> & &lt;")"#).to_string();
    assert_eq!(escaped, r#""&lt;b title=&#39;&quot;&#39;&gt; &amp; &amp;lt;""#);
    let refused = blocked("let x = html_escape(vars.secret);");
    assert!(refused.contains("`html_escape (secret)`") && !refused.contains("TOKEN"), "{refused}");
}

#[test]
fn what_goes_into_slack_text_can_be_escaped() {
    for (expression, shown) in [
        (r#"slack_escape("<!channel> a & b <@U1> \"'")"#, r#""&lt;!channel&gt; a &amp; b &lt;@U1&gt; \"'""#),
        (r#"slack_escape("&lt;")"#, r#""&amp;lt;""#),
        ("`*${event.payload.task_id.slack_escape()}*`", r#""*t-1*""#),
    ] {
        assert_eq!(value(expression).to_string(), shown, "{expression}");
    }
    let refused = blocked("let x = slack_escape(vars.secret);");
    assert!(refused.contains("`slack_escape (secret)`") && !refused.contains("TOKEN"), "{refused}");
}
