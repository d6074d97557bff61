//! What one rendering shares: the event, `vars`, the secrets that were mentioned, and the last
//! name that was not found.
//!
//! Inside minijinja a secret is a marker text that carries a nonce of this process, so that
//! filters and `~` can carry it along, event data cannot forge one, and its value never enters a
//! template at all.

use super::path::{Step, View};
use super::{Params, Scope};
use crate::json::Json;
use crate::secret::Part;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

const OPEN: char = '\u{f0000}';
const CLOSE: char = '\u{f0001}';

/// Shared by all values that a rendering hands to minijinja.
#[derive(Debug)]
pub(super) struct Session {
    event: Arc<Json>,
    vars: Arc<Params>,
    /// The parts behind each marker.
    mentioned: Mutex<Vec<Vec<Part>>>,
    missing: Mutex<Option<String>>,
}

/// Which tree a value is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Event,
    Vars,
}

impl Session {
    pub fn new(scope: Scope<'_>) -> Arc<Self> {
        Arc::new(Self {
            event: scope.event.shared(),
            vars: scope.vars.shared(),
            mentioned: Mutex::default(),
            missing: Mutex::default(),
        })
    }

    /// The value at `steps`, which have been walked before.
    pub fn view(&self, root: Root, steps: &[Step]) -> Option<View<'_>> {
        let top = match root {
            Root::Event => View::Json(&self.event),
            Root::Vars => View::Params(&self.vars),
        };
        steps.iter().try_fold(top, View::child)
    }

    /// A marker that stands for these parts.
    pub fn mention(&self, parts: &[Part]) -> String {
        let mut mentioned = self.mentioned.lock().unwrap_or_else(PoisonError::into_inner);
        let index = mentioned.iter().position(|known| known == parts).unwrap_or_else(|| {
            mentioned.push(parts.to_vec());
            mentioned.len() - 1
        });
        format!("{OPEN}{}:{index}{CLOSE}", nonce())
    }

    /// Remembers why a name was not found; strict templates fail right after.
    pub fn note_missing(&self, why: String) {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Why the last name was not found.
    pub fn take_missing(&self) -> Option<String> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Splits a text that came out of minijinja at its markers.
    ///
    /// # Errors
    /// A filter has changed a marker.
    pub fn split(&self, text: &str) -> Result<Vec<Part>, String> {
        let begin = format!("{OPEN}{}:", nonce());
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(&begin) {
            let (index, behind) = rest[at + begin.len()..].split_once(CLOSE).ok_or_else(mangled)?;
            literal(&mut parts, &rest[..at])?;
            let mentioned = self.mentioned.lock().unwrap_or_else(PoisonError::into_inner);
            let secret = index.parse::<usize>().ok().and_then(|index| mentioned.get(index));
            parts.extend(secret.ok_or_else(mangled)?.iter().cloned());
            rest = behind;
        }
        literal(&mut parts, rest)?;
        Ok(parts)
    }
}

fn literal(parts: &mut Vec<Part>, text: &str) -> Result<(), String> {
    if has_remains(text) {
        return Err(mangled());
    }
    if !text.is_empty() {
        parts.push(Part::Literal(text.to_owned()));
    }
    Ok(())
}

fn mangled() -> String {
    "a secret can only be passed on whole: no filter can change it".to_owned()
}

/// Whether something is left of a marker: a piece of the nonce, in any case, in any direction.
fn has_remains(text: &str) -> bool {
    static PIECES: OnceLock<Vec<String>> = OnceLock::new();
    let pieces = PIECES.get_or_init(|| {
        let nonce = nonce().to_lowercase().chars().collect::<Vec<_>>();
        let pieces = nonce.chunks(PIECE);
        pieces.flat_map(|piece| [piece.iter().collect(), piece.iter().rev().collect::<String>()]).collect()
    });
    let folded = text.to_lowercase();
    pieces.iter().any(|piece| folded.contains(piece))
}

/// How many characters of a nonce are too many to be there by chance.
const PIECE: usize = 8;

/// Letters of mixed case, which a change of case breaks, around private characters, which other
/// filters leave alone: unguessable from outside.
fn nonce() -> &'static str {
    static NONCE: OnceLock<String> = OnceLock::new();
    NONCE.get_or_init(|| {
        let random = || RandomState::new().build_hasher().finish().to_be_bytes();
        let letter = |(index, byte): (usize, u8)| {
            let letter = b'a' + byte % 26;
            char::from(if index % 2 == 0 { letter } else { letter.to_ascii_uppercase() })
        };
        let private = |byte: u8| char::from_u32(0xf_0100 + u32::from(byte)).unwrap_or(OPEN);
        let letters = || random().into_iter().enumerate().map(letter).collect::<String>();
        let seal = random().into_iter().map(private).collect::<String>();
        format!("{}{seal}{}", letters(), letters())
    })
}
