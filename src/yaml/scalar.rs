//! Plain scalars by the core schema of YAML 1.2 (chapter 10.3.2).

use super::Value;
use crate::json::Number;

/// Why a plain scalar has no value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("infinite and not-a-number values are not supported")]
    NotFinite,
    #[error("the number is out of range")]
    OutOfRange,
}

/// What an unquoted text means: null, a boolean, a number, else the text itself.
pub(super) fn resolve(text: &str) -> Result<Value, Refused> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Value::Null),
        "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
        _ if text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) => number(text),
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn number(text: &str) -> Result<Value, Refused> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(Refused::NotFinite);
    }
    let radix = |prefix, radix| {
        let digits: &str = text.strip_prefix(prefix)?;
        (!digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))).then_some((digits, radix))
    };
    if let Some((digits, radix)) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        let value = u128::from_str_radix(digits, radix).map_err(|_| Refused::OutOfRange)?;
        return json(&value.to_string());
    }
    match Decimal::split(unsigned) {
        Some(decimal) => json(&decimal.spell(text.starts_with('-'))),
        None => Ok(Value::String(text.to_owned())),
    }
}

fn json(text: &str) -> Result<Value, Refused> {
    Number::parse(text).map(Value::Number).ok_or(Refused::OutOfRange)
}

/// `[0-9]+(\.[0-9]*)?` or `\.[0-9]+`, and an exponent as it is written, with its letter.
struct Decimal<'a> {
    whole: &'a str,
    fraction: &'a str,
    exponent: &'a str,
}

impl<'a> Decimal<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let (mantissa, exponent) = text.split_at(text.find(['e', 'E']).unwrap_or(text.len()));
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, "")) if !whole.is_empty() => (whole, "0"),
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let exponent_fits = exponent.is_empty() || {
            let power = exponent[1..].strip_prefix(['+', '-']).unwrap_or(&exponent[1..]);
            !power.is_empty() && digits(power)
        };
        let fits = digits(whole) && digits(fraction) && exponent_fits;
        (fits && !(whole.is_empty() && fraction.is_empty())).then_some(Self { whole, fraction, exponent })
    }

    /// By JSON's grammar, which is unchanged where it was that already: no leading zeros, and a
    /// digit on both sides of the point. A trailing point (`1.`) stays a decimal: `1.0`.
    fn spell(&self, negative: bool) -> String {
        let sign = if negative { "-" } else { "" };
        let whole = match self.whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{}{}", self.fraction, self.exponent)
    }
}
