//! The effects that a program asks for: a JSON object a line, checked as a script's call is.

use crate::action::Attempt;
use crate::delivery::Receipt;
use crate::diagnostic::did_you_mean;
use crate::json::{self, Json, Object};
use crate::script::effects::{Asked, Refusal};
use crate::script::{Scripts, convert, run};
use std::sync::Arc;

/// What may stand beside the kind.
const OPTIONS: [&str; 2] = ["name", "after"];

/// Reads all lines, or none of them counts.
///
/// # Errors
/// The first line that is no effect, with its number.
pub(super) fn effects(
    scripts: &Arc<Scripts>,
    attempt: &Attempt,
    program: &str,
    output: &[u8],
) -> Result<Receipt, String> {
    let mut asked = Asked::nothing(Arc::clone(scripts), attempt.id.clone(), &attempt.event);
    for (index, line) in output.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            ask(&mut asked, line)
                .map_err(|message| format!("{program}, line {} of its output: {message}", index + 1))?;
        }
    }
    let effects = asked.effects;
    Ok(Receipt { line: run::count(&effects), effects, ..Receipt::default() })
}

fn ask(asked: &mut Asked, line: &[u8]) -> Result<(), String> {
    let effect = json::parse(line).map_err(|error| format!("this is not JSON: {error}"))?;
    let Json::Object(effect) = effect else {
        return Err(format!("an effect is an object like {{\"log\": {{}}}}, not a {}", effect.kind()));
    };
    let (kind, params) = kind(asked, &effect)?;
    let mut map = convert::object_to_map(params);
    for name in OPTIONS {
        if map.contains_key(name) {
            return Err(format!("`{name}` stands beside `{kind}`, not in its parameters"));
        }
        if let Some(value) = effect.get(name) {
            map.insert(name.into(), convert::to_dynamic(value));
        }
    }
    asked.add(kind, map).map_err(|refusal| match refusal {
        Refusal::Mistake(message) | Refusal::Limit(message) => message,
    })
}

/// The one key that is a kind, and its parameters.
fn kind<'e>(asked: &Asked, effect: &'e Object) -> Result<(&'e str, &'e Object), String> {
    let mut keys = effect.iter().filter(|(key, _)| !OPTIONS.contains(key));
    let (key, params) = match (keys.next(), keys.next()) {
        (Some(only), None) => only,
        (Some((first, _)), Some((second, _))) => {
            return Err(format!("one line asks for one effect: `{second}` stands beside `{first}`"));
        }
        (None, _) => return Err("this line names no action, like `log`".to_owned()),
    };
    if asked.scripts.schema(key).is_none() {
        let meant =
            did_you_mean(key, asked.scripts.kind_names()).map(|meant| format!(": did you mean `{meant}`?"));
        return Err(format!("there is no action `{key}`{}", meant.unwrap_or_default()));
    }
    match params {
        Json::Object(params) => Ok((key, params)),
        other => Err(format!("`{key}` takes a map of its parameters, not a {}", other.kind())),
    }
}
