//! Exact JSON: a value whose numbers keep their text, whose objects have each key once, and
//! whose canonical form can be signed.
//!
//! serde_json is not used for this on purpose: it keeps the last of equal keys silently, turns
//! integers past 64 bits into floats, and its `arbitrary_precision` feature is unified over every
//! crate of a build. What a sender signed has to come out of here byte for byte.

mod canonical;
mod number;
mod parse;
mod scan;

use compact_str::CompactString;
use std::borrow::Cow;
use std::fmt;

pub use canonical::{CanonicalForm, write_canonical, write_plain, write_utf8 as write_text};
pub use number::Number;
pub use parse::{MAX_DEPTH, ParseError, parse};

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(CompactString),
    Array(Vec<Json>),
    Object(Object),
}

/// The members of a JSON object: each key once, sorted by code point (which for UTF-8 is byte
/// order), so that a lookup is a binary search and the canonical form needs no sorting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(CompactString, Json)>);

/// Up to so many it is quicker to look at each key: most differ in length already, which is told
/// without comparing bytes.
/// Room for the text of a usual structure.
const USUAL_TEXT_BYTES: usize = 256;
const FEW_MEMBERS: usize = 16;

/// A key that an object has twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key {0:?} occurs twice in one object")]
pub struct DuplicateKey(pub String);

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with room for so many.
    pub fn with_capacity(members: usize) -> Self {
        Self(Vec::with_capacity(members))
    }

    /// The object with these members, in whatever order they come.
    ///
    /// # Errors
    /// The first key (in sorted order) that occurs twice.
    pub fn from_members(members: Vec<(String, Json)>) -> Result<Self, DuplicateKey> {
        Self::from_keys(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    fn from_keys(mut members: Vec<(CompactString, Json)>) -> Result<Self, DuplicateKey> {
        if !members.is_sorted_by(|a, b| a.0.as_bytes() < b.0.as_bytes()) {
            members.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            if let Some(twins) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(DuplicateKey(twins[0].0.clone().into()));
            }
        }
        Ok(Self(members))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.find(key).map(|at| &self.0[at].1)
    }

    /// The value of `key`, to change in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        self.find(key).map(|at| &mut self.0[at].1)
    }

    /// Sets `key`, and returns the value it had.
    pub fn insert(
        &mut self,
        key: impl AsRef<str> + Into<CompactString>,
        value: impl Into<Json>,
    ) -> Option<Json> {
        let value = value.into();
        match self.position(key.as_ref()) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key.into(), value));
                None
            }
        }
    }

    /// The object of members whose keys are in their order; those without a value are left out.
    pub fn of_fields<const N: usize>(fields: [(&'static str, Option<Json>); N]) -> Self {
        let mut object = Self::with_capacity(N);
        for (name, value) in fields {
            if let Some(value) = value {
                debug_assert!(object.0.last().is_none_or(|(last, _)| **last < *name));
                object.0.push((CompactString::const_new(name), value));
            }
        }
        object
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        self.position(key).ok().map(|at| self.0.remove(at).1)
    }

    /// The members in order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|(key, _)| &**key)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, key: &str) -> Option<usize> {
        if self.0.len() > FEW_MEMBERS {
            return self.position(key).ok();
        }
        self.0.iter().position(|(name, _)| name.as_bytes() == key.as_bytes())
    }

    /// Where a key is, or where it would be.
    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| name.as_bytes().cmp(key.as_bytes()))
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = std::iter::Map<
        std::vec::IntoIter<(CompactString, Json)>,
        fn((CompactString, Json)) -> (String, Json),
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(key, value)| (key.into(), value))
    }
}

/// Later members replace earlier ones of the same key, as in a map.
impl<K: AsRef<str> + Into<CompactString>, V: Into<Json>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}

impl Json {
    /// An object of these members.
    pub fn object<K: AsRef<str> + Into<CompactString>>(members: impl IntoIterator<Item = (K, Json)>) -> Self {
        Self::Object(members.into_iter().collect())
    }

