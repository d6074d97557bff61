//! The canonical forms: byte for byte what CPython's `json.dumps(value, separators=(",", ":"),
//! sort_keys=True)` makes, with and without `ensure_ascii`.
//!
//! Source: CPython's `Lib/json/encoder.py` and `float.__repr__` (the shortest digits that read
//! back as the same double; an exponent below 1e-4 and from 1e16 on).

use super::{Json, Number, scan};

/// Which of Python's two spellings of text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanonicalForm {
    /// `ensure_ascii=True`, the default: everything outside 0x20..0x7e is escaped.
    Ascii,
    /// `ensure_ascii=False`: text as UTF-8, only control characters below 0x20 escaped.
    Utf8,
}

/// Appends the canonical form of `value` to `out`.
pub fn write_canonical(value: &Json, form: CanonicalForm, out: &mut Vec<u8>) {
    match form {
        CanonicalForm::Ascii => write(value, &(write_ascii, write_number), out),
        CanonicalForm::Utf8 => write(value, &(write_utf8, write_number), out),
    }
}

/// Appends compact text with numbers as they were written.
pub fn write_plain(value: &Json, out: &mut Vec<u8>) {
    let verbatim = |number: &Number, out: &mut Vec<u8>| out.extend_from_slice(number.text().as_bytes());
    write(value, &(write_utf8, verbatim), out);
}

/// `style`: how texts and how numbers are written.
fn write<S, N>(value: &Json, style: &(S, N), out: &mut Vec<u8>)
where
    S: Fn(&str, &mut Vec<u8>),
    N: Fn(&Number, &mut Vec<u8>),
{
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(number) => (style.1)(number, out),
        Json::String(text) => (style.0)(text, out),
        Json::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, style, out);
            }
            out.push(b']');
        }
        Json::Object(object) => {
            out.push(b'{');
            for (index, (key, member)) in object.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                (style.0)(key, out);
                out.push(b':');
                write(member, style, out);
            }
            out.push(b'}');
        }
    }
}

fn write_ascii(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let plain = scan::plain_ascii(rest.as_bytes());
        out.extend_from_slice(&rest.as_bytes()[..plain]);
        let mut chars = rest[plain..].chars();
        let Some(char) = chars.next() else { break };
        write_escape(char, out);
        rest = chars.as_str();
    }
    out.push(b'"');
}

/// Appends a text in quotes, non-ASCII as it is.
pub fn write_utf8(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let plain = scan::plain(rest.as_bytes());
        out.extend_from_slice(&rest.as_bytes()[..plain]);
        let mut chars = rest[plain..].chars();
        let Some(char) = chars.next() else { break };
        write_escape(char, out);
        rest = chars.as_str();
    }
    out.push(b'"');
}

fn write_escape(char: char, out: &mut Vec<u8>) {
    let short = match char {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        _ => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(b"0123456789abcdef"[usize::from((*unit >> shift) & 15)]);
                }
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    if !number.is_integer() {
        return write_float(number.as_f64(), out);
    }
    let text = if number.text() == "-0" { "0" } else { number.text() };
    out.extend_from_slice(text.as_bytes());
}

/// Appends a finite double as Python's `repr` spells it.
pub(super) fn write_float(value: f64, out: &mut Vec<u8>) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value.abs());
    // The digits are right in whatever layout the crate gives them; only the digits are used.
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let leading = all.iter().take_while(|digit| **digit == b'0').count();
    let trailing = all[leading..].iter().rev().take_while(|digit| **digit == b'0').count();
    let digits = &all[leading..all.len() - trailing];
    if digits.is_empty() {
        return out.extend_from_slice(b"0.0");
    }
    let exponent: i32 = exponent.parse().expect("the exponent of a double is an integer");
    let point = whole.len() as i32 - leading as i32 + exponent;
    if (-3..=16).contains(&point) {
        write_fixed(digits, point, out)
    } else {
        write_exponent(digits, point - 1, out)
    }
}

/// `digits` with the decimal point behind `point` of them.
fn write_fixed(digits: &[u8], point: i32, out: &mut Vec<u8>) {
    let count = digits.len() as i32;
    let zeros = |n: i32, out: &mut Vec<u8>| out.extend(std::iter::repeat_n(b'0', n.max(0) as usize));
    if point <= 0 {
        out.extend_from_slice(b"0.");
        zeros(-point, out);
        out.extend_from_slice(digits);
    } else if point >= count {
        out.extend_from_slice(digits);
        zeros(point - count, out);
        out.extend_from_slice(b".0");
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

/// `d.ddde±XX`, with at least two digits in the exponent.
fn write_exponent(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn canonical(text: &str, form: CanonicalForm) -> String {
        let mut out = Vec::new();
        write_canonical(&parse(text.as_bytes()).expect(text), form, &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    /// What CPython 3.11 makes of each, from the table in the sender's notes.
    #[test]
    fn numbers_are_spelled_as_python_spells_them() {
        for (text, python) in [
            ("1.0", "1.0"),
            ("1e2", "100.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("100000000000000000000.0", "1e+20"),
            ("1e21", "1e+21"),
            ("0.00001", "1e-05"),
            ("1e-7", "1e-07"),
            ("0.0001", "0.0001"),
            ("-0.0", "-0.0"),
            ("-0", "0"),
            ("0e5", "0.0"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("997773542077009.25", "997773542077009.2"),
            ("1.5e300", "1.5e+300"),
            ("5e-324", "5e-324"),
            ("123456.789", "123456.789"),
            ("9999999999999998.0", "9999999999999998.0"),
            ("0.1", "0.1"),
        ] {
            assert_eq!(canonical(text, CanonicalForm::Ascii), python, "{text}");
        }
    }

    #[test]
    fn text_is_escaped_as_python_escapes_it() {
        let text = "\"M\u{fc}nchen \u{1f600} \u{7f}\u{80}\u{2028} a\\/b <>&' \\b\\f\\n\\r\\t\\u001f\"";
        assert_eq!(
            canonical(text, CanonicalForm::Ascii),
            r#""M\u00fcnchen \ud83d\ude00 \u007f\u0080\u2028 a/b <>&' \b\f\n\r\t\u001f""#
        );
        assert_eq!(
            canonical(text, CanonicalForm::Utf8),
            "\"M\u{fc}nchen \u{1f600} \u{7f}\u{80}\u{2028} a/b <>&' \\b\\f\\n\\r\\t\\u001f\""
        );
    }

    #[test]
    fn keys_are_sorted_by_code_point_after_unescaping() {
        assert_eq!(
            canonical(
                r#"{"\ud83d\ude00":1, "\uff01":2, "10":3, "9":4, "\u0061":{"z":1,"b":[ ]}}"#,
                CanonicalForm::Utf8
            ),
            "{\"10\":3,\"9\":4,\"a\":{\"b\":[],\"z\":1},\"\u{ff01}\":2,\"\u{1f600}\":1}"
        );
    }
}
