//! Texts: what Rhai's own functions lack. Those that change a text in place (`trim`, `replace`)
//! have a sister here that returns it.

use super::{Fallible, Function, Output, count};
use crate::script::number::{self, Exact};
use crate::script::{fault, state};
use crate::template::{html_escape, slack_escape};
use rhai::{Array, Engine, FLOAT, INT, ImmutableString, NativeCallContext};

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "slack_escape(text: String) -> String",
        summary: "Makes `& < >` into entities, so that what an event says cannot become a mention or a link in \
                  a message.",
        example: r#"slack_escape("<!channel> & co")"#,
        gives: r#""&lt;!channel&gt; &amp; co""#,
    },
    Function {
        module: "",
        signature: "html_escape(text: String) -> String",
        summary: "Makes `& < > \" '` into entities, so that what an event says cannot become markup in a mail.",
        example: r#"html_escape("<b>R&D</b>")"#,
        gives: r#""&lt;b&gt;R&amp;D&lt;/b&gt;""#,
    },
    Function {
        module: "",
        signature: "lines(text: String) -> list",
        summary: "The lines of a text, without their ends.",
        example: r#"lines("a\nb\n")"#,
        gives: r#"["a","b"]"#,
    },
    Function {
        module: "",
        signature: "trimmed(text: String) -> String",
        summary: "The text without the white space around it.",
        example: r#""  a b ".trimmed()"#,
        gives: r#""a b""#,
    },
    Function {
        module: "",
        signature: "replaced(text: String, from: String, to: String) -> String",
        summary: "The text with every `from` replaced.",
        example: r#""a-b-c".replaced("-", "/")"#,
        gives: r#""a/b/c""#,
    },
    Function {
        module: "",
        signature: "strip_prefix(text: String, prefix: String) -> String",
        summary: "The text without a prefix; as it is if it does not begin so.",
        example: r#""refs/heads/main".strip_prefix("refs/heads/")"#,
        gives: r#""main""#,
    },
    Function {
        module: "",
        signature: "strip_suffix(text: String, suffix: String) -> String",
        summary: "The text without a suffix; as it is if it does not end so.",
        example: r#""report.pdf".strip_suffix(".pdf")"#,
        gives: r#""report""#,
    },
    Function {
        module: "",
        signature: "capitalize(text: String) -> String",
        summary: "The text with its first letter large.",
        example: r#"capitalize("finished")"#,
        gives: r#""Finished""#,
    },
    Function {
        module: "",
        signature: "shorten(text: String, most: int) -> String",
        summary: "At most so many characters of a text, the last of them `…` if it was longer.",
        example: r#"shorten("a long story", 7)"#,
        gives: r#""a long…""#,
    },
    Function {
        module: "",
        signature: "repeat(text: String, times: int) -> String",
        summary: "The text so many times over.",
        example: r#"repeat("=", 3)"#,
        gives: r#""===""#,
    },
    Function {
        module: "",
        signature: "fixed(number: int, digits: int) -> String",
        summary: "A number with so many digits behind the point.",
        example: "fixed(12, 2)",
        gives: r#""12.00""#,
    },
    Function {
        module: "",
        signature: "fixed(number: float, digits: int) -> String",
        summary: "A number rounded to so many digits behind the point.",
        example: "fixed(0.126, 2)",
        gives: r#""0.13""#,
    },
];

const MOST_DIGITS: INT = 20;

pub(super) fn register(engine: &mut Engine) {
    // What a template fills into Slack's text is escaped by itself; a script puts its text
    // together where nobody can tell the author's part from the event's.
    engine.register_fn("slack_escape", |text: ImmutableString| slack_escape(&text));
    engine.register_fn("html_escape", |text: ImmutableString| html_escape(&text));
    engine.register_fn("lines", |text: ImmutableString| -> Fallible<Array> {
        state::work(text.len())?;
        Ok(text.lines().map(|line| line.into()).collect())
    });
    engine.register_fn("trimmed", |text: ImmutableString| text.trim().to_owned());
    engine.register_fn("replaced", replaced);
    engine.register_fn("strip_prefix", |text: ImmutableString, prefix: ImmutableString| {
        text.strip_prefix(prefix.as_str()).map_or_else(|| text.clone(), ImmutableString::from)
    });
    engine.register_fn("strip_suffix", |text: ImmutableString, suffix: ImmutableString| {
        text.strip_suffix(suffix.as_str()).map_or_else(|| text.clone(), ImmutableString::from)
    });
    engine.register_fn("capitalize", |text: ImmutableString| {
        let mut rest = text.chars();
        let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        first + rest.as_str()
    });
    engine.register_fn("shorten", shorten);
    engine.register_fn("repeat", repeat);
    engine.register_fn("fixed", |number: INT, digits: INT| -> Fallible<String> {
        let digits = digits_of(digits)?;
        Ok(if digits == 0 { number.to_string() } else { format!("{number}.{:0digits$}", 0) })
    });
    engine.register_fn("fixed", fixed);
    engine
        .register_fn("fixed", |number: Exact, _: INT| -> Fallible<String> { Err(number::refusal(&number)) });
}

fn replaced(
    context: NativeCallContext,
    text: ImmutableString,
    from: ImmutableString,
    to: ImmutableString,
) -> Fallible<String> {
    if from.is_empty() {
        return Err(fault("`replaced` wants a text to replace, not an empty one"));
    }
    state::work(text.len())?;
    let mut output = Output::new(&context);
    for (index, part) in text.split(from.as_str()).enumerate() {
        if index > 0 {
            output.push(&to)?;
        }
        output.push(part)?;
    }
    output.finish()
}

fn shorten(text: ImmutableString, most: INT) -> Fallible<ImmutableString> {
    let most = count(most, "the length of a text")?;
    state::work(text.len())?;
    if text.chars().nth(most).is_none() {
        return Ok(text);
    }
    let kept = text.chars().take(most.saturating_sub(1));
    Ok(if most == 0 { ImmutableString::new() } else { kept.chain(['…']).collect::<String>().into() })
}

fn repeat(context: NativeCallContext, text: ImmutableString, times: INT) -> Fallible<String> {
    let times = count(times, "how often a text is repeated")?;
    let mut output = Output::new(&context);
    if !text.is_empty() {
        for _ in 0..times {
            output.push(&text)?;
        }
    }
    output.finish()
}

fn fixed(number: FLOAT, digits: INT) -> Fallible<String> {
    let digits = digits_of(digits)?;
    if !number.is_finite() {
        return Err(fault(format!("{number} is not a finite number")));
    }
    let text = format!("{number:.digits$}");
    // `-0.00` for what rounds to nothing.
    let zero = !text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    Ok(if zero { text.trim_start_matches('-').to_owned() } else { text })
}

fn digits_of(digits: INT) -> Fallible<usize> {
    match digits {
        0..=MOST_DIGITS => count(digits, "digits"),
        _ => Err(fault(format!("{digits} digits behind the point are not from 0 to {MOST_DIGITS}"))),
    }
}
