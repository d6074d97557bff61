//! The module's behaviour through its public interface.

use super::*;
use crate::json::parse;
use crate::registry::ParamType;
use crate::secret::{Environment, Placeholders};
use std::path::PathBuf;

const SCHEMA: &[Param<'static>] = &[
    param("url", ParamType::Url),
    param("slack", ParamType::SlackText),
    param("html", ParamType::Html),
    param("blocks", ParamType::SlackAny),
    param("text", ParamType::String),
    param("json", ParamType::Any),
    param("count", ParamType::Integer),
    param("flag", ParamType::Bool),
    param("wait", ParamType::Duration),
];

const fn param(name: &'static str, ty: ParamType) -> Param<'static> {
    Param { name, ty, required: false, summary: "a parameter" }
}

fn json(text: &str) -> Json {
    parse(text.as_bytes()).expect(text)
}

fn event() -> Event {
    let document = json(
        r#"{"source":"browser-use","type":"t","status":"finished","metadata":{"team":"marketing","up":".."},
            "headers":{"user-agent":"x/1"},
            "payload":{"task_id":"t 1/2","cost":12.50,"n":7,"big":123456789012345678901234567890,
                       "evil":"${KEY} {{ vars.key }} <&>","list":[1,2.0],"none":null,"marked":{"<b>":"<"}}}"#,
    );
    let Json::Object(document) = document else { panic!("a document is an object") };
    Event::new("evt_01JDFV3M4X0000000000000000".parse().unwrap(), document)
}

fn vars() -> Vars {
    let vars = r#"{"key":"Bearer ${KEY}","plain":"p","slack":{"marketing":"${HOOK}","other":"https://o.example/h"},
                   "base":"https://v.example"}"#;
    Vars::compile(&json(vars)).unwrap()
}

fn environment() -> Environment {
    let variables = [("KEY", "s3cr3t/value"), ("HOOK", "https://hooks.example/T0"), ("N", "5"), ("B", "yes")];
    Environment {
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        reserved: BTreeSet::new(),
        directory: PathBuf::new(),
    }
}

fn compile(params: &str) -> Result<Params, Vec<ConfigError>> {
    Params::compile(&json(params), SCHEMA, &vars())
}

/// Renders `{"name": text}`.
fn try_render(name: &str, text: &str) -> Result<Rendered, RenderError> {
    let params = Json::object([(name, text.into())]).to_string();
    let (event, vars, environment) = (event(), vars(), environment());
    let scope = Scope { event: &event, vars: &vars, resolver: &environment };
    compile(&params).unwrap_or_else(|errors| panic!("{text}: {errors:?}")).render(scope)
}

fn render(name: &str, text: &str) -> Json {
    try_render(name, text).unwrap_or_else(|error| panic!("{text}: {error}")).plain.get(name).unwrap().clone()
}

fn render_error(name: &str, text: &str) -> String {
    try_render(name, text).expect_err(text).message
}

fn compile_error(name: &str, text: &str) -> ConfigError {
    compile(&Json::object([(name, text.into())]).to_string()).expect_err(text).remove(0)
}

#[test]
fn a_single_hole_keeps_the_type_and_a_path_copies_exactly() {
    for (text, value) in [
        ("{{ payload.n }}", "7"),
        ("{{ payload.cost }}", "12.50"),
        ("{{ payload.big }}", "123456789012345678901234567890"),
        ("{{ payload.list }}", "[1,2.0]"),
        ("{{ payload.list[1] }}", "2.0"),
        ("{{ payload.none }}", "null"),
        ("{{ payload.n + 1 }}", "8"),
        ("{{ payload.n > 5 }}", "true"),
        ("{{ payload.cost * 2 }}", "25.0"),
        ("{{ [payload.big, payload] | first }}", "123456789012345678901234567890"),
        ("{{ headers['user-agent'] }}", "\"x/1\""),
        ("{{ {'a': [payload.n]} }}", "{\"a\":[7]}"),
        ("{{ 18446744073709551615 }}", "18446744073709551615"),
    ] {
        assert_eq!(render("json", text).to_string(), value, "{text}");
    }
    assert_eq!(
        render("json", "{{ event }}").get("payload").unwrap().get("cost").unwrap().to_string(),
        "12.50"
    );
}

