//! The parser: strict JSON (RFC 8259) in UTF-8, each key once, every number kept as its text.

use super::{DuplicateKey, Json, Number, Object, scan};
use compact_str::CompactString;

/// How deeply lists and objects may be nested. RFC 8259 section 9 lets a parser set a limit;
/// this one keeps a body of brackets from using up the stack.
pub const MAX_DEPTH: usize = 128;

/// Why a text is not JSON that can be verified, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct ParseError {
    /// Where, in bytes from the start.
    pub offset: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Parses one JSON value that is the whole text (white space around it is allowed).
///
/// # Errors
/// Anything RFC 8259 refuses; and what could not be signed again without doubt: a key that
/// occurs twice, a lone surrogate, a decimal number beyond the range of a double (Python would
/// sign `Infinity`), nesting deeper than [`MAX_DEPTH`].
pub fn parse(bytes: &[u8]) -> Result<Json, ParseError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ParseError { offset: error.valid_up_to(), reason: "invalid UTF-8".to_owned() })?;
    let mut parser = Parser { text, bytes, at: 0, failure: None };
    parser.whole().map_err(|Failed| parser.failure.expect("it is set where `Failed` is made"))
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Why it failed, once it has.
    failure: Option<ParseError>,
}

/// What a step of the parser yields.
type Parsed<T> = Result<T, Failed>;

/// The error is in the parser: what is returned fits into registers.
struct Failed;

const LONE_SURROGATE: &str = "a lone surrogate";

