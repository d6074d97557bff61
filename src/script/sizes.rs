//! The sizes that Rhai does not look at: values that grow by assignment to an index or property.
//!
//! Rhai measures what an operator or function yields, but `map[key] = value` is neither. So the
//! variables in sight are measured once in a while.

use super::state::{self, Spent};
use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map, Position, Scope};

/// Whether a variable has more elements or bytes of text than `most`.
pub(super) fn exceed(scope: &Scope<'_>, most: Size) -> bool {
    scope.iter_raw().any(|(_, _, value)| Budget(most).spend(value).is_none())
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
        const ALL: Size = Size { elements: usize::MAX, bytes: usize::MAX };
        let mut left = Budget(ALL);
        match left.spend(value) {
            Some(()) => Self { elements: ALL.elements - left.0.elements, bytes: ALL.bytes - left.0.bytes },
            None => ALL,
        }
    }
}

/// What is left of a size.
struct Budget(Size);

impl Budget {
    fn spend(&mut self, value: &Dynamic) -> Option<()> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            self.0.bytes = self.0.bytes.checked_sub(text.len())?;
        } else if let Some(items) = value.read_lock::<Array>() {
            self.0.elements = self.0.elements.checked_sub(items.len())?;
            return items.iter().try_for_each(|item| self.spend(item));
        } else if let Some(members) = value.read_lock::<Map>() {
            self.0.elements = self.0.elements.checked_sub(members.len())?;
            return members.values().try_for_each(|member| self.spend(member));
        }
        Some(())
    }
}
