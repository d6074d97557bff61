//! `hookyard schema`: a JSON Schema of rules files, for editors; also with the kinds of the rule
//! directory.

use super::{Common, Verdict, kinds, output};
use crate::rules::{SchemaKind, built_in_kinds, schema};

pub(super) fn run(common: &Common) -> anyhow::Result<Verdict> {
    let user = kinds::user_kinds(common)?;
    let mut all = built_in_kinds();
    all.extend(user.iter().map(SchemaKind::of_user));
    let schema = schema(&all);
    output::line(match common.json {
        true => schema.to_string(),
        false => serde_json::to_string_pretty(&schema)?,
    })?;
    Ok(Verdict::Fine)
}
