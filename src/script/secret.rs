//! A secret as scripts see it: a value that can be passed on, and that prints as its name.

use super::fault;
use crate::secret::Part;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};
use std::sync::Arc;

/// What can be done with a secret.
pub(super) const WHOLE: &str = "a secret can only be passed on whole, as a parameter of an action";

/// A text with references in it. The values behind them are not here: they are looked up at
/// each attempt, so no script can see or print them.
#[derive(Clone, Debug)]
pub(super) struct Hidden(pub Arc<[Part]>);

impl Hidden {
    pub(super) fn shown(&self) -> String {
        self.0.iter().map(show).collect()
    }
}

fn show(part: &Part) -> String {
    match part {
        Part::Literal(text) => text.clone(),
        Part::Reference(reference) => reference.to_string(),
    }
}

/// Registers printing by name and the refusal to build texts with a secret.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Hidden>("secret");
    engine.register_fn("to_string", |secret: &mut Hidden| secret.shown());
    engine.register_fn("to_debug", |secret: &mut Hidden| secret.shown());
    engine.register_fn("+", |_: ImmutableString, secret: Hidden| refuse(&secret));
    engine.register_fn("+", |secret: Hidden, _: ImmutableString| refuse(&secret));
    engine.register_fn("+", |_: char, secret: Hidden| refuse(&secret));
    engine.register_fn("+", |secret: Hidden, _: char| refuse(&secret));
    engine.register_fn("+=", |_: &mut ImmutableString, secret: Hidden| refuse(&secret).map(drop));
}

fn refuse(secret: &Hidden) -> Result<Dynamic, Box<EvalAltResult>> {
    Err(fault(format!(
        "the secret {} can only be passed on whole, as a parameter of an action",
        secret.shown()
    )))
}
