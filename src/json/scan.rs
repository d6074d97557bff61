//! How far a text goes as it stands, eight bytes at a time.

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// How many bytes there are before the first quote, backslash or control character.
#[inline]
pub(super) fn plain(bytes: &[u8]) -> usize {
    before(bytes, marks)
}

/// The same, and before what is not printable ASCII.
#[inline]
pub(super) fn plain_ascii(bytes: &[u8]) -> usize {
    before(bytes, |word| (marks(word) | word | equal(word, 0x7f)) & HIGH)
}

/// How many bytes there are before the first that `marks` marks by its highest bit.
#[inline]
fn before(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let marked = words.iter().map(|word| marks(u64::from_le_bytes(*word)));
    if let Some((index, marks)) = marked.enumerate().find(|(_, marks)| *marks != 0) {
        return index * 8 + marks.trailing_zeros() as usize / 8;
    }
    if rest.is_empty() {
        return bytes.len();
    }
    let (from, last) = match bytes.last_chunk() {
        // It begins with bytes that are known to be plain.
        Some(last) => (bytes.len() - 8, *last),
        None => {
            let mut last = [b' '; 8];
            last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
            (0, last)
        }
    };
    let marks = marks(u64::from_le_bytes(last));
    if marks == 0 { bytes.len() } else { from + marks.trailing_zeros() as usize / 8 }
}

/// The highest bit of the first byte that is a quote, a backslash or a control character, and
/// perhaps of some behind it; 0 if there is none. (Subtracting borrows from the bytes behind one
/// that is marked, never from those before it.)
#[inline]
fn marks(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | equal(word, b'"') | equal(word, b'\\')) & HIGH
}

#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ (ONES * u64::from(byte));
    differs.wrapping_sub(ONES) & !differs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_told() {
        for byte in 0..=u8::MAX {
            let ends = matches!(byte, 0..=0x1f | b'"' | b'\\');
            let ends_ascii = ends || byte > 0x7e;
            for place in 0..19 {
                for behind in 0..9 {
                    let text = [vec![b'a'; place], vec![byte; 1 + behind]].concat();
                    let till_end = |ends: bool| if ends { place } else { text.len() };
                    assert_eq!(plain(&text), till_end(ends), "{byte:#x} at {place}");
                    assert_eq!(plain_ascii(&text), till_end(ends_ascii), "{byte:#x} at {place}");
                }
            }
        }
    }
}
