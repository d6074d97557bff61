//! `drop`, `retry` and `fail`: how a script ends its run other than by returning.

use super::state::{self, End};
use super::{convert, fault};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};
use std::time::Duration;

/// Between a run and the next that it asks for: one that asks for none would run without pause.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

type Ended = Result<(), Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("drop", |context: NativeCallContext, why: ImmutableString| -> Ended {
        Err(state::end(End::Drop(why.into()), context.call_position()))
    });
    engine.register_fn("fail", |context: NativeCallContext, why: ImmutableString| -> Ended {
        Err(state::end(End::Fail(why.into()), context.call_position()))
    });
    engine.register_fn("retry", |context: NativeCallContext, why: ImmutableString| -> Ended {
        Err(state::end(End::Retry { why: why.into(), wait: None }, context.call_position()))
    });
    engine.register_fn("retry", |context: NativeCallContext, why: ImmutableString, wait: Dynamic| -> Ended {
        let wait = Some(duration(&wait, "the wait")?.max(SHORTEST_WAIT));
        Err(state::end(End::Retry { why: why.into(), wait }, context.call_position()))
    });
}

/// A duration: `"5m"`, or a number of seconds. `what` names it in the error.
pub(super) fn duration(value: &Dynamic, what: &str) -> Result<Duration, Box<EvalAltResult>> {
    let unfit = || {
        let shown = convert::to_json(value).map_or_else(|error| error.to_string(), |json| json.to_string());
        fault(format!("{what} is a duration like `\"5m\"` or a number of seconds, not {shown}"))
    };
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return humantime::parse_duration(&text).map_err(|_| unfit());
    }
    let seconds = value.as_int().map(|seconds| seconds as f64).or_else(|_| value.as_float());
    seconds.ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(unfit)
}
