//! What is wrong with a file an author wrote: where, in which words, and what to write instead.

use crate::json::Json;
use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A place in a text: 1-based line and column (in characters), and the byte range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub line: u32,
    pub column: u32,
    /// The first byte.
    pub start: u32,
    /// The byte behind the last.
    pub end: u32,
}

/// Whether a file can be used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    /// The word people and programs read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing to mend (or to know) in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// The file, relative to its directory, as the author knows it.
    pub file: Arc<str>,
    /// `None` where the file as a whole is meant (it cannot be read, say).
    pub span: Option<Span>,
    /// One sentence, no full stop, naming the offending thing.
    pub message: String,
    /// What to write instead, or where to look.
    pub help: Option<String>,
    /// The text of the whole file, for showing the line. Empty where there is none.
    pub source: Arc<str>,
}

/// A diagnostic before its file is known: what the parser of a part of a file reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub severity: Severity,
    pub span: Span,
    /// As in [`Diagnostic`].
    pub message: String,
    pub help: Option<String>,
}

impl Problem {
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, span, message: message.into(), help: None }
    }

    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The diagnostic of a file whose whole text is `source`.
    pub fn in_file(self, file: &Arc<str>, source: &Arc<str>) -> Diagnostic {
        Diagnostic {
            severity: self.severity,
            file: Arc::clone(file),
            span: Some(self.span),
            message: self.message,
            help: self.help,
            source: Arc::clone(source),
        }
    }
}

impl Diagnostic {
    /// An error without a place yet: `with_*` add the rest.
    pub fn error(file: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            span: None,
            message: message.into(),
            help: None,
            source: "".into(),
        }
    }

    /// A warning without a place yet.
    pub fn warning(file: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, message) }
    }

    #[must_use]
    pub fn with_span(mut self, span: Span, source: &Arc<str>) -> Self {
        self.span = Some(span);
        self.source = Arc::clone(source);
        self
    }

    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As `--json` and the admin side show it.
    pub fn to_json(&self) -> Json {
        Json::object([
            ("severity", self.severity.name().into()),
            ("file", (&*self.file).into()),
            ("line", self.span.map(|span| span.line).into()),
            ("column", self.span.map(|span| span.column).into()),
            ("message", self.message.as_str().into()),
            ("help", self.help.clone().into()),
        ])
    }

    /// As rustc shows it: the sentence, the place, the source line with a caret, the help.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let excerpt = self.span.and_then(|span| Excerpt::of(&self.source, span));
        let group = level.primary_title(visible(&self.message));
        let group = match &excerpt {
            Some(excerpt) => group.element(excerpt.snippet(&self.file)),
            None => group.element(self.origin()),
        };
        let help = self.help.as_deref().map(|help| Level::HELP.message(visible(help)));
        renderer.render(&[group.elements(help)])
    }

    /// The place alone, where no line can be shown.
    fn origin(&self) -> Origin<'_> {
        let origin = Origin::path(&*self.file);
        match self.span {
            Some(span) => origin.line(span.line as usize).char_column(span.column as usize),
            None => origin,
        }
    }
}

/// The line in which a span begins, and the part of the line that it covers.
struct Excerpt<'a> {
    line: &'a str,
    number: usize,
    caret: Range<usize>,
}

impl<'a> Excerpt<'a> {
    /// Lines longer than this many bytes are not shown (one may be a whole generated file);
    /// those longer than a terminal is wide are clipped around the caret by the renderer.
    const MAX_LINE_BYTES: usize = 10_000;

    fn of(source: &'a str, span: Span) -> Option<Self> {
        let start = span.start as usize;
        let before = source.get(..start)?;
        let first = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = source[start..].split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let last = start + rest.len();
        if source.is_empty() || last - first > Self::MAX_LINE_BYTES {
            return None;
        }
        let end = (span.end as usize).clamp(start, last) - first;
        Some(Self { line: &source[first..last], number: span.line as usize, caret: start - first..end })
    }

    fn snippet(&self, file: &'a str) -> Snippet<'a, Annotation<'a>> {
        let caret = AnnotationKind::Primary.span(self.caret.clone());
        Snippet::source(self.line).line_start(self.number).path(file).annotation(caret)
    }
}