    /// As it is displayed; made in one go, since each delivery has some made.
    pub fn text(&self) -> String {
        let mut out = Vec::with_capacity(USUAL_TEXT_BYTES);
        canonical::write_plain(self, &mut out);
        String::from_utf8(out).expect("JSON is written from strings")
    }

    /// What kind of value this is, as a sentence names it: `null`, `boolean`, `number`, `string`,
    /// `list` or `map` (the words of YAML, which is what authors read and write).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "list",
            Self::Object(_) => "map",
        }
    }

    /// The member `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.get(key)
    }

    /// The value at a JSON pointer (RFC 6901): `""` is the value itself.
    pub fn pointer(&self, pointer: &str) -> Option<&Json> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |value, token| match value {
            Self::Object(object) => object.get(&unescaped(token)),
            Self::Array(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The value under these keys, from the outermost on.
    pub fn at(&self, path: &[&str]) -> Option<&Json> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Takes that out; null stays there.
    pub fn take(&mut self, path: &[&str]) -> Option<Json> {
        let mut place = self;
        for key in path {
            let Self::Object(object) = place else { return None };
            place = object.get_mut(key)?;
        }
        Some(std::mem::replace(place, Self::Null))
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The same value for serde: numbers past 64 bits lose digits there, so use it for
    /// configuration, never for an event.
    pub fn to_serde(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Number(number) => number.to_serde(),
            Self::String(text) => text.as_str().into(),
            Self::Array(items) => items.iter().map(Self::to_serde).collect(),
            Self::Object(object) => serde_json::Value::Object(
                object.iter().map(|(key, value)| (key.to_owned(), value.to_serde())).collect(),
            ),
        }
    }
}

/// What a token of a JSON pointer stands for.
fn unescaped(token: &str) -> Cow<'_, str> {
    match token.contains('~') {
        true => token.replace("~1", "/").replace("~0", "~").into(),
        false => token.into(),
    }
}

/// Compact text: no spaces, non-ASCII as it is, numbers as they were written.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Self::Number((number as u64).into())
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Self {
        Self::Number(u64::from(number).into())
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_sorted_and_has_each_key_once() {
        let members = |keys: &[&str]| keys.iter().map(|k| ((*k).to_owned(), Json::Null)).collect();
        let object = Object::from_members(members(&["b", "\u{ff01}", "a", "\u{1f600}"])).unwrap();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["a", "b", "\u{ff01}", "\u{1f600}"]);
        let twins = Object::from_members(members(&["b", "a", "b"]));
        assert_eq!(twins, Err(DuplicateKey("b".into())));
    }

    #[test]
    fn a_member_is_found_among_few_and_many() {
        for count in [0usize, 1, 15, 16, 17, 40] {
            let object: Object = (0..count).map(|number| (format!("k{number}"), number)).collect();
            for number in 0..count {
                assert_eq!(object.get(&format!("k{number}")), Some(&Json::from(number)));
            }
            assert_eq!(object.get("k"), None);
            assert_eq!(object.get(&format!("k{count}")), None);
        }
    }

    #[test]
    fn a_pointer_finds_members_and_elements() {
        let value = parse(br#"{"a/b":[{"~":1}]}"#).unwrap();
        assert_eq!(value.pointer("/a~1b/0/~0"), Some(&Json::from(1i64)));
        assert_eq!(value.pointer("/a~1b/1"), None);
        assert_eq!(value.pointer(""), Some(&value));
    }

    #[test]
    fn what_is_taken_by_its_keys_leaves_null() {
        let mut value = parse(br#"{"a":{"b":{"c":1}},"d":[]}"#).unwrap();
        assert_eq!(value.at(&["a", "b", "c"]), Some(&Json::from(1i64)));
        assert_eq!(value.at(&["d", "0"]), None);
        assert_eq!(value.take(&["d", "0"]), None);
        assert_eq!(value.take(&["a", "c"]), None);
        assert_eq!(value.take(&["a", "b"]).unwrap().to_string(), r#"{"c":1}"#);
        assert_eq!(value.to_string(), r#"{"a":{"b":null},"d":[]}"#);
    }
}
