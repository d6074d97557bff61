//! What is wrong with a file an author wrote: where, in which words, and what to write instead.

use std::fmt;
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

    /// As rustc shows it: the sentence, the place, the source line with a caret, the help.
    pub fn render(&self, color: bool) -> String {
        let _ = color;
        todo!("match")
    }
}

/// One line: `rules/a.yaml:3:5: error: …`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
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
