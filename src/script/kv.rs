//! `kv::get`, `set`, `incr`, …: state between events, as one run reads and changes it.
//!
//! Reads see the run's own writes, and the same key reads the same all through a run. What was
//! read and written is handed to the journal with the run's outcome.

use super::functions::{Function, add, placed};
use super::number::Exact;
use super::state::{self, End, Run};
use super::{convert, fault, number, outcome};
use crate::json::{self, Json};
use crate::kv::{Changes, Expiry, Limits, Read, Store, Unreadable, Value, Write};
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString, Module, NativeCallContext, Position,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Instant;

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "kv",
        signature: "get(key: String) -> any",
        summary: "The value that is kept under a key, or `()`.",
        example: r#"kv::get("seen/t-1")"#,
        gives: "",
    },
    Function {
        module: "kv",
        signature: "get(key: String, absent: any) -> any",
        summary: "The value that is kept under a key, or what is to stand for it.",
        example: r#"kv::get("failures/t-1", 0)"#,
        gives: "",
    },
    Function {
        module: "kv",
        signature: "set(key: String, value: any) -> ()",
        summary: "Keeps a value, if the run ends well.",
        example: r#"kv::set("last", #{task: "t-1"})"#,
        gives: "",
    },
    Function {
        module: "kv",
        signature: "set(key: String, value: any, ttl: any) -> ()",
        summary: "Keeps a value for a time: `\"10m\"`, a number of seconds or a `Duration`.",
        example: r#"kv::set("told/t-1", true, "10m")"#,
        gives: "",
    },
    Function {
        module: "kv",
        signature: "delete(key: String) -> ()",
        summary: "Removes a key; one that is not there is no error.",
        example: r#"kv::delete("failures/t-1")"#,
        gives: "",
    },
    Function {
        module: "kv",
        signature: "incr(key: String, by: any) -> any",
        summary: "Adds to a number, 0 if there is none, and returns the sum; a time to live stays as it is.",
        example: r#"kv::incr("failures/t-1", 1)"#,
        gives: "",
    },
    Function {
        module: "kv",
        signature: "list(prefix: String) -> list",
        summary: "The keys that begin so, in their order; at most 10 000.",
        example: r#"kv::list("failures/")"#,
        gives: "",
    },
];

/// How many keys are listed at most.
const MAX_LISTED: usize = 10_000;

/// What a call counts for: a key that is read or written is looked up again when the run commits,
/// while all else waits for the journal.
const STEPS_PER_CALL: usize = 100;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// What a run has read and written so far.
pub(super) struct State {
    namespace: String,
    seen: BTreeMap<String, Option<Value>>,
    /// Prefixes with the keys that have them.
    listed: BTreeMap<String, Vec<String>>,
    writes: BTreeMap<String, Write>,
    /// Bytes of the whole namespace, once something is to be added to it.
    bytes: Option<u64>,
    /// How many more it is to take after this run, as far as the run knows.
    growth: i64,
}

impl State {
    pub(super) fn of(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            seen: BTreeMap::new(),
            listed: BTreeMap::new(),
            writes: BTreeMap::new(),
            bytes: None,
            growth: 0,
        }
    }

    /// What a key takes with its value, as far as the run knows.
    fn taken(&self, key: &str) -> i64 {
        let json = match (self.writes.get(key), self.seen.get(key)) {
            (Some(Write::Set { json, .. }), _) => json,
            (None, Some(Some(seen))) => &seen.json,
            (Some(Write::Delete), _) | (None, _) => return 0,
        };
        length(key, json.len())
    }

    /// For the journal; `None` if the run had nothing to do with state.
    pub(super) fn into_changes(self) -> Option<Changes> {
        let json = |value: Option<Value>| value.map(|value| value.json);
        let keys = self.seen.into_iter().map(|(key, value)| Read::Key(key, json(value)));
        let prefixes = self.listed.into_iter().map(|(prefix, keys)| Read::Prefix(prefix, keys));
        let reads = keys.chain(prefixes).collect();
        let changes = Changes { namespace: self.namespace, reads, writes: self.writes };
        (!changes.is_empty()).then_some(changes)
    }
}

/// Why a call does not do it.
enum Refusal {
    /// The script's error, which it may catch.
    Mistake(String),
    /// Ends the run.
    Limit(String),
    /// Ends the run, to be tried again.
    Unreadable(Unreadable),
}

impl From<Unreadable> for Refusal {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}

impl From<Box<EvalAltResult>> for Refusal {
    fn from(error: Box<EvalAltResult>) -> Self {
        match *error {
            EvalAltResult::ErrorRuntime(message, _) => Self::Mistake(message.to_string()),
            other => Self::Mistake(other.to_string()),
        }
    }
}

