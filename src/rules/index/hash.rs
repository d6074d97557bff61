//! Hashes of values at paths: fast, and stable within one process run.
//!
//! No key is secret and none needs to be: the table holds only what authors wrote, so an event
//! made to collide finds candidates that do not match, of which there are no more than rules.

use crate::json::{Json, Number};
use std::hash::{Hash, Hasher};

/// What is looked up: a kind of test, a path, and a value.
#[derive(Clone, Copy)]
pub(super) struct At(u64);

impl At {
    /// Of the values at a path.
    pub fn path(path: u32) -> Self {
        Self(mix(u64::from(path) + 1))
    }

    pub fn text(self, text: &str) -> u64 {
        self.bytes(1, text.as_bytes())
    }

    pub fn prefix(self, prefix: &[u8]) -> u64 {
        self.bytes(2, prefix)
    }

    /// Of a scalar; `None` for a list or map.
    pub fn scalar(self, value: &Json) -> Option<u64> {
        match value {
            Json::String(text) => Some(self.text(text)),
            Json::Number(number) => Some(self.number(number)),
            Json::Bool(flag) => Some(self.bytes(4, &[u8::from(*flag)])),
            Json::Null => Some(self.bytes(5, &[])),
            Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// Equal numbers hash alike, however they are written.
    fn number(self, number: &Number) -> u64 {
        let mut state = Digits(self.0 ^ 3);
        number.hash(&mut state);
        state.finish()
    }

    fn bytes(self, kind: u64, bytes: &[u8]) -> u64 {
        let seed = self.0 ^ kind ^ ((bytes.len() as u64) << 8);
        let (chunks, rest) = bytes.as_chunks::<8>();
        let folded = chunks.iter().fold(seed, |hash, chunk| mix(hash ^ u64::from_le_bytes(*chunk)));
        let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        mix(folded ^ last)
    }
}

/// The upper half of a hash, which tells it from others well enough; never 0, and in the order of
/// the hashes.
pub(super) fn trace(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

/// Multiplies to 128 bits and folds: every bit of the input reaches every bit of the output.
fn mix(word: u64) -> u64 {
    let product = u128::from(word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    (product as u64) ^ (product >> 64) as u64
}

struct Digits(u64);

impl Hasher for Digits {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u8(*byte));
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = mix(self.0 ^ u64::from(byte));
    }

    fn write_i64(&mut self, word: i64) {
        self.0 = mix(self.0 ^ word.cast_unsigned());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
