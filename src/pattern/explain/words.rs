//! What a field must be, in words close to those of the pattern.

use crate::json::Json;
use crate::pattern::{Alternative, AnythingBut, Numeric, Quantified, Test, Texts, Values};

/// More of a list than this is only counted.
const SHOWN: usize = 6;

/// `"failed" or "stopped"`, `prefix "a" and suffix "b"`, `not (1 or 2)`.
pub(super) fn alternatives(alternatives: &[Alternative]) -> String {
    list(alternatives.iter().map(alternative), " or ")
}

fn alternative(alternative: &Alternative) -> String {
    alternative.0.iter().map(test).collect::<Vec<_>>().join(" and ")
}

fn list(words: impl ExactSizeIterator<Item = String>, separator: &str) -> String {
    let more = words.len().saturating_sub(SHOWN);
    let mut shown = words.take(SHOWN).collect::<Vec<_>>();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(separator)
}

fn test(test: &Test) -> String {
    let name = test.name();
    match test {
        Test::Exact(value) => value.to_string(),
        Test::Among(own) => values(own),
        Test::Prefix(own) | Test::Suffix(own) => format!("{name} {}", texts(own)),
        Test::EqualsIgnoreCase(own) => format!("{name} {}", quoted(&own.any_of)),
        Test::Wildcard(own) => {
            format!("{name} {}", list(own.iter().map(|it| Json::from(it.to_string()).to_string()), " or "))
        }
        Test::Regex(own) => format!("{name} {}", list(own.iter().map(|it| it.text().to_owned()), " or ")),
        Test::Numeric(own) => format!("{name} {}", range(own)),
        Test::Cidr(own) => format!("{name} {}", list(own.iter().map(ToString::to_string), " or ")),
        Test::Clock(own) => format!("{name} {own}"),
        Test::AnythingBut(AnythingBut::Values(own)) => {
            format!("{name} {}", list(own.iter().map(ToString::to_string), " or "))
        }
        Test::AnythingBut(AnythingBut::Test(own)) => format!("{name} {}", self::test(own)),
        Test::Exists(wanted) => format!("{name}: {wanted}"),
        Test::Quantified(Quantified::Not(own) | Quantified::Every(own) | Quantified::None(own)) => {
            format!("{name} {}", grouped(own))
        }
    }
}

fn grouped(own: &[Alternative]) -> String {
    let words = alternatives(own);
    let simple = matches!(own, [Alternative(tests)] if tests.len() == 1);
    if simple { words } else { format!("({words})") }
}

fn values(values: &Values) -> String {
    let shown = values.iter().take(SHOWN).map(|value| value.to_string()).collect::<Vec<_>>().join(" or ");
    match values.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} or {more} more"),
    }
}

fn texts(texts: &Texts) -> String {
    let case = if texts.ignore_case { " in any case" } else { "" };
    format!("{}{case}", quoted(&texts.any_of))
}

fn quoted(texts: &[Box<str>]) -> String {
    list(texts.iter().map(|text| Json::from(&**text).to_string()), " or ")
}

fn range(range: &Numeric) -> String {
    let Numeric { lower, upper } = range;
    if let (Some(lower), Some(upper)) = (lower, upper)
        && lower == upper
    {
        return format!("= {}", lower.number.text());
    }
    let lower = lower
        .as_ref()
        .map(|bound| format!("{} {}", if bound.inclusive { ">=" } else { ">" }, bound.number.text()));
    let upper = upper
        .as_ref()
        .map(|bound| format!("{} {}", if bound.inclusive { "<=" } else { "<" }, bound.number.text()));
    lower.into_iter().chain(upper).collect::<Vec<_>>().join(" and ")
}
