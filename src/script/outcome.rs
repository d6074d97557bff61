//! `drop`, `retry` and `fail`: how a script ends its run other than by returning.

use super::functions::{Function, read_duration, unfit_duration};
use super::state::{self, End};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};
use std::time::Duration;

/// Between a run and the next that it asks for: one that asks for none would run without pause.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "drop(why: String) -> ()",
        summary: "Ends the run: its effects are kept, and the delivery is done.",
        example: r#"drop("not ours")"#,
        gives: "",
    },
    Function {
        module: "",
        signature: "fail(why: String) -> ()",
        summary: "Ends the run: its effects are discarded, and the delivery is dead.",
        example: r#"fail("the budget is 0")"#,
        gives: "",
    },
    Function {
        module: "",
        signature: "retry(why: String) -> ()",
        summary: "Ends the run: its effects are discarded, and it is run again by the rule's retries.",
        example: r#"retry("not there yet")"#,
        gives: "",
    },
    Function {
        module: "",
        signature: "retry(why: String, wait: any) -> ()",
        summary: "Ends the run: its effects are discarded, and it is run again after a duration.",
        example: r#"retry("not there yet", "5m")"#,
        gives: "",
    },
];

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

/// A duration from now on: `"5m"`, a number of seconds, or one that was calculated. `what` names
/// it in the error.
pub(super) fn duration(value: &Dynamic, what: &str) -> Result<Duration, Box<EvalAltResult>> {
    Duration::try_from(read_duration(value, what)?).map_err(|_| unfit_duration(value, what))
}
