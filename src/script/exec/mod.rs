//! The `exec` action: a program of the operator's list gets the event and may ask for effects.
//!
//! What a sender says goes in by standard input only: no argument, no shell, no environment of
//! hookyard's. What comes out is data, checked as a script's effects are and committed with them.

mod lines;
mod process;
#[cfg(test)]
mod tests;

use super::{ScriptKind, Scripts};
use crate::action::{Action, ActionError, Attempt, one_line};
use crate::delivery::Receipt;
use crate::diagnostic::did_you_mean;
use crate::event::Event;
use crate::json::Json;
use crate::registry::{ConfigError, Param, ParamType};
use crate::template::Params;
use async_trait::async_trait;
use process::Ended;
use std::path::Path;
use std::sync::Arc;
use tokio::process::Command;

pub(super) const KIND: ScriptKind = ScriptKind {
    name: "exec",
    summary: "Runs a program that `exec:` of hookyard.yaml lists, with the event on its standard input.",
    example: "exec: {program: /usr/local/bin/crm-sync, args: [--verbose]}",
    schema: &[
        param("program", ParamType::String, true, "Its absolute path, literally as it is listed."),
        param("args", ParamType::List, false, "Its arguments, literally; no shell reads them."),
        param(
            "effects",
            ParamType::Bool,
            false,
            "Whether each line it writes is an effect, `{\"slack\": {…}, \"name\": \"x\", \"after\": \"5m\"}`.",
        ),
    ],
    build,
};

const fn param(name: &'static str, ty: ParamType, required: bool, summary: &'static str) -> Param<'static> {
    Param { name, ty, required, summary }
}

/// By which a program asks to be run again later (`EX_TEMPFAIL` of sysexits.h).
const TRY_AGAIN: i32 = 75;
/// What is longer is not put into the environment, which has limits of its own.
const MAX_VARIABLE_BYTES: usize = 4096;
const MAX_LINE_BYTES: usize = 4096;

fn build(scripts: &Arc<Scripts>, params: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let program = program(scripts, params).unwrap_or_else(|error| {
        errors.push(error);
        String::new()
    });
    let args = args(params, &mut errors);
    let effects = match params.get("effects").map(|effects| effects.literal()) {
        None => false,
        Some(Some(Json::Bool(effects))) => effects,
        Some(_) => {
            errors.push(ConfigError::at("/effects", "`effects` is literally `true` or `false`"));
            false
        }
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Arc::new(Exec { scripts: Arc::clone(scripts), program, args, effects }))
}

fn program(scripts: &Scripts, params: &Params) -> Result<String, ConfigError> {
    let literal = params.get("program").and_then(|program| program.literal());
    let Some(program) = literal.as_ref().and_then(Json::as_str) else {
        let message = "a program is named literally: what is filled in could choose what is run here";
        return Err(ConfigError::at("/program", message).with_help(BY_INPUT));
    };
    let listed = scripts.context.programs();
    if listed.has(Path::new(program)) {
        return Ok(program.to_owned());
    }
    let message = format!("`{program}` is not among the programs that may be run");
    let help = match did_you_mean(program, listed.paths()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if !Path::new(program).is_absolute() => {
            "write its absolute path, and list it in hookyard.yaml under `exec:`".to_owned()
        }
        None => format!("list it in hookyard.yaml: `exec: [{program}]`"),
    };
    Err(ConfigError::at("/program", message).with_help(help))
}

const BY_INPUT: &str = "the program reads the event from its standard input";

fn args(params: &Params, errors: &mut Vec<ConfigError>) -> Vec<String> {
    let Some(given) = params.get("args") else { return Vec::new() };
    let Some(items) = given.items() else {
        errors.push(ConfigError::at("/args", "`args` is a list of literal texts").with_help(BY_INPUT));
        return Vec::new();
    };
    let mut args = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match arg(item) {
            Ok(arg) => args.push(arg),
            Err(message) => {
                errors.push(ConfigError::at(format!("/args/{index}"), message).with_help(BY_INPUT));
            }
        }
    }
    args
}

fn arg(item: &Params) -> Result<String, &'static str> {
    match item.literal() {
        Some(Json::String(text)) if text.contains('\0') => Err("an argument cannot hold a NUL character"),
        Some(Json::String(text)) => Ok(text.into()),
        Some(scalar @ (Json::Number(_) | Json::Bool(_))) => Ok(scalar.to_string()),
        Some(_) => Err("an argument is a text or a number"),
        None => Err("an argument is literal: every user of the machine can read it, and what an event says \
                     could be an option"),
    }
}

/// A program with its arguments.
struct Exec {
    scripts: Arc<Scripts>,
    program: String,
    args: Vec<String>,
    effects: bool,
}

#[async_trait]
impl Action for Exec {
    /// Dropping the future kills the program and all that it has started.
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let ended = self.run(attempt).await?;
        let said = |what: &str| match first_line(&ended.errors) {
            line if line.is_empty() => format!("{} {what}", self.program),
            line => format!("{} {what}: {line}", self.program),
        };
        let again = |error| Err(ActionError::Retry { error, after: None });
        match ended.status.code() {
            Some(0) if self.effects => {
                let receipt = lines::effects(&self.scripts, attempt, &self.program, &ended.output);
                receipt.map_err(ActionError::Blocked)
            }
            Some(0) => Ok(receipt(&ended.output)),
            Some(TRY_AGAIN) => again(said("asks to be run again (75)")),
            Some(code) => Err(ActionError::Refused(said(&format!("ended with exit code {code}")))),
            // A shutdown or a lack of memory: not the program's own verdict.
            None => again(said(&format!("was ended by {}", ended.status))),
        }
    }
}

fn receipt(output: &[u8]) -> Receipt {
    let line = match first_line(output) {
        line if line.is_empty() => "exit code 0".to_owned(),
        line => line,
    };
    Receipt::of(line)
}

impl Exec {
    async fn run(&self, attempt: &Attempt) -> Result<Ended, ActionError> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(variables(&attempt.event, &attempt.id.to_string()));
        let input = format!("{}\n", *attempt.event);
        let ended = process::run(command, input.as_bytes()).await;
        ended.map_err(|failure| failure.into_error(&self.program))
    }
}

/// The whole environment. What no environment can hold is left out; the document has it.
fn variables(event: &Event, delivery: &str) -> Vec<(&'static str, String)> {
    let field = |name| event.get(name).and_then(Json::as_str).map(str::to_owned);
    let variables = [
        ("HOOKYARD_EVENT_ID", Some(event.id().to_string())),
        ("HOOKYARD_EVENT_SOURCE", field("source")),
        ("HOOKYARD_EVENT_TYPE", field("type")),
        ("HOOKYARD_EVENT_STATUS", field("status")),
        ("HOOKYARD_EVENT_DELIVERY", Some(delivery.to_owned())),
    ];
    let fits = |value: &String| value.len() <= MAX_VARIABLE_BYTES && !value.contains('\0');
    variables.into_iter().filter_map(|(name, value)| Some((name, value.filter(fits)?))).collect()
}

/// For a receipt or an error: without control characters, of bounded length.
fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = &line[..line.len().min(MAX_LINE_BYTES)];
    one_line(String::from_utf8_lossy(line).trim_end())
}