/// Registers the functions as the module `kv`.
pub(super) fn register(engine: &mut Engine) {
    type Context<'a> = NativeCallContext<'a>;
    type Key = ImmutableString;
    let mut module = Module::new();
    let kv = &mut module;
    add(kv, "get", |context: Context<'_>, key: Key| call(&context, |run| run.get(&key)));
    add(kv, "get", |context: Context<'_>, key: Key, absent: Dynamic| {
        call(&context, |run| run.get(&key).map(|value| if value.is_unit() { absent } else { value }))
    });
    add(kv, "set", |context: Context<'_>, key: Key, value: Dynamic| {
        call(&context, |run| run.set(&key, &value, Expiry::Never))
    });
    add(kv, "set", |context: Context<'_>, key: Key, value: Dynamic, ttl: Dynamic| {
        let ttl = placed(&context, outcome::duration(&ttl, "the time to live"))?;
        call(&context, |run| run.set(&key, &value, Expiry::After(ttl)))
    });
    add(kv, "delete", |context: Context<'_>, key: Key| call(&context, |run| run.delete(&key)));
    add(kv, "incr", |context: Context<'_>, key: Key, by: Dynamic| {
        call(&context, |run| run.increment(&key, &by))
    });
    add(kv, "list", |context: Context<'_>, prefix: Key| call(&context, |run| run.list(&prefix)));
    engine.register_static_module("kv", module.into());
}

/// A run with its store at hand.
struct Session<'a> {
    run: &'a mut Run,
}

fn call<T>(
    context: &NativeCallContext<'_>,
    work: impl FnOnce(Session<'_>) -> Result<T, Refusal>,
) -> Fallible<T> {
    placed(context, state::work(STEPS_PER_CALL * state::BYTES_PER_STEP))?;
    let done = state::with_run(|run| work(Session { run }));
    let outside =
        || Refusal::Mistake("`kv` can only be used while an event is handled, in `on_event`".into());
    done.unwrap_or_else(|| Err(outside())).map_err(|refusal| {
        let at = context.call_position();
        match refusal {
            Refusal::Mistake(message) => {
                let mut error = fault(message);
                error.set_position(at);
                error
            }
            // Outside of `with_run`, which `end` uses itself.
            Refusal::Limit(message) => {
                state::end(End::Limit(message, context.call_source().map(str::to_owned), at), at)
            }
            Refusal::Unreadable(error) => {
                state::end(End::Retry { why: error.to_string(), wait: None }, Position::NONE)
            }
        }
    })
}

impl Session<'_> {
    fn limits(&self) -> Limits {
        self.run.asked.scripts.limits.kv
    }

    /// Asks the store and waits, on this thread. A slow disk is not the script's doing: its time is
    /// not counted, but that of the attempt.
    fn ask<T>(&self, ask: impl AsyncFnOnce(&dyn Store, &str) -> Result<T, Unreadable>) -> Result<T, Refusal> {
        let world = &self.run.world;
        let started = Instant::now();
        let asked = world.over.run_until_cancelled(ask(&*world.store, &self.run.state.namespace));
        let answered = world.runtime.block_on(asked);
        state::pause(started.elapsed());
        Ok(answered.unwrap_or_else(|| Err(Unreadable("the attempt's time was over".into())))?)
    }

    fn key<'k>(&self, key: &'k str) -> Result<&'k str, Refusal> {
        let most = self.limits().key_bytes;
        if key.is_empty() {
            return Err(Refusal::Mistake("a key of `kv` is a text that is not empty".into()));
        }
        if key.len() > most {
            return Err(Refusal::Limit(format!("a key is longer than limits.kv.key ({most} bytes)")));
        }
        Ok(key)
    }

    /// The committed value, as it was when the run first looked.
    fn seen(&mut self, key: &str) -> Result<Option<Value>, Refusal> {
        if let Some(seen) = self.run.state.seen.get(key) {
            return Ok(seen.clone());
        }
        let value = self.ask(async |store, namespace| store.get(namespace, key).await)?;
        self.run.state.seen.insert(key.to_owned(), value.clone());
        Ok(value)
    }

    /// The value as the run sees it: JSON text and how long it stays.
    fn current(&mut self, key: &str) -> Result<Option<(String, Expiry)>, Refusal> {
        match self.run.state.writes.get(key) {
            Some(Write::Set { json, expiry }) => Ok(Some((json.clone(), *expiry))),
            Some(Write::Delete) => Ok(None),
            None => Ok(self.seen(key)?.map(|value| {
                let expiry = value.expires.map_or(Expiry::Never, Expiry::At);
                (value.json, expiry)
            })),
        }
    }

    fn get(mut self, key: &str) -> Result<Dynamic, Refusal> {
        let found = self.current(self.key(key)?)?;
        found.map_or(Ok(Dynamic::UNIT), |(json, _)| read(&json))
    }

    fn set(mut self, key: &str, value: &Dynamic, expiry: Expiry) -> Result<(), Refusal> {
        let key = self.key(key)?;
        let data = convert::to_data(value, key).map_err(|error| Refusal::Mistake(error.to_string()))?;
        self.write(key, &data, expiry)
    }

    fn write(&mut self, key: &str, value: &Json, expiry: Expiry) -> Result<(), Refusal> {
        let (json, limits) = (value.to_string(), self.limits());
        if json.len() > limits.value_bytes {
            let (most, taken) = (limits.value_bytes, json.len());
            return Err(Refusal::Limit(format!(
                "the value of `{key}` takes {taken} bytes, more than limits.kv.value ({most} bytes)"
            )));
        }
        self.make_room(key, json.len())?;
        self.run.state.writes.insert(key.to_owned(), Write::Set { json, expiry });
        Ok(())
    }

    /// Counts a value that is to be written. Runs beside this one may add theirs: the limit is
    /// there to stop what grows without end, not to be met to the byte.
    fn make_room(&mut self, key: &str, value_length: usize) -> Result<(), Refusal> {
        let before = match self.run.state.bytes {
            Some(bytes) => bytes,
            None => self.ask(async |store, namespace| store.bytes(namespace).await)?,
        };
        self.run.state.bytes = Some(before);
        let more = length(key, value_length).saturating_sub(self.run.state.taken(key));
        let growth = self.run.state.growth.saturating_add(more);
        let most = self.limits().namespace_bytes;
        if more > 0 && before.saturating_add_signed(growth) > most {
            return Err(Refusal::Limit(format!(
                "the namespace `{}` would take more than limits.kv.namespace ({most} bytes)",
                self.run.state.namespace
            )));
        }
        self.run.state.growth = growth;
        Ok(())
    }

    fn delete(self, key: &str) -> Result<(), Refusal> {
        let key = self.key(key)?.to_owned();
        let state = &mut self.run.state;
        state.growth = state.growth.saturating_sub(state.taken(&key));
        state.writes.insert(key, Write::Delete);
        Ok(())
    }

    fn increment(mut self, key: &str, by: &Dynamic) -> Result<Dynamic, Refusal> {
        let key = self.key(key)?;
        let (before, expiry) = match self.current(key)? {
            Some((json, expiry)) => (read(&json)?, expiry),
            None => (Dynamic::from(0 as INT), Expiry::Never),
        };
        let after = sum(key, &before, by)?;
        let data = convert::to_data(&after, key).map_err(|error| Refusal::Mistake(error.to_string()))?;
        self.write(key, &data, expiry)?;
        Ok(after)
    }

    fn list(mut self, prefix: &str) -> Result<Array, Refusal> {
        let committed = self.listed(prefix)?;
        let mut keys: BTreeMap<String, bool> = committed.into_iter().map(|key| (key, true)).collect();
        for (key, write) in self.run.state.writes.iter().filter(|(key, _)| key.starts_with(prefix)) {
            keys.insert(key.clone(), matches!(write, Write::Set { .. }));
        }
        Ok(keys.into_iter().filter(|(_, there)| *there).map(|(key, _)| key.into()).collect())
    }

    fn listed(&mut self, prefix: &str) -> Result<Vec<String>, Refusal> {
        let store =
            async |store: &dyn Store, namespace: &str| store.list(namespace, prefix, MAX_LISTED + 1).await;
        let found = match self.run.state.listed.get(prefix) {
            Some(known) => return Ok(known.clone()),
            None => self.ask(store)?,
        };
        state::work(found.len() * state::BYTES_PER_STEP)?;
        if found.len() > MAX_LISTED {
            return Err(Refusal::Limit(format!(
                "more than {MAX_LISTED} keys begin with {prefix:?}: list them by a longer prefix"
            )));
        }
        match self.run.state.listed.entry(prefix.to_owned()) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(vacant) => Ok(vacant.insert(found).clone()),
        }
    }
}

