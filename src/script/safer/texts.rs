//! Texts that are padded, replaced or printed, no further than `limits.script.size`.

use super::changing;
use crate::script::functions::{Fallible, Output};
use crate::script::{fault, state};
use rhai::{Array, Dynamic, Engine, FUNC_TO_DEBUG, INT, ImmutableString, Map, NativeCallContext};

pub(super) fn register(engine: &mut Engine) {
    changing(engine, "pad", pad);
    type Text = ImmutableString;
    changing(engine, "replace", |context: NativeCallContext, text: &mut Text, from: Text, to: Text| {
        replace(&context, text, &from, &to)
    });
    changing(engine, "replace", |context: NativeCallContext, text: &mut Text, from: char, to: Text| {
        replace(&context, text, from.encode_utf8(&mut [0; 4]), &to)
    });
    changing(engine, "replace", |context: NativeCallContext, text: &mut Text, from: Text, to: char| {
        replace(&context, text, &from, to.encode_utf8(&mut [0; 4]))
    });
    changing(engine, "replace", |context: NativeCallContext, text: &mut Text, from: char, to: char| {
        replace(&context, text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
    });
    for name in ["print", "to_string", "debug", "to_debug"] {
        engine.register_fn(name, |context: NativeCallContext, list: &mut Array| {
            printed(&context, |printer| printer.list(list))
        });
        engine.register_fn(name, |context: NativeCallContext, map: &mut Map| {
            printed(&context, |printer| printer.map(map))
        });
    }
}

/// Rhai's own never ends with an empty text to pad with, which may be what a sender sent.
fn pad(
    context: NativeCallContext,
    text: &mut ImmutableString,
    length: INT,
    padding: ImmutableString,
) -> Fallible<()> {
    if padding.is_empty() {
        return Err(fault("`pad` wants a text to pad with, not an empty one"));
    }
    let missing = usize::try_from(length).unwrap_or_default().saturating_sub(text.chars().count());
    if missing > 0 {
        let mut output = Output::new(&context);
        output.push(text)?;
        for character in padding.chars().cycle().take(missing) {
            output.push(character.encode_utf8(&mut [0; 4]))?;
        }
        *text = output.finish()?.into();
    }
    Ok(())
}

/// Rhai's own measures the text when it is there: a thousand times a million letters, then.
fn replace(
    context: &NativeCallContext<'_>,
    text: &mut ImmutableString,
    from: &str,
    to: &str,
) -> Fallible<()> {
    state::work(text.len())?;
    let mut output = Output::new(context);
    for (index, part) in text.split(from).enumerate() {
        if index > 0 {
            output.push(to)?;
        }
        output.push(part)?;
    }
    *text = output.finish()?.into();
    Ok(())
}

/// One text that stands in many places of a list is kept once, and printed many times.
fn printed(
    context: &NativeCallContext<'_>,
    print: impl FnOnce(&mut Printer<'_, '_>) -> Fallible<()>,
) -> Fallible<String> {
    let mut printer = Printer { context, output: Output::new(context) };
    print(&mut printer)?;
    printer.output.finish()
}

struct Printer<'a, 'c> {
    context: &'a NativeCallContext<'c>,
    output: Output,
}

impl Printer<'_, '_> {
    fn list(&mut self, list: &Array) -> Fallible<()> {
        // Also how deep calls are.
        state::work(list.len())?;
        self.output.push("[")?;
        for (index, item) in list.iter().enumerate() {
            self.output.push(if index > 0 { ", " } else { "" })?;
            self.value(item)?;
        }
        self.output.push("]")
    }

    fn map(&mut self, map: &Map) -> Fallible<()> {
        state::work(map.len())?;
        self.output.push("#{")?;
        for (index, (key, value)) in map.iter().enumerate() {
            self.output.push(if index > 0 { ", " } else { "" })?;
            self.output.push(&format!("{key:?}: "))?;
            self.value(value)?;
        }
        self.output.push("}")
    }

    fn value(&mut self, value: &Dynamic) -> Fallible<()> {
        if let Some(list) = value.read_lock::<Array>() {
            return self.list(&list);
        }
        if let Some(map) = value.read_lock::<Map>() {
            return self.map(&map);
        }
        if value.is_unit() {
            return self.output.push("()");
        }
        let text = self.context.call_native_fn_raw(FUNC_TO_DEBUG, true, &mut [&mut value.clone()])?;
        self.output.push(&text.into_immutable_string().unwrap_or_default())
    }
}
