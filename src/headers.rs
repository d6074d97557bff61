//! The headers of a request, all of them, as they came.

use bytes::Bytes;
use http::HeaderMap;
use std::borrow::Cow;
use std::fmt;

/// Names (lower case) and values, in order. One run of bytes, each text behind its length in four of
/// them (little-endian): so the journal has them, and a clone costs nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Bytes);

impl Headers {
    /// Those of a request. A value that is not UTF-8 has its stray bytes replaced.
    pub fn of(map: &HeaderMap) -> Self {
        map.iter().map(|(name, value)| (name.as_str(), text(value.as_bytes()))).collect()
    }

    /// Those that [`Self::as_bytes`] gave.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Ends at what was not written here.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.0;
        let mut text = move || {
            let (length, behind) = rest.split_first_chunk()?;
            let (text, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = behind;
            std::str::from_utf8(text).ok()
        };
        std::iter::from_fn(move || Some((text()?, text()?)))
    }

    /// The values under a lower-case name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// As [`String::from_utf8_lossy`], which looks at each byte by itself.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        // What a usual request has.
        let mut out = Vec::with_capacity(512);
        for (name, value) in pairs {
            for text in [name.as_ref(), value.as_ref()] {
                let length = u32::try_from(text.len()).expect("a header is shorter than 4 GiB");
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
        Self(out.into())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_back_as_written_and_end_at_what_was_not() {
        let pairs = [("a", ""), ("é", "\n:\0"), ("a", "2")];
        let headers: Headers = pairs.into_iter().collect();
        assert_eq!(headers.iter().collect::<Vec<_>>(), pairs);
        assert_eq!(headers.values("a").collect::<Vec<_>>(), ["", "2"]);
        let read_back = Headers::from_bytes(headers.as_bytes().to_vec());
        assert_eq!(read_back, headers);
        for broken in [&[9, 0, 0, 0, 1][..], &[1, 0, 0, 0, 0xff, 0, 0, 0, 0], &[0, 0, 0, 0]] {
            assert_eq!(Headers::from_bytes(broken.to_vec()).iter().count(), 0, "{broken:?}");
        }
    }

    #[test]
    fn stray_bytes_are_replaced() {
        let mut map = HeaderMap::new();
        map.insert("x", http::HeaderValue::from_bytes(b"a\xffb").unwrap());
        assert_eq!(Headers::of(&map).iter().collect::<Vec<_>>(), [("x", "a\u{fffd}b")]);
    }
}
