//! Nodes from the parser's events, with a stack of what is open (no recursion).

use super::copy::{MAX_COPIED_BYTES, copy, depth};
use super::position::{self, Cursor};
use super::{Entry, MAX_DEPTH, Node, Packed, Value, hint, scalar};
use crate::diagnostic::{Problem, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::collections::HashMap;

/// After so many problems the rest of a text is not read: it is most likely no YAML at all.
const MAX_PROBLEMS: usize = 100;

/// The node of a whole text; the items of the list under the top-level key `rows` apart.
///
/// # Errors
/// All that is wrong up to the first syntax error.
pub(super) fn build(text: &str, rows: Option<&str>) -> Result<(Node, Vec<Packed>), Vec<Problem>> {
    if let Some(problem) = unreadable(text) {
        return Err(vec![problem]);
    }
    let mut builder = Builder::new(text, rows);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                let span = builder.cursor.span(span);
                if builder.take(event, span).is_break() || builder.problems.len() >= MAX_PROBLEMS {
                    break;
                }
            }
            Err(error) => {
                let mark = *error.marker();
                let span = builder.cursor.span(saphyr_parser::Span::empty(mark));
                builder.problems.push(hint::syntax(text, span, error.info()));
                break;
            }
        }
    }
    builder.finish()
}

/// What the parser would not tell: it takes a NUL for the end of the text.
fn unreadable(text: &str) -> Option<Problem> {
    if u32::try_from(text.len()).is_err() {
        return Some(Problem::error(Span::default(), "the file is larger than 4 GiB"));
    }
    let start = text.find('\0')?;
    let span = position::end_of(&text[..start]);
    Some(
        Problem::error(span, "the text contains a NUL character").with_help("write `\"\\0\"` if it is meant"),
    )
}

/// What is open: a list, or a map with the key that waits for its value.
enum Frame {
    List { start: Span, anchor: usize, items: Vec<Node> },
    Map { start: Span, anchor: usize, entries: Vec<Entry>, key: Option<(String, Span)> },
}

struct Builder<'a> {
    text: &'a str,
    cursor: Cursor<'a>,
    frames: Vec<Frame>,
    root: Option<Node>,
    rows_key: Option<&'a str>,
    rows: Vec<Packed>,
    anchors: HashMap<usize, Node>,
    copied_bytes: usize,
    problems: Vec<Problem>,
}

type Flow = std::ops::ControlFlow<()>;
const GO_ON: Flow = Flow::Continue(());
const STOP: Flow = Flow::Break(());

impl<'a> Builder<'a> {
    fn new(text: &'a str, rows_key: Option<&'a str>) -> Self {
        Self {
            text,
            cursor: Cursor::new(text),
            frames: Vec::new(),
            root: None,
            rows_key,
            rows: Vec::new(),
            anchors: HashMap::new(),
            copied_bytes: 0,
            problems: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Flow {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), span)
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", span);
                self.open(Frame::List { start: span, anchor, items: Vec::new() }, span)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", span);
                self.open(Frame::Map { start: span, anchor, entries: Vec::new(), key: None }, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::DocumentStart(_) if self.root.is_some() => {
                self.problem(span, "a second document begins here", "put it into a file of its own");
                STOP
            }
            _ => GO_ON,
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Flow {
        if style == ScalarStyle::Plain && self.expects_key() {
            return self.plain_key(text, tag, span);
        }
        let plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| !is_core(tag, "str"));
        let value = if plain { scalar::resolve(text) } else { Ok(Value::String(text.to_owned())) };
        let value = value.unwrap_or_else(|refused| {
            self.problem(span, &format!("`{text}`: {refused}"), "quote it if it is meant as text");
            Value::Null
        });
        self.check_scalar_tag(tag, &value, span);
        let span = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => position::quoted(self.text, span),
            _ => span,
        };
        self.place(Node { span, value }, anchor)
    }

