//! A number that keeps its text and is compared by its exact value.

use compact_str::{CompactString, ToCompactString};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A JSON number of any size and precision, kept as it was written.
///
/// Equality and order are those of the exact decimal values: `1` = `1.0` = `10e-1`, and integers
/// past 2^53 stay distinct.
#[derive(Clone, Debug)]
pub struct Number(CompactString);

impl Number {
    /// Takes a text that the parser has found to be a JSON number.
    pub(super) fn from_checked(text: &str) -> Self {
        Self(text.into())
    }

    /// The number that a text spells, by JSON's grammar.
    pub fn parse(text: &str) -> Option<Self> {
        match super::parse(text.as_bytes()) {
            Ok(super::Json::Number(number)) if number.text() == text => Some(number),
            _ => None,
        }
    }

    /// The number of a finite double, in Python's spelling.
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let mut out = Vec::new();
        super::canonical::write_float(value, &mut out);
        Some(Self(std::str::from_utf8(&out).expect("digits are ASCII").into()))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it is written as an integer: no fraction and no exponent.
    pub fn is_integer(&self) -> bool {
        !self.0.as_bytes().iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
    }

    /// The integer, if it is written as one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.text().parse().ok()
    }

    /// The integer, if it is written as one, is not negative and fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.text().parse().ok()
    }

    /// The nearest double (infinite for an integer past its range).
    pub fn as_f64(&self) -> f64 {
        self.text().parse().expect("JSON's number grammar is a part of Rust's")
    }

    pub(super) fn to_serde(&self) -> serde_json::Value {
        if let Some(number) = self.as_i64() {
            return number.into();
        }
        self.as_u64().map_or_else(|| self.as_f64().into(), Into::into)
    }

    /// Sign, significant digits without zeros at either end, and the power of ten of the first
    /// digit. Zero has no digits.
    fn decimal(&self) -> Decimal<'_> {
        let (negative, text) = match self.text().strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, self.text()),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut decimal = Decimal { negative, whole, fraction, magnitude: 0 };
        let digits = decimal.digits().count();
        if digits == 0 {
            return Decimal { negative: false, whole: "", fraction: "", magnitude: 0 };
        }
        let leading_zeros = whole.bytes().chain(fraction.bytes()).take_while(|digit| *digit == b'0').count();
        let exponent = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') {
            i64::MIN / 2
        } else {
            i64::MAX / 2
        });
        decimal.magnitude = (whole.len() as i64 - leading_zeros as i64).saturating_add(exponent);
        decimal
    }
}

struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    magnitude: i64,
}

impl Decimal<'_> {
    /// The digits from the first to the last that is not zero.
    fn digits(&self) -> impl Iterator<Item = u8> {
        let fraction = self.fraction.trim_end_matches('0');
        let whole = if fraction.is_empty() { self.whole.trim_end_matches('0') } else { self.whole };
        whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0')
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Some(a), Some(b)) = (self.as_i64(), other.as_i64()) {
            return a.cmp(&b);
        }
        let (a, b) = (self.decimal(), other.decimal());
        let zero = |decimal: &Decimal<'_>| decimal.digits().next().is_none();
        let sign = |decimal: &Decimal<'_>| match (zero(decimal), decimal.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_size = || a.magnitude.cmp(&b.magnitude).then_with(|| a.digits().cmp(b.digits()));
        sign(&a).cmp(&sign(&b)).then_with(|| match sign(&a) {
            0 => Ordering::Equal,
            1 => by_size(),
            _ => by_size().reverse(),
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

/// Equal numbers hash alike, however they are written.
impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let decimal = self.decimal();
        decimal.negative.hash(state);
        decimal.magnitude.hash(state);
        decimal.digits().for_each(|digit| digit.hash(state));
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(number.to_compact_string())
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.to_compact_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect(text)
    }

    #[test]
    fn the_value_counts_not_the_spelling() {
        for (a, b) in
            [("1", "1.0"), ("1", "10e-1"), ("0", "-0.0"), ("100", "1E+2"), ("0.010", "1e-2"), ("-0", "0e9")]
        {
            assert_eq!(number(a), number(b), "{a} {b}");
        }
        let hash = |text: &str| {
            let mut state = std::hash::DefaultHasher::new();
            number(text).hash(&mut state);
            state.finish()
        };
        assert_eq!(hash("1"), hash("1.00"));
        assert_eq!(hash("-0"), hash("0.0"));
    }

    #[test]
    fn order_is_exact_at_any_size() {
        let ascending = [
            "-1e300",
            "-100000000000000000000",
            "-2",
            "-1.5",
            "-1e-400",
            "0",
            "1e-400",
            "1e-7",
            "0.1",
            "0.10000000000000000001",
            "1",
            "9007199254740992",
            "9007199254740993",
            "1764000000000000001",
            "18446744073709551616",
            "1e300",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(number(a).cmp(&number(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn only_whole_numbers_parse() {
        for text in ["", " 1", "1 ", "abc", "true", "0x1", "1e400", "NaN"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn doubles_order_as_doubles(a in any::<f64>(), b in any::<f64>()) {
            if let (Some(x), Some(y)) = (Number::from_f64(a), Number::from_f64(b)) {
                prop_assert_eq!(x.cmp(&y), a.partial_cmp(&b).unwrap());
            }
        }

        #[test]
        fn integers_order_as_integers(a in any::<i128>(), b in any::<i128>()) {
            prop_assert_eq!(number(&a.to_string()).cmp(&number(&b.to_string())), a.cmp(&b));
        }
    }
}
