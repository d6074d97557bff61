//! Lists that are padded, no further than `limits.script.size`; and what the others share.

use super::changing;
use crate::script::functions::Fallible;
use crate::script::sizes::{Size, too_large};
use rhai::{Array, Dynamic, Engine, INT, NativeCallContext};

pub(super) fn register(engine: &mut Engine) {
    changing(engine, "pad", pad);
}

/// Rhai's own multiplies how many are missing by how large one is, and the product may pass what
/// 64 bits hold: then what seems small enough is more memory than there is, which ends the process.
fn pad(context: NativeCallContext, list: &mut Array, length: INT, item: Dynamic) -> Fallible<()> {
    let length = usize::try_from(length).unwrap_or_default();
    let missing = length.saturating_sub(list.len());
    if missing == 0 {
        return Ok(());
    }
    let Size { elements, bytes } = Size::of(&item);
    let (elements, bytes) =
        (missing.saturating_mul(elements.saturating_add(1)), missing.saturating_mul(bytes));
    let engine = context.engine();
    if elements > engine.max_array_size() || bytes > engine.max_string_size() {
        return Err(too_large());
    }
    list.resize(length, item);
    Ok(())
}

/// Where a search begins; below 0 it counts from the end.
pub(super) fn place(list: &Array, start: INT) -> usize {
    match usize::try_from(start) {
        Ok(start) => start.min(list.len()),
        Err(_) => list.len().saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

/// Removes what is the same as the value before it.
pub(super) fn dedup(
    list: &mut Array,
    mut same: impl FnMut(&Dynamic, &Dynamic) -> Fallible<bool>,
) -> Fallible<()> {
    let mut failed = None;
    list.dedup_by(|item, last| {
        failed.is_none()
            && same(last, item).unwrap_or_else(|error| {
                failed = Some(error);
                false
            })
    });
    failed.map_or(Ok(()), Err)
}