#[test]
fn in_text_everything_but_text_is_json() {
    for (text, value) in [
        ("{{ payload.task_id }}: {{ status }}", "t 1/2: finished"),
        ("c={{ payload.cost }} b={{ payload.big }}", "c=12.50 b=123456789012345678901234567890"),
        ("l={{ payload.list }} n={{ payload.none }}", "l=[1,2.0] n=null"),
        ("{% for x in payload.list %}{{ x }};{% endfor %}\n", "1;2.0;\n"),
        ("{% if status == 'finished' %}${N}{% endif %}{# c #}$$", "5$"),
        ("{{ payload.missing | default('none') }}!", "none!"),
        ("{{ 'list: ' ~ payload.list }}!", "list: [1,2.0]!"),
        (
            "{{ {'c': payload.big, 'l': payload.list} | tojson }}!",
            r#"{"c":123456789012345678901234567890,"l":[1,2.0]}!"#,
        ),
        (
            "{% for key, value in metadata | items %}{{ key }}={{ value }} {% endfor %}",
            "team=marketing up=.. ",
        ),
        ("{{ 'x' if 1 in payload.list else 'y' }}!", "x!"),
        ("{{ metadata.team in ['marketing'] and payload.list | length == 2 }}!", "true!"),
    ] {
        assert_eq!(render("text", text), Json::from(value), "{text}");
    }
}

#[test]
fn data_is_never_a_template_or_a_reference() {
    let evil = "${KEY} {{ vars.key }} <&>";
    assert_eq!(render("text", "{{ payload.evil }}"), Json::from(evil));
    assert_eq!(render("text", "a {{ payload.evil }}"), Json::from(format!("a {evil}")));
    assert_eq!(render("text", "{% if true %}{{ payload.evil }}{% endif %}"), Json::from(evil));
    let rendered = try_render("json", "{{ payload.evil }}").unwrap();
    let back = Params::from_stored(&json(&rendered.filled().to_stored().to_string())).unwrap();
    assert_eq!(back.literal().unwrap().get("json"), Some(&Json::from(evil)));
}

#[test]
fn a_missing_name_is_an_error_that_says_what_is_there() {
    let error = render_error("json", "{{ payload.cots }}");
    assert!(error.contains("payload.cots") && error.contains("payload has: big, cost, evil"), "{error}");
    for text in ["{{ payload.cots }}", "{{ payload.cots ~ 'x' }}", "{% if payload.cots %}a{% endif %}"] {
        let error = render_error("text", text);
        assert!(error.contains("`payload.cots` is not there"), "{error}");
    }
    assert!(render_error("json", "{{ parent }}").contains("`parent` is not there"));
    assert!(render_error("json", "{{ payload.n.x }}").contains("payload.n is a number"));
    assert!(render_error("json", "{{ payload.big + 1 }}").contains("payload.big"));
}

#[test]
fn unknown_names_are_found_at_load() {
    let help = |text| compile_error("json", text).help.unwrap_or_default();
    assert!(help("{{ paylod.x }}").contains("`payload`"));
    assert!(help("{{ status | uper }}").contains("`upper`"));
    assert!(help("{{ headers.user-agent }}").contains("headers['user-agent']"));
    assert!(help("{{ x ${KEY} }}").contains("vars"));
    assert!(compile_error("json", "{{ vars.slak.other }}").message.contains("vars has: base, key"));
    for text in ["{{ payload. }}", "{{ payload", "{% if x %}", "${", "{{ debug() }}", "{% include 'x' %}"] {
        assert!(compile(&Json::object([("json", text.into())]).to_string()).is_err(), "{text}");
    }
}

#[test]
fn keys_and_types_are_checked_and_all_problems_told() {
    let errors =
        compile(r#"{"txt":"a","count":"x","flag":"{{ status","wait":"5 bananas","text":3}"#).unwrap_err();
    let pointers: BTreeSet<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["/count", "/flag", "/text", "/txt", "/wait"].into());
    assert!(errors.iter().any(|error| error.at_key && error.help.as_deref() == Some("did you mean `text`?")));
    const REQUIRED: &[Param] = &[Param { required: true, ..param("url", ParamType::Url) }];
    assert!(
        Params::compile(&Json::Null, REQUIRED, &vars()).unwrap_err()[0].message.contains("`url` is missing")
    );
    assert!(Params::compile(&Json::from("x"), REQUIRED, &vars()).is_err());
}