    /// An unquoted key is its text, whatever type it would have as a value.
    fn plain_key(&mut self, text: &str, tag: Option<&Tag>, span: Span) -> Flow {
        self.check_scalar_tag(tag, &Value::String(String::new()), span);
        match text {
            "<<" => self.problem(span, "merging by `<<` is not supported", "write the keys out"),
            "" => self.problem(span, "a key is missing before `:`", "quote it if it is meant as text"),
            _ => {}
        }
        self.place(Node { span, value: Value::String(text.to_owned()) }, 0)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Flow {
        let Some(node) = self.anchors.get(&anchor) else {
            self.problem(span, "the alias stands inside of what it names", "write the value out");
            return self.place(Node { span, value: Value::Null }, 0);
        };
        if self.frames.len() + depth(node) > MAX_DEPTH {
            return self.too_deep(span);
        }
        match copy(node, &mut self.copied_bytes) {
            Some(node) => self.place(Node { span, ..node }, 0),
            None => self.too_much_copied(span),
        }
    }

    fn too_much_copied(&mut self, span: Span) -> Flow {
        let megabytes = MAX_COPIED_BYTES >> 20;
        let message = format!("the aliases up to here repeat more than {megabytes} MiB");
        self.problem(span, &message, "write fewer aliases of aliases");
        STOP
    }

    fn too_deep(&mut self, span: Span) -> Flow {
        self.problem(span, &format!("nested deeper than {MAX_DEPTH} levels"), "nest less deeply");
        STOP
    }

    fn open(&mut self, frame: Frame, span: Span) -> Flow {
        if self.expects_key() {
            let help = hint::key_is_nested(self.text, span);
            self.problem(span, "a key must be a text, not a map or list", help);
        }
        if self.frames.len() >= MAX_DEPTH {
            return self.too_deep(span);
        }
        self.frames.push(frame);
        GO_ON
    }

    fn close(&mut self, end: Span) -> Flow {
        match self.frames.pop() {
            Some(Frame::List { start, anchor, items }) => {
                let span = self.whole(start, end, items.last().map(|item| item.span));
                self.place(Node { span, value: Value::List(items) }, anchor)
            }
            Some(Frame::Map { start, anchor, entries, .. }) => {
                let last = entries.last().map(|entry| {
                    if entry.node.span.end > entry.key_span.end { entry.node.span } else { entry.key_span }
                });
                let span = self.whole(start, end, last);
                self.refuse_equal_keys(&entries);
                self.place(Node { span, value: Value::Map(entries) }, anchor)
            }
            None => GO_ON,
        }
    }

    /// From a start to the closing bracket, or in block style (where the end is only noticed at
    /// what follows) to the end of the last child.
    fn whole(&self, start: Span, end: Span, last: Option<Span>) -> Span {
        let bracket = self.text[end.start as usize..].starts_with(['}', ']']) && end.end > end.start;
        let end = if bracket { end.start + 1 } else { last.map_or(start.end, |last| last.end) };
        Span { end: end.max(start.end), ..start }
    }

    /// Puts a finished node where it belongs: the key or value of a map, a list, or the root.
    fn place(&mut self, node: Node, anchor: usize) -> Flow {
        if anchor > 0 {
            match copy(&node, &mut self.copied_bytes) {
                Some(copy) => _ = self.anchors.insert(anchor, copy),
                None => return self.too_much_copied(node.span),
            }
        }
        if self.expects_row() {
            self.rows.push(Packed::new(&node));
            return GO_ON;
        }
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => match key.take() {
                Some((key, key_span)) => entries.push(Entry { key, key_span, node }),
                None => *key = Some((key_text(node.value), node.span)),
            },
        }
        GO_ON
    }

    /// Not where an anchor may have to copy the list.
    fn expects_row(&self) -> bool {
        let [Frame::Map { anchor: 0, key: Some((key, _)), .. }, Frame::List { anchor: 0, .. }] =
            &*self.frames
        else {
            return false;
        };
        self.rows_key == Some(key)
    }

    fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Map { key: None, .. }))
    }

    fn refuse_equal_keys(&mut self, entries: &[Entry]) {
        let few = entries.len() <= 8;
        if few
            && entries.iter().enumerate().all(|(at, entry)| entries[..at].iter().all(|e| e.key != entry.key))
        {
            return;
        }
        let mut order = entries.iter().collect::<Vec<_>>();
        order.sort_by(|a, b| a.key.cmp(&b.key).then(a.key_span.start.cmp(&b.key_span.start)));
        for pair in order.windows(2).filter(|pair| pair[0].key == pair[1].key).take(MAX_PROBLEMS) {
            let message =
                format!("the key `{}` is here already, on line {}", pair[1].key, pair[0].key_span.line);
            self.problem(pair[1].key_span, &message, "remove one of the two");
        }
    }

    /// Only the core schema's tags mean something; `kind` is the one that fits.
    fn check_tag(&mut self, tag: Option<&Tag>, kind: &str, span: Span) {
        if let Some(tag) = tag.filter(|tag| !is_core(tag, kind)) {
            self.problem(span, &format!("the tag `{tag}` is not supported here"), "leave the tag out");
        }
    }

    fn check_scalar_tag(&mut self, tag: Option<&Tag>, value: &Value, span: Span) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(number) if number.is_integer() => "int",
            Value::Number(_) => "float",
            _ => "str",
        };
        let integer_as_float = kind == "int" && tag.is_some_and(|tag| is_core(tag, "float"));
        if !integer_as_float {
            self.check_tag(tag, kind, span);
        }
    }

    fn problem(&mut self, span: Span, message: &str, help: &str) {
        self.problems.push(Problem::error(span, message).with_help(help));
    }

    fn finish(mut self) -> Result<(Node, Vec<Packed>), Vec<Problem>> {
        for frame in std::mem::take(&mut self.frames) {
            if let Frame::Map { entries, .. } = frame {
                self.refuse_equal_keys(&entries);
            }
        }
        if self.problems.is_empty() {
            let root = self.root.unwrap_or(Node { span: Span::default(), value: Value::Null });
            return Ok((root, self.rows));
        }
        self.problems.sort_by_key(|problem| problem.span.start);
        Err(self.problems)
    }
}

/// A key's text; a key that is a map or list has been reported where it began.
fn key_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Number(number) => number.text().to_owned(),
        _ => String::new(),
    }
}

/// `!!name`, or the bare `!` that makes a text.
fn is_core(tag: &Tag, name: &str) -> bool {
    (tag.is_yaml_core_schema() && tag.suffix == name)
        || (name == "str" && tag.handle.is_empty() && tag.suffix == "!")
}