/// Room at the top of a document: as many fields as an event has.
const TOP_MEMBERS: usize = 12;

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Parsed<Json> {
        let mut value = Json::Null;
        self.skip_space();
        self.value(0, &mut value)?;
        self.skip_space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.error("something follows the value")),
        }
    }

    /// Reads a value into its place: moving it there from a `Result` costs more than making it.
    fn value(&mut self, depth: usize, place: &mut Json) -> Parsed<()> {
        *place = match self.peek() {
            Some(b'{') => self.object(depth + 1).map(Json::Object)?,
            Some(b'[') => self.array(depth + 1).map(Json::Array)?,
            Some(b'"') => Json::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Json::Number(self.number()?),
            Some(b't') => self.word("true", Json::Bool(true))?,
            Some(b'f') => self.word("false", Json::Bool(false))?,
            Some(b'n') => self.word("null", Json::Null)?,
            Some(_) => return Err(self.error("a value is expected")),
            None => return Err(self.error("the text ends where a value is expected")),
        };
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Parsed<Object> {
        let start = self.open(depth)?;
        let mut members = Vec::with_capacity(if depth == 1 { TOP_MEMBERS } else { 0 });
        if !self.eat(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(self.error("a key in quotes is expected"));
                }
                let key = self.string()?;
                self.skip_space();
                if !self.eat(b':') {
                    return Err(self.error("`:` is expected"));
                }
                self.skip_space();
                members.push((key, Json::Null));
                let (_, value) = members.last_mut().expect("one was pushed");
                self.value(depth, value)?;
                if self.closes(b'}')? {
                    break;
                }
            }
        }
        Object::from_keys(members).map_err(|error: DuplicateKey| self.refuse(start, error.to_string()))
    }

    fn array(&mut self, depth: usize) -> Parsed<Vec<Json>> {
        self.open(depth)?;
        let mut items = Vec::new();
        if !self.eat(b']') {
            loop {
                items.push(Json::Null);
                self.value(depth, items.last_mut().expect("one was pushed"))?;
                if self.closes(b']')? {
                    break;
                }
            }
        }
        Ok(items)
    }

    /// Steps over the opening bracket and the space behind it; returns where the bracket was.
    fn open(&mut self, depth: usize) -> Parsed<usize> {
        if depth > MAX_DEPTH {
            return Err(self.error(&format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let start = self.at;
        self.at += 1;
        self.skip_space();
        Ok(start)
    }

    /// Steps over what follows an element: `true` behind the closing bracket, `false` behind a
    /// comma and its space.
    #[inline]
    fn closes(&mut self, bracket: u8) -> Parsed<bool> {
        self.skip_space();
        if self.eat(bracket) {
            return Ok(true);
        }
        if !self.eat(b',') {
            return Err(self.error(&format!("`,` or `{}` is expected", bracket as char)));
        }
        self.skip_space();
        Ok(false)
    }

    /// Inlined, so that a short string is made in registers and written once.
    #[inline(always)]
    fn string(&mut self) -> Parsed<CompactString> {
        self.at += 1;
        let run = self.run();
        if self.eat(b'"') { Ok(run.into()) } else { self.escaped_string(run) }
    }

    /// A string from its first escape on, before which `run` stands.
    #[cold]
    fn escaped_string(&mut self, run: &str) -> Parsed<CompactString> {
        let mut out = CompactString::new(run);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.error("an unescaped control character in a string")),
                None => return Err(self.error("the text ends inside a string")),
            }
            out.push_str(self.run());
        }
    }

    /// The characters up to the next quote, backslash or control character.
    #[inline]
    fn run(&mut self) -> &'a str {
        let start = self.at;
        self.at += scan::plain(&self.bytes[start..]);
        &self.text[start..self.at]
    }

    fn escape(&mut self) -> Parsed<char> {
        let start = self.at;
        self.at += 2;
        let char = match self.bytes.get(start + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => return Err(self.refuse(start, "an unknown escape")),
        };
        Ok(char)
    }

    fn unicode_escape(&mut self, start: usize) -> Parsed<char> {
        let high = self.hex4(start)?;
        let code = match high {
            0xd800..0xdc00 => 0x10000 + ((high - 0xd800) << 10) + self.low_surrogate(start)?,
            _ => high,
        };
        char::from_u32(code).ok_or_else(|| self.refuse(start, LONE_SURROGATE))
    }

    /// The lower ten bits of a pair, from its second half.
    fn low_surrogate(&mut self, start: usize) -> Parsed<u32> {
        if !self.bytes[self.at..].starts_with(b"\\u") {
            return Err(self.refuse(start, LONE_SURROGATE));
        }
        self.at += 2;
        match self.hex4(start)? {
            low @ 0xdc00..0xe000 => Ok(low - 0xdc00),
            _ => Err(self.refuse(start, LONE_SURROGATE)),
        }
    }

    fn hex4(&mut self, start: usize) -> Parsed<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else {
            return Err(self.refuse(start, "`\\u` needs four hex digits"));
        };
        self.at += 4;
        Ok(digits.iter().fold(0, |sum, digit| sum * 16 + (*digit as char).to_digit(16).unwrap_or(0)))
    }

    fn number(&mut self) -> Parsed<Number> {
        let start = self.at;
        self.eat(b'-');
        if self.eat(b'0') {
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.refuse(start, "a number with a leading zero"));
            }
        } else {
            self.digits()?;
        }
        let mut integer = true;
        if self.eat(b'.') {
            integer = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            integer = false;
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if !integer && text.parse::<f64>().is_ok_and(f64::is_infinite) {
            return Err(self.refuse(start, format!("{text} is out of the range of a double")));
        }
        Ok(Number::from_checked(text))
    }

    fn digits(&mut self) -> Parsed<()> {
        let count = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.error("a digit is expected"));
        }
        self.at += count;
        Ok(())
    }

    fn word(&mut self, word: &str, value: Json) -> Parsed<Json> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("a value is expected"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[cold]
    fn error(&mut self, reason: &str) -> Failed {
        self.refuse(self.at, reason)
    }

    #[cold]
    fn refuse(&mut self, offset: usize, reason: impl Into<String>) -> Failed {
        self.failure = Some(ParseError { offset, reason: reason.into() });
        Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text).reason
    }

    #[test]
    fn accepts_what_rfc_8259_accepts_and_writes_it_back() {
        for text in [
            r#"{"a":[1,-0.5e+3,true,null,"x"],"b":{}}"#,
            "123456789012345678901234567890",
            r#""\u00fc\ud83d\ude00\n""#,
        ] {
            let value = parse(format!(" {text}\n").as_bytes()).expect(text);
            assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
        }
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        assert_eq!(refused(r#"{"a":1,"b":2,"a":3}"#), r#"the key "a" occurs twice in one object"#);
        assert_eq!(refused(r#"{"\u0061":1,"a":3}"#), r#"the key "a" occurs twice in one object"#);
        assert_eq!(refused("1e400"), "1e400 is out of the range of a double");
        for text in ["\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud800\\u0041\""] {
            assert_eq!(refused(text), "a lone surrogate");
        }
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "NaN",
            "Infinity",
            "-Infinity",
            "01",
            "+1",
            "1.",
            ".5",
            "-",
            "1e",
            "tru",
            "\"a",
            "\"\t\"",
            "\"\\x\"",
            "\"\\u12\"",
            "{a:1}",
            "1 2",
            "\u{feff}{}",
            "'a'",
            "{\"a\" 1}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text} is accepted");
        }
        let error = parse(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!((error.reason.as_str(), error.offset), ("invalid UTF-8", 6));
    }

    /// Wherever in a word of eight bytes it stands.
    #[test]
    fn a_string_ends_at_its_quote_wherever_that_stands() {
        for before in 0..20 {
            for after in 0..10 {
                let (before, after) = ("\u{fc}".repeat(before), "a".repeat(after));
                let text = format!("[\"{before}{after}\",\"{after}\\n{before}\"]");
                let items = [format!("{before}{after}"), format!("{after}\n{before}")];
                assert_eq!(parse(text.as_bytes()), Ok(Json::Array(items.map(Json::from).into())));
                assert_eq!(
                    refused(&format!("\"{before}{after}\u{1f}\"")),
                    "an unescaped control character in a string"
                );
            }
        }
    }

    #[test]
    fn nesting_has_a_limit_and_no_depth_breaks_the_stack() {
        let nested = |levels: usize| "[".repeat(levels) + "]".repeat(levels).as_str();
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(refused(&nested(MAX_DEPTH + 1)), "nested deeper than 128 levels");
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        assert!(parse("{\"a\":".repeat(100_000).as_bytes()).is_err());
    }
}
