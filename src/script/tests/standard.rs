//! The standard library beyond its examples: what is odd, wrong, or has two sides.

use super::kit::*;
use crate::action::ActionError;
use crate::script::Limits;
use std::time::Duration;

/// Each expression and its value as JSON.
fn give(expressions: &[(&str, &str)]) {
    let values = values(&expressions.iter().map(|(expression, _)| *expression).collect::<Vec<_>>());
    for ((expression, given), value) in expressions.iter().zip(values) {
        assert_eq!(value.to_string(), *given, "{expression}");
    }
}

/// Each expression and a part of its error, which has the place of the call.
fn refuse(expressions: &[(&str, &str)]) {
    for (expression, wanted) in expressions {
        let message = blocked(&format!("let x = {expression};"));
        assert!(message.contains(wanted), "{expression}: {message}");
        assert!(message.starts_with("main.rhai:2:"), "{expression}: {message}");
    }
}

#[test]
fn times_are_read_compared_and_calculated_with() {
    give(&[
        (r#"time::parse("Sun, 06 Nov 1994 08:49:37 GMT")"#, r#""1994-11-06T08:49:37Z""#),
        (r#"time::parse("Mon, 23 Nov 2026 09:00:00 +0100")"#, r#""2026-11-23T08:00:00Z""#),
        (r#"time::parse(" 2025-05-25T09:22:22.269116+00:00 ")"#, r#""2025-05-25T09:22:22.269116Z""#),
        (r#"time::parse("2026-01-01T01:00:00+01:00") == time::unix(1767225600)"#, "true"),
        (r#"time::unix(1) < time::unix(2) && time::unix(2) >= time::unix(2)"#, "true"),
        ("time::unix(1) != ()", "true"),
        ("[time::unix(1), time::unix(2)].contains(time::unix(2))", "true"),
        ("time::unix(100) - time::unix(40)", r#""1m""#),
        ("time::unix(40) - time::unix(100)", r#""-1m""#),
        (r#"(time::unix(0) + "1m" - duration(30) + 1 - 0.5).unix_ms"#, "30500"),
        ("time::unix(0.5).unix_ms()", "500"),
        ("time::unix(-0.25)", r#""1969-12-31T23:59:59.75Z""#),
        ("time::unix(1.0e9)", r#""2001-09-09T01:46:40Z""#),
        (r#"time::unix(number("1764000000.123456789"))"#, r#""2025-11-24T16:00:00.123456789Z""#),
        ("[time::unix(3), time::unix(1), time::unix(2)].min()", r#""1970-01-01T00:00:01Z""#),
        ("`at ${time::unix(0)}` + time::unix(1)", r#""at 1970-01-01T00:00:00Z1970-01-01T00:00:01Z""#),
        (
            "#{at: time::unix(0), d: duration(90)}.to_json()",
            r#""{\"at\":\"1970-01-01T00:00:00Z\",\"d\":\"1m 30s\"}""#,
        ),
        ("type_of(time::unix(0)) + type_of(duration(1))", r#""TimeDuration""#),
        ("time::now() - time::parse(\"2025-01-01T00:00:00Z\") > duration(\"1d\")", "true"),
        (r#"time::unix(0).in_zone("America/New_York").weekday"#, r#""wed""#),
    ]);
}

#[test]
fn what_is_no_time_is_told_with_what_to_write() {
    refuse(&[
        (r#"time::parse("soon")"#, "\"soon\" is not a time like `2026-11-23T08:00:00Z`"),
        (r#"time::parse("2025-05-25T09:22:22")"#, "has no offset from UTC: add `Z`"),
        ("time::unix(1764000000000)", "divide milliseconds by 1000"),
        ("time::unix(0.0 / 0.0)", "is not a finite number"),
        ("time::unix(event.payload.big)", "is no time in seconds"),
        (
            r#"time::unix("1")"#,
            "it is `time::unix(seconds: int) -> Time` or `time::unix(seconds: float) -> Time`",
        ),
        (r#"time::unix(0) + "soon""#, "what is added to a time is a duration like"),
        (r#"time::unix(0) + "9999 years" + "9999 years""#, "not within the years -9999 to 9999"),
        (r#"time::unix(0).in_zone("Berlin")"#, "no time zone \"Berlin\": did you mean `Europe/Berlin`?"),
        (r#"time::format(time::unix(0), "%Y", "Nowhere/Land")"#, "there is no time zone"),
        (r#"time::format(time::unix(0), "%!")"#, "the format \"%!\" does not work"),
        (r#"time::unix(0) < "2026""#, "cannot compare a time with a string: write `time::parse(…)`"),
        ("duration(5) > 4", "cannot compare a duration with a number: write `duration(…)`"),
        ("time::unix(0) == duration(0)", "cannot compare a time with a duration"),
        ("time::unix(0).hour", "hour"),
        (r#"time::parse("x".repeat(1000))"#, "xxx\"… is not a time"),
    ]);
}

#[test]
fn durations_are_taken_wherever_a_script_gives_one() {
    give(&[
        ("duration(\"1h\") == duration(3600)", "true"),
        ("duration(\"1h\") - \"1m\" + 30 - 0.5", r#""59m 29s 500ms""#),
        ("duration(\"30s\") * 4 == 4 * duration(\"30s\")", "true"),
        ("duration(duration(\"1d\")).seconds", "86400"),
        ("duration(\"-5m\").seconds", "-300"),
        ("duration(0)", r#""0s""#),
        ("`${duration(5400)}`", r#""1h 30m""#),
        ("[duration(3), duration(5)].max().milliseconds()", "5000"),
    ]);
    refuse(&[
        ("duration(\"soon\")", "is a duration like `\"5m\"` or a number of seconds, not \"soon\""),
        ("duration([])", "not []"),
        ("duration(\"99999999999 years\") * 1000", "longer than can be counted"),
        ("duration(\"18446744073709551615s 1000ms\")", "is a duration like"),
        ("duration(0.0 / 0.0)", "is a duration like"),
    ]);
    let retry = |wait: &str| body(&format!("retry(\"later\", {wait});")).unwrap_err();
    let after =
        |seconds| ActionError::Retry { error: "later".into(), after: Some(Duration::from_secs(seconds)) };
    assert_eq!(retry("duration(\"1m\") + 30"), after(90));
    assert!(blocked("retry(\"later\", duration(\"-1m\"));").contains("not \"-1m\""));
    let effects = effects("note(#{text: `${time::unix(0)}`, json: [time::unix(0)], after: duration(90)});");
    assert_eq!(effects[0].after, Duration::from_secs(90));
    assert_eq!(shown(&effects[0]), r#"{"json":["1970-01-01T00:00:00Z"],"text":"1970-01-01T00:00:00Z"}"#);
}

#[test]
fn what_cannot_be_encoded_or_decoded_is_an_error() {
    give(&[
        ("base64_decode(base64_encode(event.payload.evil)) == event.payload.evil", "true"),
        (r#"base64_decode("YQ==") + base64url_decode("YQ==")"#, r#""aa""#),
        (r#"base64_encode("") + hex_encode("") + url_encode("") + url_decode("%zz")"#, r#""%zz""#),
        (r#"query_encode(#{})"#, r#""""#),
        (
            r#"query_encode(#{n: event.payload.big, t: time::unix(0), b: true})"#,
            r#""b=true&n=123456789012345678901234567890&t=1970-01-01T00%3A00%3A00Z""#,
        ),
        (r#"hmac_sha256("", "") == sha256("")"#, "false"),
        (r#"bucket("user-17", 9223372036854775807) % 100 >= 0"#, "true"),
    ]);
    refuse(&[
        (r#"base64_decode("a?")"#, "\"a?\" is not base64"),
        (r#"base64url_decode("+/")"#, "is not URL-safe base64"),
        (r#"hex_decode("abc")"#, "is not hex"),
        (r#"base64_decode("/w==")"#, "what \"/w==\" stands for is not UTF-8 text"),
        (r#"url_decode("%ff")"#, "not UTF-8"),
        (r#"query_encode(#{a: #{}})"#, "`a` is a map"),
        (r#"query_encode(#{a: [[]]})"#, "`a` is a map or a list of lists"),
        (r#"bucket("a", 0)"#, "one bucket at least"),
        (
            r#"sha256(1)"#,
            "there is no function `sha256 (i64)` for values of these kinds: it is `sha256(text: String) -> String`",
        ),
    ]);
}

#[test]
fn a_secret_is_passed_on_and_nothing_else() {
    for misuse in [
        "hmac_sha256(vars.secret, \"a\")",
        "sha256(vars.secret)",
        "base64_encode(vars.secret)",
        "url_encode(vars.secret)",
        "bucket(vars.secret)",
        "regex_match(vars.secret, \"a\")",
        "repeat(vars.secret, 2)",
        "[vars.secret].join(\"\")",
        "query_encode(#{a: vars.secret})",
        "[vars.secret, vars.secret].min()",
    ] {
        let message = blocked(&format!("let x = {misuse};"));
        assert!(message.contains("secret") && !message.contains("TOKEN"), "{misuse}: {message}");
        assert!(
            message.contains("can only be passed on") || message.contains("cannot compare"),
            "{misuse}: {message}"
        );
    }
    assert_eq!(
        one("note(#{text: \"\", json: #{a: 1}.merge(#{b: vars.secret})});"),
        r#"{"json":{"a":1,"b":"${TOKEN}"},"text":""}"#
    );
}

#[test]
fn regular_expressions_find_capture_and_replace() {
    give(&[
        (r#"regex_match("Ünï", "^\\w+$")"#, "true"),
        (r#"regex_find("abc", "x")"#, "null"),
        (r#"regex_captures("abc", "x")"#, "null"),
        (r#"regex_find_all("", "a")"#, "[]"),
        (r#"regex_captures("b", "(a)?(?<last>b)")"#, r#"{"0":"b","1":null,"2":"b","last":"b"}"#),
        (r#"regex_captures("id 7", "(?<id>[0-9]+)").id"#, r#""7""#),
        (r#"regex_replace("a1b2", "([a-z])([0-9])", "$2$1")"#, r#""1a2b""#),
        (r#"regex_replace("a", "(?<x>a)", "<${x}$x$$x$1é>")"#, r#""<aa$xaé>""#),
        (r#"regex_replace("ab", "", "-")"#, r#""-a-b-""#),
        (r#"regex_replace("ab", "x", "$1")"#, r#""ab""#),
    ]);
    refuse(&[
        (r#"regex_match("a", "(")"#, "the regex `(` is wrong at character 1: unclosed group"),
        (r#"regex_match("a", "(?:a{100}){100}{100}")"#, "compiled, it takes more than 256 KiB"),
        (r#"regex_match("a", "a".repeat(5000))"#, "a pattern has at most 4096 bytes, not 5000"),
    ]);
    // More patterns than are kept.
    let many =
        "let n = 0; for i in 0..100 { if regex_match(`${i}`, `^${i}$`) { n += 1 } } note(#{text: `${n}`});";
    assert_eq!(one(many), r#"{"text":"100"}"#);
}

#[test]
fn texts_lists_and_maps() {
    give(&[
        (r#"shorten("añb", 3) + shorten("añbc", 3) + shorten("ab", 1) + shorten("ab", 0)"#, r#""añbañ……""#),
        (r#"capitalize("élan") + capitalize("") + capitalize("ß")"#, r#""ÉlanSS""#),
        (r#"lines("") + lines("a\r\n\nb")"#, r#"["a","","b"]"#),
        (r#"repeat("ab", 0) + repeat("", 9223372036854775807)"#, r#""""#),
        ("[fixed(1.005, 2), fixed(-0.001, 2), fixed(2.5, 0), fixed(7, 0)]", r#"["1.00","0.00","2","7"]"#),
        (
            r#"[1, (), [2, #{a: ()}], event.payload.big, duration(1)].join("|")"#,
            r#""1||[2,{\"a\":null}]|123456789012345678901234567890|1s""#,
        ),
        (r#"[].join(",") + ["a"].join(",")"#, r#""a""#),
        ("[[].sum(), [1, 2.5].sum(), [event.payload.long, -1].sum()]", "[0,3.5,9223372036854775806]"),
        (
            "[[].min(), [1, event.payload.big].max(), [2, 1.0].min()]",
            "[null,123456789012345678901234567890,1.0]",
        ),
        (r#"[1, "1", 1, [1], [1], (), ()].unique()"#, r#"[1,"1",[1],null]"#),
        (
            r#"[#{a: #{n: 1}}, #{}, #{a: #{n: true}}].group_by("a.n")"#,
            r#"{"":[{}],"1":[{"a":{"n":1}}],"true":[{"a":{"n":true}}]}"#,
        ),
        ("#{a: #{b: 1}}.merge(#{a: 2}).merge(#{a: #{c: 3}})", r#"{"a":{"c":3}}"#),
        ("vars.merge(#{plain: #{y: 2}}).plain", r#"{"x":1,"y":2}"#),
        ("event.payload.pick([\"cost\"])", r#"{"cost":12}"#),
    ]);
    refuse(&[
        ("repeat(\"a\", -1)", "cannot be negative"),
        ("fixed(1.5, 21)", "are not from 0 to 20"),
        ("fixed(event.payload.big, 2)", "cannot be calculated with"),
        ("\"a\".replaced(\"\", \"b\")", "not an empty one"),
        ("[1, \"2\"].sum()", "only numbers can be added up, not a string"),
        ("[event.payload.long, 1].sum()", "larger than 64 bits hold"),
        ("[event.payload.long, 0.5].sum()", "9223372036854775807 would lose digits"),
        ("[event.payload.big].sum()", "cannot be calculated with"),
        ("[1, \"a\"].max()", "cannot compare a string with a number"),
        ("[[1]].min()", "cannot compare a list with a list"),
        ("[1].group_by(\"a\")", "wants a list of maps"),
        ("#{a: 1}.pick([1])", "the keys of a map are strings"),
        ("[|| 1].unique()", "is a function"),
    ]);
}

#[test]
fn nothing_changes_what_it_is_called_with() {
    let statements = r#"
        let list = [[2], [1]]; let map = #{a: #{x: 1}}; let text = " a ";
        list.flatten(); list.unique(); list.join(""); map.merge(#{a: #{y: 2}}); map.omit(["a"]); text.trimmed();
        text.replaced("a", "b"); text.shorten(1); let captured = || list.flatten().len() + map.merge(#{}).len();
        note(#{text: text, json: [list, map, captured.call()]});"#;
    assert_eq!(one(statements), r#"{"json":[[[2],[1]],{"a":{"x":1}},3],"text":" a "}"#);
}

#[test]
fn ids_are_what_they_say() {
    let ids = one("note(#{text: uuid(), json: [ulid(), uuid() == uuid(), ulid() == ulid()]});");
    let ids = json(&ids);
    let text = |pointer: &str| ids.pointer(pointer).and_then(|id| id.as_str()).expect(pointer).to_owned();
    assert_eq!(uuid::Uuid::parse_str(&text("/text")).expect("a UUID").get_version_num(), 4);
    assert!(ulid::Ulid::from_string(&text("/json/0")).is_ok(), "{ids}");
    assert_eq!(ids.pointer("/json/1"), Some(&false.into()));
    assert_eq!(ids.pointer("/json/2"), Some(&false.into()));
}

/// The documented formula, by hand.
#[test]
fn a_bucket_is_the_same_for_ever() {
    use sha2::Digest;
    for text in ["", "a", "user-17", "ünï"] {
        let digest = sha2::Sha256::digest(text);
        let number = digest[..8].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let given = value(&format!("[bucket(\"{text}\"), bucket(\"{text}\", 7)]"));
        assert_eq!(given.to_string(), format!("[{},{}]", number % 100, number % 7));
    }
}

#[test]
fn conditions_have_the_pure_ones() {
    let scripts = loaded(&[], Limits::default());
    let holds = |text: &str| {
        scripts.condition(text).unwrap_or_else(|error| panic!("{text}: {error}")).holds(&event())
    };
    for text in [
        r#"time::parse("2026-01-01T00:00:00Z").in_zone("Asia/Tokyo").hour == 9"#,
        r#"regex_match(payload.task_id, "^t-[0-9]+$")"#,
        "bucket(payload.task_id) < 100",
        r#"payload.items.map(|item| item.n).sum() == 3"#,
        r#"duration("1m") > duration(payload.cost)"#,
    ] {
        assert_eq!(holds(text), Ok(true), "{text}");
    }
    for (text, message, help) in [
        ("time::prase(\"\") == 1", "`time` has no function `prase`", "did you mean `time::parse`?"),
        ("time::nope() == 1", "`time` has no function `nope`", "it has format, parse, unix"),
        ("time::parse() == 1", "`time::parse` takes 1 arguments, not 0", ""),
        (
            "time::now() > 1",
            "`time::now` is for scripts only",
            "a condition is pure: it sees the event and `vars`, and writes nothing",
        ),
        ("tiem::now() > 1", "there is no function `tiem::now` for 0 values here", "did you mean `time`?"),
        ("now() > 1", "there is no function `now` for 0 values here", ""),
        (
            "parse(status) == 1",
            "there is no function `parse` for 1 values here",
            "did you mean `time::parse`?",
        ),
    ] {
        let Err(error) = scripts.condition(text) else { panic!("{text} compiles") };
        assert_eq!(
            (error.message.as_str(), error.help.as_deref().unwrap_or_default()),
            (message, help),
            "{text}"
        );
    }
    let loops =
        "[1,2,3,4,5,6,7,8,9].map(|a| [1,2,3,4,5,6,7,8,9].map(|b| sha256(repeat(\"a\", 60000)))) == []";
    assert!(holds(loops).unwrap_err().contains("too much work"));
}
