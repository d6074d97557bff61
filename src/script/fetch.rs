//! `fetch(#{…})`: a request that goes out at once, and whose answer the script reads.
//!
//! Its time counts against the attempt, not against the script's: the clock of the run stands
//! still meanwhile, and so does its claim to a core.

use super::effects::Asked;
use super::functions::Function;
use super::state::{self, End};
use super::{convert, effects, fault, outcome, pool, schema};
use crate::action::client::Answer;
use crate::action::http::{Caller, FETCH, FetchError, check_fetch, fetch};
use crate::json::{self, Json};
use crate::template::{Params, RenderError, Rendered, Scope};
use rhai::{Dynamic, Engine, EvalAltResult, INT, Map, NativeCallContext, Position};
use std::time::{Duration, Instant};

pub(super) const TABLE: &[Function] = &[Function {
    module: "",
    signature: "fetch(request: map) -> map",
    summary: "Sends a request at once and returns its answer: `#{status, headers, body, json}`.",
    example: r#"fetch(#{url: "https://api.example/tasks/7"})"#,
    gives: "",
}];

const TIMEOUT: Duration = Duration::from_secs(10);

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// What a script catches when there is no answer. Not caught, it makes the run one that is retried.
#[derive(Clone, Debug)]
pub(super) struct Failed(pub String);

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Failed>("failed fetch");
    engine.register_fn("to_string", |failed: &mut Failed| failed.0.clone());
    engine.register_fn("to_debug", |failed: &mut Failed| failed.0.clone());
    engine.register_fn("fetch", |_: NativeCallContext, argument: Dynamic| call(argument));
}

fn call(argument: Dynamic) -> Fallible<Map> {
    let Some(mut map) = argument.flatten().try_cast::<Map>() else {
        return Err(fault("`fetch` takes a map of its parameters: fetch(#{url: …})"));
    };
    let timeout = match map.remove("timeout") {
        Some(given) if !given.is_unit() => outcome::duration(&given, "`timeout`")?,
        _ => TIMEOUT,
    };
    map.retain(|_, value| !value.is_unit());
    let params =
        convert::to_params(&Dynamic::from_map(map), "fetch").map_err(|error| fault(error.to_string()))?;
    let wrong = schema::check(&params, FETCH).and_then(|()| match check_fetch(&params) {
        errors if errors.is_empty() => Ok(()),
        errors => Err(errors),
    });
    wrong.map_err(|errors| fault(effects::explain("fetch", &errors)))?;
    let started = Instant::now();
    let answered = ask(&params, timeout);
    state::pause(started.elapsed());
    match answered {
        Some(Ok(answer)) => Ok(to_map(&answer)),
        Some(Err(FetchError::Mistake(why))) => Err(fault(format!("`fetch`: {why}"))),
        Some(Err(FetchError::Failed(why))) => {
            let failed = Dynamic::from(Failed(format!("`fetch`: {why}")));
            Err(EvalAltResult::ErrorRuntime(failed, Position::NONE).into())
        }
        // Nobody waits for this run any more: it only has to end.
        None => Err(state::end(
            End::Retry { why: "the attempt's time was over".into(), wait: None },
            Position::NONE,
        )),
    }
}

/// `None`: the attempt is over.
fn ask(params: &Params, timeout: Duration) -> Option<Result<Answer, FetchError>> {
    let outside = || Some(Err(FetchError::Mistake("it can only be called while an event is handled".into())));
    let Some(prepared) = state::with_run(|run| {
        run.fetches += 1;
        let world = run.world.clone();
        let Asked { scripts, id, .. } = &run.asked;
        (world, scripts.clone(), run.event.clone(), format!("{id}/fetch-{}", run.fetches))
    }) else {
        return outside();
    };
    let (world, scripts, event, idempotency_key) = prepared;
    let scope = Scope { event: &event, vars: &scripts.vars, resolver: &*scripts.resolver };
    let rendered = match params.render(scope) {
        Ok(rendered) => rendered,
        Err(RenderError { message, .. }) => return Some(Err(FetchError::Mistake(message))),
    };
    state::with_run(|run| run.send(&rendered.secrets));
    if let Some(answers) = &world.answers {
        return Some(answers.find(&rendered.plain));
    }
    let caller = Caller { idempotency_key, trace: &world.trace, consent: &world.consent };
    let client = scripts.context.client();
    let asked = fetch(client, &rendered.plain, &caller, timeout, scripts.limits.size);
    let answered = pool::aside(&world.runtime, world.over.run_until_cancelled(asked));
    answered.map(|answered| answered.map_err(|error| redacted(error, &rendered)))
}

fn redacted(error: FetchError, rendered: &Rendered) -> FetchError {
    match error {
        FetchError::Mistake(why) => FetchError::Mistake(rendered.redact(&why)),
        FetchError::Failed(why) => FetchError::Failed(rendered.redact(&why)),
    }
}

/// `#{status, headers, body, json}`; `json` is `()` where the body is none.
fn to_map(answer: &Answer) -> Map {
    let headers = answer.headers.iter().map(|(name, value)| {
        (name.as_str().into(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
    });
    let json = json::parse(&answer.body).map_or(Dynamic::UNIT, |json: Json| convert::to_dynamic(&json));
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    Map::from_iter([
        ("status".into(), INT::from(answer.status.as_u16()).into()),
        ("headers".into(), headers.collect::<Map>().into()),
        ("body".into(), body.into()),
        ("json".into(), json),
    ])
}
