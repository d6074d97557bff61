//! `regex`: strings in which a regular expression is found, in linear time.

use super::{Example, Operator, Takes, Test, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;

pub(super) const OPERATOR: Operator = Operator::new(
    "regex",
    "Strings in which a regular expression is found, or one of a list.",
    Takes::Texts,
    build,
)
.with_notes(
    "The expression may match anywhere: write `^` and `$` where it has to begin or end the string. The \
     syntax is that of the Rust `regex` crate: no look-around, no back-references, a match takes linear \
     time; Unicode classes (`\\w`, `\\p{L}`) and flags (`(?i)`) are there. In YAML a single-quoted string \
     keeps its backslashes. Large expressions are refused: compiled, one takes at most 2 MiB.",
)
.with_examples(&[Example {
    pattern: "payload: {task_id: [{regex: '^t-[0-9]+$'}]}",
    matches: &["{payload: {task_id: t-12}}", "{payload: {task_id: [x, t-1]}}"],
    differs: &["{payload: {task_id: at-12}}", "{payload: {task_id: t-}}", "{payload: {task_id: 12}}"],
}]);

/// Of the compiled program, so that no rule can take all memory.
const MAX_COMPILED_BYTES: usize = 2 << 20;
/// Of what a search keeps for the next one.
const MAX_CACHE_BYTES: usize = 1 << 20;

/// An expression; two of the same text are equal.
#[derive(Clone, Debug)]
pub struct Regex(regex::Regex);

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Regex {
    /// As the author wrote it.
    pub fn text(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// Compiles an expression into at most so many bytes; a search keeps as many as `cache_bytes`.
///
/// # Errors
/// The sentence and what to write instead.
pub(crate) fn compile_regex(
    text: &str,
    most_bytes: usize,
    cache_bytes: usize,
) -> Result<regex::Regex, (String, &'static str)> {
    let mut builder = regex::RegexBuilder::new(text);
    builder.size_limit(most_bytes).dfa_size_limit(cache_bytes);
    builder.build().map_err(|error| sentence(text, &error, most_bytes))
}

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    let expressions = texts::each(node, "regex", problems, |text, span, problems| {
        compile_regex(text, MAX_COMPILED_BYTES, MAX_CACHE_BYTES)
            .map_err(|(message, help)| problems.push(Problem::error(span, message).with_help(help)))
            .map(Regex)
            .ok()
    });
    expressions.map(Test::Regex)
}

fn sentence(text: &str, error: &regex::Error, most_bytes: usize) -> (String, &'static str) {
    match error {
        regex::Error::CompiledTooBig(_) => (
            format!("the regex `{text}` is too large: compiled, it takes more than {}", size(most_bytes)),
            "repeat less, or write `(?-u:\\w)` for `\\w` where ASCII is enough",
        ),
        error => {
            let shown = error.to_string();
            let (reason, place) = reason_and_place(&shown);
            let place = place.map(|column| format!(" at character {column}")).unwrap_or_default();
            let help = "the syntax is that of the Rust regex crate; `\\` before a sign takes it as it is";
            (format!("the regex `{text}` is wrong{place}: {reason}"), help)
        }
    }
}

fn size(bytes: usize) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

/// The crate shows an expression over several lines: the text, carets under the place, the reason.
/// The place is known if the expression is a single line.
fn reason_and_place(shown: &str) -> (&str, Option<usize>) {
    const INDENT: usize = 4;
    let reason = shown.lines().last().unwrap_or(shown);
    let carets = shown.lines().find(|line| !line.is_empty() && line.trim_matches([' ', '^']).is_empty());
    let column = carets.and_then(|line| line.find('^')).map(|offset| offset.saturating_sub(INDENT) + 1);
    (reason.strip_prefix("error: ").unwrap_or(reason), column)
}
