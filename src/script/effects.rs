//! The action kinds as functions: each call is an effect, checked at once and committed later.

use super::schema;
use super::state::{self, End, Run};
use super::{KINDS, ScriptKind, convert, fault, outcome};
use crate::action::ActionKind;
use crate::delivery::{Effect, MAX_HOPS, is_name};
use crate::registry::ConfigError;
use crate::template::Params;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext};
use std::time::Duration;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A name is part of the delivery's id, which is sent as a header.
const MAX_NAME_BYTES: usize = 64;

/// Registers every kind of the table, and those of the scripts, under its own name.
pub(super) fn register(engine: &mut Engine, kinds: &'static [ActionKind]) {
    for name in names(kinds) {
        engine.register_fn(name, move |context: NativeCallContext, argument: Dynamic| {
            call(name, &context, argument)
        });
    }
}

/// What an effect can be: the kinds of the table, and those of the scripts.
pub(super) fn names(kinds: &'static [ActionKind]) -> impl Iterator<Item = &'static str> + Clone {
    kinds.iter().map(|kind| kind.name).chain(KINDS.iter().map(|kind| kind.name))
}

fn call(kind: &'static str, context: &NativeCallContext, argument: Dynamic) -> Fallible<()> {
    let Some(map) = argument.flatten().try_cast::<Map>() else {
        return Err(fault(format!("`{kind}` takes a map of its parameters: {kind}(#{{…}})")));
    };
    let added = state::with_run(|run| add(run, kind, map));
    let added = added.unwrap_or_else(|| {
        Err(Refusal::Mistake(format!("`{kind}` can only be called while an event is handled, in `on_event`")))
    });
    added.map_err(|refusal| match refusal {
        Refusal::Mistake(message) => fault(message),
        // Outside of `with_run`, which `end` uses itself.
        Refusal::Limit(message) => {
            let (file, at) = (context.call_source().map(str::to_owned), context.call_position());
            state::end(End::Limit(message, file, at), at)
        }
    })
}

/// Why an effect is not taken.
pub(super) enum Refusal {
    /// The script's error, which it may catch.
    Mistake(String),
    /// Ends the run.
    Limit(String),
}

impl From<Box<EvalAltResult>> for Refusal {
    fn from(error: Box<EvalAltResult>) -> Self {
        match *error {
            EvalAltResult::ErrorRuntime(message, _) => Self::Mistake(message.to_string()),
            other => Self::Mistake(other.to_string()),
        }
    }
}

/// Adds an effect to a run, checked.
pub(super) fn add(run: &mut Run, kind: &'static str, mut map: Map) -> Result<(), Refusal> {
    check_room(run)?;
    let after = take_after(&mut map)?;
    let given = map.remove("name");
    let name = name(run, kind, given)?;
    leave_out_units(&mut map);
    let params = convert::to_params(&Dynamic::from_map(map), kind)
        .map_err(|error| Refusal::Mistake(error.to_string()))?;
    check(run, kind, &params).map_err(|errors| Refusal::Mistake(explain(kind, &errors)))?;
    run.bytes = run.bytes.saturating_add(convert::shown(&params).to_string().len());
    let size = run.scripts.limits.size;
    if run.bytes > size {
        return Err(Refusal::Limit(format!("the effects take more than limits.script.size ({size} bytes)")));
    }
    run.effects.push(Effect { name, kind: kind.to_owned(), after, params });
    Ok(())
}

fn check_room(run: &Run) -> Result<(), Refusal> {
    let most = run.scripts.limits.effects;
    if run.effects.len() >= most {
        return Err(Refusal::Limit(format!(
            "the script asks for more effects than limits.script.effects ({most})"
        )));
    }
    if run.id.effects.len() >= MAX_HOPS {
        return Err(Refusal::Limit(format!("effects have effects {MAX_HOPS} times over, and no further")));
    }
    Ok(())
}

fn take_after(map: &mut Map) -> Fallible<Duration> {
    match map.remove("after") {
        Some(after) if !after.is_unit() => outcome::duration(&after, "`after`"),
        _ => Ok(Duration::ZERO),
    }
}

/// The effect's name: the one given, else the kind and how many of it there are with this one.
fn name(run: &mut Run, kind: &str, given: Option<Dynamic>) -> Result<String, Refusal> {
    let count = run.counts.entry(kind.to_owned()).or_default();
    *count += 1;
    let name = match given.filter(|name| !name.is_unit()) {
        None => format!("{kind}-{count}"),
        Some(given) => {
            given.read_lock::<ImmutableString>().map_or_else(|| given.to_string(), |text| text.to_string())
        }
    };
    if !is_name(&name) || name.len() > MAX_NAME_BYTES {
        let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
        return Err(Refusal::Mistake(format!(
            "{shown:?} cannot name an effect: a name is at most {MAX_NAME_BYTES} lower-case letters, digits, \
             `_` and `-`"
        )));
    }
    if run.effects.iter().any(|effect| effect.name == name) {
        return Err(Refusal::Mistake(format!("this run already has an effect named `{name}`")));
    }
    Ok(name)
}

/// `()` is how an absent optional value reads, so it is no parameter; nor a direct field of `json`.
fn leave_out_units(map: &mut Map) {
    map.retain(|_, value| !value.is_unit());
    if let Some(mut json) = map.get_mut("json").and_then(|json| json.write_lock::<Map>()) {
        json.retain(|_, value| !value.is_unit());
    }
}

fn check(run: &Run, kind: &str, params: &Params) -> Result<(), Vec<ConfigError>> {
    if let Some(row) = KINDS.iter().find(|row| row.name == kind) {
        let ScriptKind { schema, build, .. } = row;
        schema::check(params, schema)?;
        return build(&run.scripts, params).map(drop);
    }
    let row = run.scripts.kinds.iter().find(|row| row.name == kind);
    let row = row.expect("functions are registered for the rows of this table");
    schema::check(params, row.schema)?;
    (row.build)(params, &run.scripts.context).map(drop)
}

fn explain(kind: &str, errors: &[ConfigError]) -> String {
    let sentence = |error: &ConfigError| {
        let place = error.pointer.trim_start_matches('/').replace('/', ".");
        let place = if place.is_empty() { kind.to_owned() } else { format!("{kind}.{place}") };
        let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("`{place}`: {}{help}", error.message)
    };
    errors.iter().map(sentence).collect::<Vec<_>>().join("; ")
}

/// The file that the parameters of a `script` action name: `react.rhai`, or `{file, params}`.
pub(super) fn script_file(params: &Params) -> Option<String> {
    let file = params.get("file").unwrap_or_else(|| params.clone());
    file.literal()?.as_str().map(str::to_owned)
}
