//! Named values, as a query string or a JSON object gives them, read one by one.

use crate::diagnostic::did_you_mean;
use crate::json::{Json, Object};
use jiff::Timestamp;
use std::fmt::Display;
use std::str::FromStr;
use url::form_urlencoded;

/// What is wrong with what was asked: a sentence for who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// The values by their names.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Those of `a=1&b=2`.
    ///
    /// # Errors
    /// A name that is not among the known ones, or there twice.
    pub fn of_query(query: &str, known: &[&str]) -> Result<Self, Wrong> {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()).checked(known)
    }

    /// Those of a JSON object whose values are texts, numbers and booleans.
    ///
    /// # Errors
    /// The same, and a value of another type.
    pub fn of_object(object: &Object, known: &[&str]) -> Result<Self, Wrong> {
        let field = |(name, value): (&str, &Json)| match value {
            Json::String(text) => Ok((name.to_owned(), text.to_string())),
            Json::Number(_) | Json::Bool(_) => Ok((name.to_owned(), value.to_string())),
            other => Err(Wrong(format!("`{name}` is a text, not a {}", other.kind()))),
        };
        Self(object.iter().map(field).collect::<Result<_, _>>()?).checked(known)
    }

    fn checked(self, known: &[&str]) -> Result<Self, Wrong> {
        for (index, (name, value)) in self.0.iter().enumerate() {
            check_name(name, known)?;
            if self.0[..index].iter().any(|(other, _)| other == name) {
                return Err(Wrong(format!("`{name}` is there twice")));
            }
            if value.is_empty() {
                return Err(Wrong(format!("`{name}` is empty: leave it out, or say which")));
            }
        }
        Ok(self)
    }

    /// A value as it is.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// A value that reads as something.
    ///
    /// # Errors
    /// What its type says of another text.
    pub fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Wrong> {
        let parse = |text: String| text.parse().map_err(|error: T::Err| Wrong(format!("`{name}`: {error}")));
        self.text(name).map(parse).transpose()
    }

    /// A time: so long before `now`, or as it is written.
    ///
    /// # Errors
    /// Neither.
    pub fn time(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Wrong> {
        self.text(name).map(|text| time(name, &text, now)).transpose()
    }

    /// Yes or no; no, if it is not there.
    ///
    /// # Errors
    /// Another word.
    pub fn flag(&self, name: &str) -> Result<bool, Wrong> {
        match self.text(name).as_deref() {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(Wrong(format!("`{name}` is `true` or `false`, not `{other}`"))),
        }
    }

    /// A number from 1 to `most`, or `most` or fewer where none is given: `default`.
    ///
    /// # Errors
    /// Another text.
    pub fn count(&self, name: &str, default: usize, most: usize) -> Result<usize, Wrong> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let count = text.parse().ok().filter(|count| (1..=most).contains(count));
        count.ok_or_else(|| Wrong(format!("`{name}` is a number from 1 to {most}, not `{text}`")))
    }
}

/// # Errors
/// It is none of these.
pub fn check_name(name: &str, known: &[&str]) -> Result<(), Wrong> {
    if known.contains(&name) {
        return Ok(());
    }
    let hint = match did_you_mean(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there is {}", known.join(", ")),
    };
    Err(Wrong(format!("there is no `{name}` here: {hint}")))
}

fn time(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Wrong> {
    if let Ok(age) = crate::duration::parse(text) {
        return Ok(crate::duration::before(now, age));
    }
    let wrong = |_| {
        Wrong(format!(
            "`{name}` is a duration such as 2h, or a time such as 2026-11-23T08:00:00Z, not `{text}`"
        ))
    };
    text.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    const KNOWN: &[&str] = &["type", "since", "unmatched", "limit"];

    fn fields(query: &str) -> Result<Fields, Wrong> {
        Fields::of_query(query, KNOWN)
    }

    fn now() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn values_are_read_from_queries_and_objects_alike() {
        let object = json::parse(br#"{"type":"a b&c","since":"2h","unmatched":true,"limit":7}"#).unwrap();
        let object = Fields::of_object(object.as_object().unwrap(), KNOWN).unwrap();
        for fields in [fields("type=a+b%26c&since=2h&unmatched=1&limit=7").unwrap(), object] {
            assert_eq!(fields.text("type").as_deref(), Some("a b&c"));
            assert_eq!(fields.time("since", now()), Ok(Some("2026-11-23T06:00:00Z".parse().unwrap())));
            assert_eq!((fields.flag("unmatched"), fields.count("limit", 50, 1000)), (Ok(true), Ok(7)));
        }
        let absolute = fields("since=2026-11-23T09:00:00%2B02:00").unwrap();
        assert_eq!(absolute.time("since", now()), Ok(Some("2026-11-23T07:00:00Z".parse().unwrap())));
        let none = fields("").unwrap();
        assert_eq!((none.flag("unmatched"), none.count("limit", 50, 1000)), (Ok(false), Ok(50)));
        let ages = fields("since=1000000years").unwrap();
        assert_eq!(ages.time("since", now()), Ok(Some(Timestamp::MIN)));
    }

    #[test]
    fn what_cannot_be_read_is_told_in_a_sentence() {
        let told = |query: &str| {
            let fields = fields(query)?;
            fields.time("since", now())?;
            fields.flag("unmatched")?;
            fields.count("limit", 50, 1000).map(drop)
        };
        for (query, sentence) in [
            ("typ=x", "there is no `typ` here: did you mean `type`?"),
            ("colour=x", "there is no `colour` here: there is type, since, unmatched, limit"),
            ("type=a&type=b", "`type` is there twice"),
            ("type=", "`type` is empty: leave it out, or say which"),
            (
                "since=soon",
                "`since` is a duration such as 2h, or a time such as 2026-11-23T08:00:00Z, not `soon`",
            ),
            ("unmatched=maybe", "`unmatched` is `true` or `false`, not `maybe`"),
            ("limit=0", "`limit` is a number from 1 to 1000, not `0`"),
            ("limit=1001", "`limit` is a number from 1 to 1000, not `1001`"),
            ("limit=-1", "`limit` is a number from 1 to 1000, not `-1`"),
        ] {
            assert_eq!(told(query), Err(Wrong(sentence.into())), "{query}");
        }
        let object = json::parse(br#"{"type":["a"]}"#).unwrap();
        let wrong = Fields::of_object(object.as_object().unwrap(), KNOWN).unwrap_err();
        assert_eq!(wrong.to_string(), "`type` is a text, not a list");
    }
}