#[test]
fn a_single_reference_is_read_as_the_type_wanted() {
    assert_eq!(render("count", "${N}"), Json::from(5i64));
    assert_eq!(render("json", "${N}"), Json::from("5"));
    let error = render_error("flag", "${B}");
    assert!(error.contains("${B}") && !error.contains("yes"), "{error}");
    assert!(render_error("count", "{{ status }}").contains("an integer is wanted"));
    let (event, vars) = (event(), vars());
    let scope = Scope { event: &event, vars: &vars, resolver: &Placeholders };
    let shown = compile(r#"{"count":"${N}"}"#).unwrap().render(scope).unwrap().shown().clone();
    assert_eq!(shown.to_string(), r#"{"count":"${N}"}"#);
}

#[test]
fn a_secret_is_used_by_value_and_shown_by_name() {
    for text in
        ["Bearer ${KEY}", "{{ vars.key }}", "{{ vars.key ~ '' }}", "{% if true %}{{ vars.key }}{% endif %}"]
    {
        let rendered = try_render("text", text).unwrap();
        assert_eq!(rendered.plain.get("text").unwrap(), &Json::from("Bearer s3cr3t/value"), "{text}");
        assert_eq!(rendered.shown().get("text").unwrap(), &Json::from("Bearer ${KEY}"), "{text}");
        assert!(matches!(rendered.filled().get("text"), Some(Params::Secret(_))), "{text}");
        assert_eq!(rendered.redact("no s3cr3t/value s3cr3t%2Fvalue"), "no ${KEY} ${KEY}");
        assert!(!format!("{rendered:?}").contains("s3cr3t"), "Debug must not show it");
    }
    let rendered = try_render("text", "{{ vars | tojson }}").unwrap();
    assert!(rendered.plain.get("text").unwrap().as_str().unwrap().contains(r#""key":"Bearer s3cr3t/value""#));
    assert!(rendered.shown().to_string().contains("Bearer ${KEY}"));
    let rendered = try_render("json", "{{ [vars.slack] }}").unwrap();
    assert_eq!(rendered.shown().pointer("/json/0/marketing"), Some(&Json::from("${HOOK}")));
    assert_eq!(rendered.plain.pointer("/json/0/marketing"), Some(&Json::from("https://hooks.example/T0")));
}

#[test]
fn a_secret_cannot_be_taken_apart_or_forged() {
    for filter in ["upper", "lower", "reverse", "truncate", "replace('a', 'b') | upper"] {
        let text = format!("{{{{ vars.key | string | {filter} }}}}");
        if compile(&Json::object([("text", text.as_str().into())]).to_string()).is_ok() {
            let error = render_error("text", &text);
            assert!(error.contains("secret"), "{text}: {error}");
        }
    }
    let error = render_error("text", "{{ (vars.key ~ '')[:12] }}");
    assert!(error.contains("whole"), "{error}");
}

#[test]
fn a_url_is_literal_through_its_host_and_encoded_behind_it() {
    assert_eq!(
        render("url", "https://a.example/x/{{ payload.task_id }}?q={{ status }}&r={{ payload.evil }}"),
        Json::from(
            "https://a.example/x/t%201%2F2?q=finished&r=%24%7BKEY%7D%20%7B%7B%20vars.key%20%7D%7D%20%3C%26%3E"
        )
    );
    for text in [
        "{{ vars.slack[metadata.team] | default(vars.slack.other) }}",
        "{{ vars.slack.marketing }}",
        "{{ vars.slack[payload.missing | default('marketing')] }}",
    ] {
        assert_eq!(render("url", text), Json::from("https://hooks.example/T0"), "{text}");
    }
    assert_eq!(
        render("url", "{{ vars.slack[status] | default(vars.slack.other) }}"),
        Json::from("https://o.example/h")
    );
    assert_eq!(render("url", "${HOOK}/{{ status }}"), Json::from("https://hooks.example/T0/finished"));
    for text in [
        "https://{{ status }}.example/",
        "https://a.example{{ status }}",
        "{{ payload.url }}",
        "{{ vars.base }}/x",
        "{{ vars.base ~ status }}",
        "{{ vars.base | replace('v', status) }}",
        "{{ vars.slack.x | default(payload.url) }}",
        "{% if true %}https://a.example/{% endif %}",
        "https:///{{ status }}/",
        "{{ vars.base[:payload.n] }}",
    ] {
        assert!(compile(&Json::object([("url", text.into())]).to_string()).is_err(), "{text}");
    }
    assert!(render_error("url", "https://a.example/{{ metadata.up }}/x").contains("`..`"));
    assert!(render_error("url", "https:${N}{{ status }}").contains("host"));
}

#[test]
fn a_secret_in_a_hole_of_a_url_is_encoded_and_one_that_the_author_wrote_is_not() {
    let url = |text: &str| render("url", text).as_str().unwrap().to_owned();
    assert_eq!(url("https://a.example/?k={{ vars.key }}"), "https://a.example/?k=Bearer%20s3cr3t%2Fvalue");
    assert_eq!(url("https://a.example/${KEY}/{{ status }}"), "https://a.example/s3cr3t/value/finished");
    assert_eq!(url("{{ vars.slack.marketing }}"), "https://hooks.example/T0");
    let shown = try_render("url", "https://a.example/?k={{ vars.key }}").unwrap().shown().clone();
    assert_eq!(shown.get("url").unwrap(), &Json::from("https://a.example/?k=Bearer%20${KEY}"));
}

#[test]
fn what_is_filled_into_html_is_escaped() {
    for (text, expected) in [
        ("<b> {{ payload.evil }}", "<b> ${KEY} {{ vars.key }} &lt;&amp;&gt;"),
        ("{{ payload.evil }}", "${KEY} {{ vars.key }} &lt;&amp;&gt;"),
        ("<i title='{{ \"'\" }}{{ '\"' }}'>", "<i title='&#39;&quot;'>"),
        ("{{ '<i>' | safe }}{{ '<' }}", "<i>&lt;"),
        ("{% if true %}<{{ '<' }}>{% endif %}", "<&lt;>"),
        ("{{ payload.list }}", "[1,2.0]"),
        ("{{ payload.marked }}", "{&quot;&lt;b&gt;&quot;:&quot;&lt;&quot;}"),
        ("{{ payload.marked }}!", "{&quot;&lt;b&gt;&quot;:&quot;&lt;&quot;}!"),
    ] {
        assert_eq!(render("html", text), Json::from(expected), "{text}");
    }
    assert!(compile(r#"{"html":5}"#).unwrap_err()[0].message.contains("a text is wanted"));
}

#[test]
fn what_is_filled_into_slack_text_is_escaped() {
    for (name, text, value) in [
        ("slack", "<b> {{ payload.evil }}", "<b> ${KEY} {{ vars.key }} &lt;&amp;&gt;"),
        ("slack", "{{ payload.evil }}", "${KEY} {{ vars.key }} &lt;&amp;&gt;"),
        ("slack", "{{ '<@U1>' | safe }}", "<@U1>"),
        ("slack", "{{ '<@U1>' | safe }} {{ '<' }}", "<@U1> &lt;"),
        ("slack", "{% if true %}<{{ '<' }}>{% endif %}", "<&lt;>"),
        ("slack", "{{ payload.n }}", "7"),
        ("slack", "{{ payload.marked }}", "{\"&lt;b&gt;\":\"&lt;\"}"),
    ] {
        assert_eq!(render(name, text), Json::from(value), "{text}");
    }
    let blocks = r#"{"blocks":[{"text":{"text":"{{ payload.evil }}"}}]}"#;
    let (event, vars, environment) = (event(), vars(), environment());
    let scope = Scope { event: &event, vars: &vars, resolver: &environment };
    let plain = compile(blocks).unwrap().render(scope).unwrap().plain;
    assert_eq!(
        plain.pointer("/blocks/0/text/text").unwrap().as_str().unwrap(),
        "${KEY} {{ vars.key }} &lt;&amp;&gt;"
    );
}

#[test]
fn fuel_and_size_are_capped() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert!(render_error("text", endless).contains("steps"), "{}", render_error("text", endless));
    let large = "{% for a in range(2000) %}{{ 'x' * 1000 }}{% endfor %}";
    assert!(render_error("text", large).contains("bytes"), "{}", render_error("text", large));
    assert!(render_error("text", "{{ 'x' * 2000000 }}").contains("bytes"));
}

#[test]
fn an_event_of_any_size_can_be_copied() {
    let mut document = event().document().clone();
    document.insert("payload", "x".repeat(2 << 20));
    let (event, vars, environment) = (Event::new(event().id(), document), vars(), environment());
    let scope = Scope { event: &event, vars: &vars, resolver: &environment };
    let render = |params| compile(params).unwrap().render(scope);
    assert_eq!(render(r#"{"json":"{{ payload }}"}"#).unwrap().plain.get("json"), event.get("payload"));
    assert!(render(r#"{"text":"a {{ payload }}"}"#).is_ok());
    assert!(render(r#"{"text":"{{ payload ~ payload }}"}"#).is_err());
}

#[test]
fn references_are_found_through_vars() {
    let found = |text: &str| -> Vec<String> {
        let params = compile(&Json::object([("json", text.into())]).to_string()).unwrap();
        params.references(&vars()).iter().map(ToString::to_string).collect()
    };
    assert_eq!(found("{{ vars.key }} ${N}"), ["${KEY}", "${N}"]);
    assert_eq!(found("{{ vars.slack[status] }}"), ["${HOOK}"]);
    assert_eq!(found("{{ vars.slack.other }}"), [""; 0]);
    assert_eq!(found("{{ vars[status] }}"), ["${HOOK}", "${KEY}"]);
    assert_eq!(found("{% if vars.key %}${N}{% endif %}"), ["${KEY}", "${N}"]);
}

#[test]
fn authorities_are_those_the_author_wrote() {
    let params =
        compile(r#"{"url":"http://10.0.0.1:8080/{{ status }}","json":["${HOOK}","x http://no.example"]}"#)
            .unwrap();
    let found = params.authorities(&environment());
    assert_eq!(found, ["10.0.0.1:8080", "hooks.example:443"].map(str::to_owned).into());
    assert!(vars().hosts(&environment()).contains("v.example:443"));
    let spellings = compile(
        r#"{"json":["HTTP://ÄRZTE.example./","http://[::1]:80/","http://2130706433:9900/","https://u:p@a.example:80"]}"#,
    );
    let found = spellings.unwrap().authorities(&environment());
    let wanted = ["xn--rzte-koa.example:80", "[::1]:80", "127.0.0.1:9900", "a.example:80"];
    assert_eq!(found, wanted.map(str::to_owned).into());
    // Had the hole more digits, it would be another port.
    let open = compile(r#"{"json":"http://10.0.0.1:80{{ status }}/x"}"#).unwrap();
    assert_eq!(open.authorities(&environment()), Default::default());
}

#[test]
fn a_secret_that_is_gone_is_named_and_what_it_was_for() {
    let stored = try_render("url", "{{ vars.slack.marketing }}").unwrap().filled().to_stored();
    assert!(!stored.to_string().contains("https://hooks"), "{stored}");
    let params = Params::from_stored(&stored).unwrap();
    let (event, vars, environment) = (event(), vars(), Environment::default());
    let error = params.render(Scope { event: &event, vars: &vars, resolver: &environment }).unwrap_err();
    assert_eq!(error.to_string(), "/url: the environment variable HOOK is not set");
}

#[test]
fn stored_parameters_come_back_with_their_secrets() {
    let rendered = try_render("json", "{{ {'a/b': [vars.key, payload.cost]} }}").unwrap();
    let stored = rendered.filled().to_stored().to_string();
    assert!(!stored.contains("s3cr3t"), "{stored}");
    let back = Params::from_stored(&json(&stored)).unwrap();
    let (event, vars, environment) = (event(), vars(), environment());
    let again = back.render(Scope { event: &event, vars: &vars, resolver: &environment }).unwrap();
    assert_eq!(again.plain, rendered.plain);
    assert!(Params::from_stored(&Json::Null).is_none());
}

/// Each would take gigabytes at once if the template engine let it.
#[test]
fn no_expression_makes_something_huge_in_one_step() {
    for expression in [
        "'x' * 4000000000",
        "[1] * 4000000000",
        "'x' | indent(4000000000)",
        "payload.list | batch(4000000000, 1) | list",
        "payload.list | slice(4000000000, 1) | list",
        "'%4000000000d' | format(1)",
        "2 ** 4000000000",
        "range(4000000000) | list",
        "('x' * 90000) | replace('x', 'x' * 90000)",
    ] {
        let error = render_error("json", &format!("{{{{ {expression} }}}}"));
        assert!(error.contains(expression), "{expression}: {error}");
    }
}
