//! Nodes in a few bytes, for what waits to be read: a tenth of the memory, and one allocation.

use super::{Entry, Node, Value};
use crate::diagnostic::Span;
use crate::json::Number;

/// A node, packed.
#[derive(Debug)]
pub struct Packed(Box<[u8]>);

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const STRING: u8 = 4;
const LIST: u8 = 5;
const MAP: u8 = 6;

const SOUND: &str = "what is packed was written by `Packed::new`";

impl Packed {
    pub fn new(node: &Node) -> Self {
        let mut writer = Writer { out: Vec::with_capacity(512), last: Span::default() };
        writer.node(node);
        Self(writer.out.into())
    }

    /// The node that was packed.
    pub fn unpack(&self) -> Node {
        Reader { rest: &self.0, last: Span::default() }.node()
    }
}

/// Spans are written as the distance from the one before: most take four bytes.
struct Writer {
    out: Vec<u8>,
    last: Span,
}

impl Writer {
    fn node(&mut self, node: &Node) {
        self.span(node.span);
        match &node.value {
            Value::Null => self.out.push(NULL),
            Value::Bool(flag) => self.out.push(if *flag { TRUE } else { FALSE }),
            Value::Number(number) => self.tagged(NUMBER, number.text()),
            Value::String(text) => self.tagged(STRING, text),
            Value::List(items) => {
                self.out.push(LIST);
                self.number(items.len() as u64);
                items.iter().for_each(|item| self.node(item));
            }
            Value::Map(entries) => {
                self.out.push(MAP);
                self.number(entries.len() as u64);
                entries.iter().for_each(|entry| self.entry(entry));
            }
        }
    }

    fn entry(&mut self, entry: &Entry) {
        self.text(&entry.key);
        self.span(entry.key_span);
        self.node(&entry.node);
    }

    fn tagged(&mut self, tag: u8, text: &str) {
        self.out.push(tag);
        self.text(text);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn span(&mut self, span: Span) {
        self.distance(self.last.line, span.line);
        self.distance(self.last.column, span.column);
        self.distance(self.last.start, span.start);
        self.distance(span.start, span.end);
        self.last = span;
    }

    /// Zigzag: small numbers in both directions are small.
    fn distance(&mut self, from: u32, to: u32) {
        let distance = i64::from(to) - i64::from(from);
        self.number((distance << 1 ^ distance >> 63).cast_unsigned());
    }

    /// LEB128: seven bits a byte, the lowest first.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    last: Span,
}

impl Reader<'_> {
    fn node(&mut self) -> Node {
        let span = self.span();
        let value = match self.byte() {
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            NUMBER => Value::Number(Number::parse(&self.text()).expect(SOUND)),
            STRING => Value::String(self.text()),
            LIST => Value::List((0..self.number()).map(|_| self.node()).collect()),
            MAP => Value::Map((0..self.number()).map(|_| self.entry()).collect()),
            _ => Value::Null,
        };
        Node { span, value }
    }

    fn entry(&mut self) -> Entry {
        let key = self.text();
        let key_span = self.span();
        Entry { key, key_span, node: self.node() }
    }

    fn text(&mut self) -> String {
        let length = usize::try_from(self.number()).expect(SOUND);
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        std::str::from_utf8(text).expect(SOUND).to_owned()
    }

    fn span(&mut self) -> Span {
        let line = self.distance(self.last.line);
        let column = self.distance(self.last.column);
        let start = self.distance(self.last.start);
        self.last = Span { line, column, start, end: self.distance(start) };
        self.last
    }

    fn distance(&mut self, from: u32) -> u32 {
        let zigzag = self.number();
        let distance = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        u32::try_from(i64::from(from) + distance).expect(SOUND)
    }

    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().expect(SOUND);
        self.rest = rest;
        *first
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, parse_rows};
    use super::*;

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let text =
            "a: &x [1, -2.50, ~, true, false, 'ü', \"\"]\nb: {c: *x, d: {}, e: 18446744073709551616}\n";
        let node = parse(&"a.yaml".into(), &text.into()).expect("it is YAML");
        assert_eq!(format!("{:?}", Packed::new(&node).unpack()), format!("{node:?}"));
    }

    #[test]
    fn rows_are_packed_in_order_and_the_rest_is_there() {
        let text = "a: 1\nrules:\n  - {b: &x [2]}\n  - *x\nother: [3]\n";
        let (node, rows) = parse_rows(&"a.yaml".into(), text, "rules").expect("it is YAML");
        assert_eq!(node.to_json().to_string(), r#"{"a":1,"other":[3],"rules":[]}"#);
        let rows: Vec<_> = rows.iter().map(|row| row.unpack().to_json().to_string()).collect();
        assert_eq!(rows, [r#"{"b":[2]}"#, "[2]"]);
    }

    #[test]
    fn rows_of_a_list_that_an_alias_names_are_rows_too() {
        for text in
            ["vars: &x [{a: 1}]\nrules: *x\n", "rules: &x [{a: 1}]\nvars: *x\n", "&y {rules: [{a: 1}]}"]
        {
            let (_, rows) = parse_rows(&"a.yaml".into(), text, "rules").expect("it is YAML");
            assert_eq!(rows.len(), 1, "{text}");
        }
    }
}
