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
    event: Json,
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
            event: Json::Object(scope.event.document().clone()),
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

/// Whether something is left of a marker: either end of the nonce, in any case, in any direction.
fn has_remains(text: &str) -> bool {
    const PIECE: usize = 8;
    let folded = text.to_lowercase();
    let nonce = nonce().to_lowercase();
    let reversed = nonce.chars().rev().collect::<String>();
    [&nonce, &reversed]
        .iter()
        .any(|nonce| folded.contains(&nonce[..PIECE]) || folded.contains(&nonce[nonce.len() - PIECE..]))
}

/// Mixed-case letters, so that changing the case of a marker breaks it: unguessable from outside.
fn nonce() -> &'static str {
    static NONCE: OnceLock<String> = OnceLock::new();
    NONCE.get_or_init(|| {
        let random = || RandomState::new().build_hasher().finish();
        let digits = format!("{:016x}{:016x}", random(), random());
        let letter = |(index, digit): (usize, u8)| {
            let letter = b'a' + (digit % 16);
            char::from(if index % 2 == 0 { letter } else { letter.to_ascii_uppercase() })
        };
        digits.bytes().enumerate().map(letter).collect()
    })
}
