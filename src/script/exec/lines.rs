//! The effects that a program asks for: a JSON object a line, checked as a script's call is.

use crate::delivery::{DeliveryId, Receipt};
use crate::diagnostic::did_you_mean;
use crate::json::{self, Json, Object};
use crate::script::effects::{self, Refusal};
use crate::script::state::Run;
use crate::script::{Scripts, convert, run};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What may stand beside the kind.
const OPTIONS: [&str; 2] = ["name", "after"];

/// Reads all lines, or none of them counts.
///
/// # Errors
/// The first line that is no effect, with its number.
pub(super) fn effects(
    scripts: &Arc<Scripts>,
    id: &DeliveryId,
    program: &str,
    output: &[u8],
) -> Result<Receipt, String> {
    let mut run = Run {
        scripts: Arc::clone(scripts),
        id: id.clone(),
        file: program.to_owned(),
        effects: Vec::new(),
        bytes: 0,
        counts: BTreeMap::new(),
        end: None,
    };
    for (index, line) in output.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            ask(&mut run, line)
                .map_err(|message| format!("{program}, line {} of its output: {message}", index + 1))?;
        }
    }
    Ok(run::receipt(run, None))
}

fn ask(run: &mut Run, line: &[u8]) -> Result<(), String> {
    let effect = json::parse(line).map_err(|error| format!("this is not JSON: {error}"))?;
    let Json::Object(effect) = effect else {
        return Err(format!("an effect is an object like {{\"log\": {{}}}}, not a {}", effect.kind()));
    };
    let (kind, params) = kind(run, &effect)?;
    let mut map = convert::object_to_map(params);
    for name in OPTIONS {
        if map.contains_key(name) {
            return Err(format!("`{name}` stands beside `{kind}`, not in its parameters"));
        }
        if let Some(value) = effect.get(name) {
            map.insert(name.into(), convert::to_dynamic(value));
        }
    }
    effects::add(run, kind, map).map_err(|refusal| match refusal {
        Refusal::Mistake(message) | Refusal::Limit(message) => message,
    })
}

/// The one key that is a kind, and its parameters.
fn kind<'e>(run: &Run, effect: &'e Object) -> Result<(&'static str, &'e Object), String> {
    let mut keys = effect.iter().filter(|(key, _)| !OPTIONS.contains(key));
    let (key, params) = match (keys.next(), keys.next()) {
        (Some(only), None) => only,
        (Some((first, _)), Some((second, _))) => {
            return Err(format!("one line asks for one effect: `{second}` stands beside `{first}`"));
        }
        (None, _) => return Err("this line names no action, like `log`".to_owned()),
    };
    let names = effects::names(run.scripts.kinds);
    let Some(kind) = names.clone().find(|name| *name == key) else {
        let meant = did_you_mean(key, names).map(|meant| format!(": did you mean `{meant}`?"));
        return Err(format!("there is no action `{key}`{}", meant.unwrap_or_default()));
    };
    match params {
        Json::Object(params) => Ok((kind, params)),
        other => Err(format!("`{kind}` takes a map of its parameters, not a {}", other.kind())),
    }
}
