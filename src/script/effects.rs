//! The action kinds as functions: each call is an effect, checked at once and committed later.

use super::schema;
use super::state::{self, End};
use super::{Scripts, convert, fault, outcome};
use crate::delivery::{DeliveryId, Effect, is_name};
use crate::event::{Event, MAX_HOPS};
use crate::registry::ConfigError;
use crate::template::Params;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A name is part of the delivery's id, which is sent as a header.
const MAX_NAME_BYTES: usize = 64;

/// Registers an action kind as a function of its name.
pub(super) fn register(engine: &mut Engine, kind: &str) {
    let name: Arc<str> = kind.into();
    engine.register_fn(kind, move |context: NativeCallContext, argument: Dynamic| {
        call(&name, &context, argument)
    });
}

fn call(kind: &str, context: &NativeCallContext, argument: Dynamic) -> Fallible<()> {
    let Some(map) = argument.flatten().try_cast::<Map>() else {
        return Err(fault(format!("`{kind}` takes a map of its parameters: {kind}(#{{…}})")));
    };
    let added = state::with_run(|run| run.asked.add(kind, map));
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

/// The effects that were asked for so far, on behalf of a delivery.
pub(super) struct Asked {
    pub scripts: Arc<Scripts>,
    pub id: DeliveryId,
    /// How many times over the event is derived.
    pub hops: usize,
    pub effects: Vec<Effect>,
    /// Bytes of all effects' parameters together.
    bytes: usize,
    /// How many effects of each kind.
    counts: BTreeMap<String, usize>,
}

impl Asked {
    pub(super) fn nothing(scripts: Arc<Scripts>, id: DeliveryId, event: &Event) -> Self {
        Self { scripts, id, hops: event.hops(), effects: Vec::new(), bytes: 0, counts: BTreeMap::new() }
    }

    /// Adds an effect, checked.
    pub(super) fn add(&mut self, kind: &str, mut map: Map) -> Result<(), Refusal> {
        self.check_room()?;
        let after = take_after(&mut map)?;
        let given = map.remove("name");
        let name = self.name(kind, given)?;
        leave_out_units(&mut map);
        let params = convert::to_params(&Dynamic::from_map(map), kind)
            .map_err(|error| Refusal::Mistake(error.to_string()))?;
        self.check(kind, &params).map_err(|errors| Refusal::Mistake(explain(kind, &errors)))?;
        self.bytes = self.bytes.saturating_add(convert::bytes(&params));
        let size = self.scripts.limits.size;
        if self.bytes > size {
            return Err(Refusal::Limit(format!(
                "the effects take more than limits.script.size ({size} bytes)"
            )));
        }
        self.effects.push(Effect { name, kind: kind.to_owned(), after, params });
        Ok(())
    }

    fn check_room(&self) -> Result<(), Refusal> {
        let most = self.scripts.limits.effects;
        if self.effects.len() >= most {
            return Err(Refusal::Limit(format!(
                "the script asks for more effects than limits.script.effects ({most})"
            )));
        }
        if self.hops + self.id.effects.len() >= MAX_HOPS {
            return Err(Refusal::Limit(format!(
                "effects have effects {MAX_HOPS} times over, and no further"
            )));
        }
        Ok(())
    }

    /// The effect's name: the one given, else the kind and how many of it there are with this one.
    fn name(&mut self, kind: &str, given: Option<Dynamic>) -> Result<String, Refusal> {
        let count = self.counts.entry(kind.to_owned()).or_default();
        *count += 1;
        let name = match given.filter(|name| !name.is_unit()) {
            None => format!("{kind}-{count}"),
            Some(given) => given
                .read_lock::<ImmutableString>()
                .map_or_else(|| given.to_string(), |text| text.to_string()),
        };
        if !is_name(&name) || name.len() > MAX_NAME_BYTES {
            let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
            return Err(Refusal::Mistake(format!(
                "{shown:?} cannot name an effect: a name is at most {MAX_NAME_BYTES} lower-case letters, digits, \
                 `_` and `-`"
            )));
        }
        if self.effects.iter().any(|effect| effect.name == name) {
            return Err(Refusal::Mistake(format!("this run already has an effect named `{name}`")));
        }
        Ok(name)
    }

    fn check(&self, kind: &str, params: &Params) -> Result<(), Vec<ConfigError>> {
        let schema =
            self.scripts.schema(kind).expect("functions are registered for the kinds that there are");
        schema::check(params, &schema)?;
        self.scripts.action(kind, params).map(drop)
    }
}

fn take_after(map: &mut Map) -> Fallible<Duration> {
    match map.remove("after") {
        Some(after) if !after.is_unit() => outcome::duration(&after, "`after`"),
        _ => Ok(Duration::ZERO),
    }
}

/// `()` is how an absent optional value reads, so it is no parameter; nor a direct field of `json`.
fn leave_out_units(map: &mut Map) {
    map.retain(|_, value| !value.is_unit());
    if let Some(mut json) = map.get_mut("json").and_then(|json| json.write_lock::<Map>()) {
        json.retain(|_, value| !value.is_unit());
    }
}

pub(super) fn explain(kind: &str, errors: &[ConfigError]) -> String {
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
