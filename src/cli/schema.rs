//! `hookyard schema`: a JSON Schema of rules files, for editors.

use super::{Common, Verdict, output};
use crate::rules::{built_in_kinds, schema};

pub(super) fn run(common: &Common) -> anyhow::Result<Verdict> {
    let schema = schema(&built_in_kinds());
    output::line(match common.json {
        true => schema.to_string(),
        false => serde_json::to_string_pretty(&schema)?,
    })?;
    Ok(Verdict::Fine)
}