/// Control characters in Rust's spelling: a message may quote a file, and a file may try to
/// speak to the terminal.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let show =
        |c: char| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(show).collect::<String>().into()
}

/// The closing line of a list of diagnostics: `2 errors, 1 warning`, or `no problems`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity, name| {
        let count = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {name}{plural}"))
    };
    let parts = [count(Severity::Error, "error"), count(Severity::Warning, "warning")];
    let parts = parts.into_iter().flatten().collect::<Vec<_>>();
    if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
}

/// One line: `rules/a.yaml:3:5: error: …`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.name();
        f.write_str(&self.file)?;
        if let Some(span) = self.span {
            write!(f, ":{}:{}", span.line, span.column)?;
        }
        write!(f, ": {severity}: {}", self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

/// The one of `names` that `wrong` most likely stands for.
pub fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &str, part: &str) -> Span {
        let start = source.find(part).expect(part);
        let line = source[..start].matches('\n').count() + 1;
        let column = source[..start].rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let [line, column, start, end] =
            [line, column, start, start + part.len()].map(|number| u32::try_from(number).unwrap());
        Span { line, column, start, end }
    }

    fn diagnostic(source: &str, part: &str) -> Diagnostic {
        Diagnostic::error("a.yaml", "unknown operator `prefx`")
            .with_span(at(source, part), &source.into())
            .with_help("did you mean `prefix`?")
    }

    #[test]
    fn it_is_shown_as_rustc_shows_it() {
        let source = "rules:\r\n  - é: [{prefx: x}]\r\nmore: 1\n";
        let expected = "\
error: unknown operator `prefx`
 --> a.yaml:2:9
  |
2 |   - é: [{prefx: x}]
  |          ^^^^^
  |
  = help: did you mean `prefix`?";
        assert_eq!(diagnostic(source, "prefx").render(false), expected.replace(":2:9", ":2:10"));
        assert!(diagnostic(source, "prefx").render(true).contains("\u{1b}["));
    }

    #[test]
    fn a_span_over_lines_shows_the_first() {
        let shown = diagnostic("a:\n  b: 1\n  c: 2\n", "b: 1\n  c: 2").render(false);
        assert!(shown.contains("2 |   b: 1\n  |   ^^^^"), "{shown}");
        assert!(!shown.contains("c: 2"), "{shown}");
    }

    #[test]
    fn the_end_of_the_text_can_be_shown() {
        let source = "a: [1";
        let end = Span { line: 1, column: 6, start: 5, end: 5 };
        let shown = Diagnostic::error("a.yaml", "open").with_span(end, &source.into()).render(false);
        assert!(shown.contains("1 | a: [1\n  |      ^"), "{shown}");
    }

    #[test]
    fn a_long_line_is_clipped_and_a_huge_one_left_out() {
        let source = format!("a: \"{}\", prefx: {}", "é".repeat(300), "x".repeat(300));
        let shown = diagnostic(&source, "prefx").render(false);
        assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
        assert!(shown.contains("a.yaml:1:308") && shown.contains("prefx: x"), "{shown}");
        let huge = format!("{} prefx", "x".repeat(1_000_000));
        assert!(diagnostic(&huge, "prefx").render(false).len() < 200);
    }

    #[test]
    fn a_file_as_a_whole_has_no_line() {
        let shown = Diagnostic::error("a.yaml", "cannot read it").render(false);
        assert_eq!(shown, "error: cannot read it\n--> a.yaml");
    }

    #[test]
    fn a_message_cannot_speak_to_the_terminal() {
        assert!(!Diagnostic::error("a.yaml", "unknown `\u{1b}[2J`").render(false).contains('\u{1b}'));
    }

    #[test]
    fn the_summary_counts_both_kinds() {
        let error = Diagnostic::error("a", "x");
        let warning = Diagnostic::warning("a", "x");
        assert_eq!(summary(&[error.clone(), warning, error]), "2 errors, 1 warning");
        assert_eq!(summary(&[]), "no problems");
    }

    #[test]
    fn a_slip_of_the_hand_is_recognised() {
        assert_eq!(did_you_mean("prefx", ["suffix", "prefix"]), Some("prefix"));
        assert_eq!(did_you_mean("Metadata", ["payload", "metadata"]), Some("metadata"));
        assert_eq!(did_you_mean("xyz", ["prefix"]), None);
    }
}
