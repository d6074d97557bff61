//! The sizes that Rhai does not look at: values that grow by assignment to an index or property.
//!
//! Rhai measures what an operator or function yields, but `map[key] = value` is neither. So the
//! variables in sight are measured once in a while.

use super::state::{self, Spent};
use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map, Position, Scope};

/// Whether a variable has more elements or bytes of text than `most`.
pub(super) fn exceed(scope: &Scope<'_>, most: usize) -> bool {
    scope.iter_raw().any(|(_, _, value)| Budget { elements: most, bytes: most }.spend(value).is_none())
}

/// Ends the evaluation because a value is larger than `limits.script.size`.
pub(super) fn too_large() -> Box<EvalAltResult> {
    state::spend(Spent::Size);
    EvalAltResult::ErrorDataTooLarge(String::new(), Position::NONE).into()
}

/// What a value comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// In lists and maps.
    pub elements: usize,
    /// Of text.
    pub bytes: usize,
}

impl Size {
    pub(super) fn of(value: &Dynamic) -> Self {
        let mut left = Budget { elements: usize::MAX, bytes: usize::MAX };
        match left.spend(value) {
            Some(()) => Self { elements: usize::MAX - left.elements, bytes: usize::MAX - left.bytes },
            None => Self { elements: usize::MAX, bytes: usize::MAX },
        }
    }
}

struct Budget {
    elements: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, value: &Dynamic) -> Option<()> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            self.bytes = self.bytes.checked_sub(text.len())?;
        } else if let Some(items) = value.read_lock::<Array>() {
            self.elements = self.elements.checked_sub(items.len())?;
            return items.iter().try_for_each(|item| self.spend(item));
        } else if let Some(members) = value.read_lock::<Map>() {
            self.elements = self.elements.checked_sub(members.len())?;
            return members.values().try_for_each(|member| self.spend(member));
        }
        Some(())
    }
}