fn length(key: &str, value_length: usize) -> i64 {
    i64::try_from(key.len().saturating_add(value_length)).unwrap_or(i64::MAX)
}

/// A stored value.
fn read(text: &str) -> Result<Dynamic, Refusal> {
    if let Some(number) = json::Number::parse(text) {
        return Ok(number::to_dynamic(&number));
    }
    let value = json::parse(text.as_bytes())
        .map_err(|error| Refusal::Mistake(format!("the stored value cannot be read: {error}")))?;
    Ok(convert::to_dynamic(&value))
}

fn sum(key: &str, before: &Dynamic, by: &Dynamic) -> Result<Dynamic, Refusal> {
    let wrong = |message: String| Refusal::Mistake(message);
    if let (Ok(a), Ok(b)) = (before.as_int(), by.as_int()) {
        let sum = a.checked_add(b).ok_or_else(|| wrong(format!("`{key}` would pass what 64 bits hold")));
        return sum.map(Dynamic::from);
    }
    match (float(before)?, float(by)?) {
        (Some(a), Some(b)) => Ok(Dynamic::from(a + b)),
        (None, _) => {
            Err(wrong(format!("`{key}` holds a {}, which cannot be counted up", convert::kind(before))))
        }
        (_, None) => Err(wrong(format!("`kv::incr` adds a number, not a {}", convert::kind(by)))),
    }
}

/// A number among those with a fraction, if that loses nothing; `None` if it is no number.
fn float(value: &Dynamic) -> Result<Option<FLOAT>, Refusal> {
    if let Some(exact) = value.read_lock::<Exact>() {
        return Err(number::refusal(&exact).into());
    }
    Ok(match value.as_int() {
        Ok(whole) => Some(number::exactly(whole)?),
        Err(_) => value.as_float().ok(),
    })
}
