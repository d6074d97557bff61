//! Texts that are mostly short: keys and numbers. Up to 22 bytes take no allocation, which is
//! half of what parsing an event would cost.

use std::fmt;

/// An unchanging text. (Public only as a part of the iterator of [`super::Object`], out of reach.)
#[derive(Clone)]
pub struct Short(Repr);

const INLINE_BYTES: usize = 22;

#[derive(Clone)]
enum Repr {
    Inline { length: u8, bytes: [u8; INLINE_BYTES] },
    Heap(Box<str>),
}

impl Short {
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Repr::Heap(text) => text.as_bytes(),
        }
    }

    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline { .. } => std::str::from_utf8(self.as_bytes()).expect("it was made from a text"),
            Repr::Heap(text) => text,
        }
    }
}

impl From<&str> for Short {
    fn from(text: &str) -> Self {
        let mut bytes = [0; INLINE_BYTES];
        match bytes.get_mut(..text.len()) {
            Some(start) => {
                start.copy_from_slice(text.as_bytes());
                Self(Repr::Inline { length: text.len() as u8, bytes })
            }
            None => Self(Repr::Heap(text.into())),
        }
    }
}

impl From<String> for Short {
    fn from(text: String) -> Self {
        if text.len() <= INLINE_BYTES { text.as_str().into() } else { Self(Repr::Heap(text.into())) }
    }
}

impl From<Short> for String {
    fn from(text: Short) -> Self {
        match text.0 {
            Repr::Heap(text) => text.into(),
            Repr::Inline { .. } => text.as_str().to_owned(),
        }
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl PartialEq for Short {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Short {}

/// Byte order, which for UTF-8 is code point order.
impl Ord for Short {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Short {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_comes_back() {
        for length in 0..40 {
            let text: String = "é1".chars().cycle().take(length).collect();
            assert_eq!(Short::from(text.as_str()).as_str(), text);
            assert_eq!(String::from(Short::from(text.clone())), text);
        }
    }

    #[test]
    fn it_takes_no_more_room_than_a_string() {
        assert_eq!(size_of::<Short>(), size_of::<String>());
    }

    #[test]
    fn order_is_that_of_texts_however_they_are_kept() {
        let long = "b".repeat(30);
        let texts = ["", "a", "a\0", "aa", long.as_str(), "c", "\u{ff01}", "\u{1f600}"];
        for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (*a, *b))) {
            assert_eq!(Short::from(a).cmp(&Short::from(b)), a.cmp(b), "{a:?} {b:?}");
        }
    }
}
