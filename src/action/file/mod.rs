//! The `file` action: one line at the end of a file below the files directory.

mod durable;
mod pace;
mod store;
#[cfg(test)]
mod store_tests;

use super::{Action, ActionError, ActionKind, Attempt, Context, one_line};
use crate::delivery::Receipt;
use crate::json::Json;
use crate::registry::{ConfigError, Param, ParamType, token};
use crate::template::Params;
use async_trait::async_trait;
use std::path::{Component, Path};
use std::str::FromStr;
use std::sync::Arc;

pub(super) use store::Files;
use store::Rotation;

pub(super) const KIND: ActionKind = ActionKind {
    name: "file",
    summary: "Appends one line to a file below `files:`, by default the event as JSON.",
    example: "file: {path: finished.jsonl}",
    schema: &[
        param(
            "path",
            ParamType::Path,
            true,
            "Which file, relative to `files:`; a template fills one segment.",
        ),
        param("json", ParamType::Any, false, "The line as a structure, written as JSON."),
        param("text", ParamType::String, false, "The line as text; line breaks in it are written as `\\n`."),
        param(
            "rotate",
            ParamType::Bytes,
            false,
            "The size at which a new file is begun; `100MiB` by default.",
        ),
        param(
            "keep",
            ParamType::Integer,
            false,
            "How many old files are kept, `path.1` the newest; 5 by default.",
        ),
    ],
    build,
};

const fn param(name: &'static str, ty: ParamType, required: bool, summary: &'static str) -> Param<'static> {
    Param { name, ty, required, summary }
}

const DEFAULT_ROTATION: Rotation = Rotation { at_bytes: 100 << 20, keep: 5 };
const MAX_KEEP: u64 = 1000;
/// Lines that wait together are written and synced together.
const LINES_AT_ONCE: usize = 48;

fn build(params: &Params, context: &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let literal = |name| params.get(name).and_then(|value| value.literal());
    if let Some(Err(message)) = literal("path").as_ref().and_then(Json::as_str).map(normal_path) {
        errors.push(ConfigError::at("/path", message));
    }
    for name in ["rotate", "keep"] {
        if let Some(Err(message)) = literal(name).map(|value| size(name, &value)) {
            errors.push(ConfigError::at(token(name), message));
        }
    }
    if params.has("json") && params.has("text") {
        let error = ConfigError::key("/text", "`json` and `text` are both there, and a line is one of them");
        errors.push(error.with_help("keep one, or none for the event document"));
    }
    if errors.is_empty() { Ok(Arc::new(File { files: context.files.clone() })) } else { Err(errors) }
}

struct File {
    files: Files,
}

#[async_trait]
impl Action for File {
    /// Returns when the line is synced. A dropped attempt may have written its line.
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let plain = &attempt.params.plain;
        let path = plain.get("path").and_then(Json::as_str).unwrap_or_default();
        let path = normal_path(path).map_err(ActionError::Blocked)?;
        let rotation = rotation(plain).map_err(ActionError::Blocked)?;
        let written = self.files.append(&path, line(attempt), rotation).await;
        written.map_err(|error| ActionError::Retry { error: error.to_string(), after: None })?;
        Ok(Receipt::of(format!("written to {path}")))
    }

    fn concurrency(&self) -> usize {
        LINES_AT_ONCE
    }

    fn only_waits(&self) -> bool {
        true
    }
}

/// The line without its end.
fn line(attempt: &Attempt) -> String {
    let plain = &attempt.params.plain;
    if let Some(json) = plain.get("json") {
        return json.text();
    }
    if let Some(text) = plain.get("text").and_then(Json::as_str) {
        return one_line(text.strip_suffix('\n').unwrap_or(text));
    }
    let document = attempt.event.to_string();
    let open = document.strip_suffix('}').unwrap_or(&document);
    format!("{open},\"delivery\":{}}}", Json::from(attempt.id.to_string()))
}

/// The path in its only spelling, so that one file has one queue.
fn normal_path(text: &str) -> Result<String, String> {
    if text == "~" || text.starts_with("~/") {
        return Err(format!("`{text}` is not a path below the files directory: `~` is not looked up here"));
    }
    let segment = |component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    };
    let dots = text.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    let segments: Option<Vec<&str>> = Path::new(text).components().map(segment).collect();
    match segments {
        Some(segments) if !dots && !text.contains('\0') => Ok(segments.join("/")),
        _ => Err(format!(
            "`{text}` is not a path below the files directory: it is relative, without `.` and `..`"
        )),
    }
}

fn rotation(plain: &Json) -> Result<Rotation, String> {
    let value = |name: &str, default| plain.get(name).map_or(Ok(default), |value| size(name, value));
    Ok(Rotation {
        at_bytes: value("rotate", DEFAULT_ROTATION.at_bytes)?,
        keep: value("keep", DEFAULT_ROTATION.keep)?,
    })
}

/// The value of `rotate` or `keep`.
fn size(name: &str, value: &Json) -> Result<u64, String> {
    let number = match value {
        Json::String(text) if name == "rotate" => {
            bytesize::ByteSize::from_str(text).ok().map(|size| size.as_u64())
        }
        other => other.as_number().and_then(crate::json::Number::as_u64),
    };
    let fine = |number: &u64| if name == "rotate" { *number > 0 } else { *number <= MAX_KEEP };
    number.filter(fine).ok_or_else(|| match name {
        "rotate" => "`rotate` is a size like `100MiB`".to_owned(),
        _ => format!("`keep` is a number from 0 to {MAX_KEEP}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_directory() {
        assert_eq!(normal_path("a/b.jsonl").as_deref(), Ok("a/b.jsonl"));
        for text in ["", "/etc/x", "../x", "a/../b", "a/./b", "a//b", "a/", ".", "a\0b", "~", "~/x"] {
            assert!(normal_path(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_read_and_bounded() {
        assert_eq!(size("rotate", &"1KiB".into()), Ok(1024));
        assert_eq!(size("keep", &Json::from(0u64)), Ok(0));
        assert!(size("rotate", &Json::from(0u64)).is_err());
        assert!(size("keep", &Json::from(1001u64)).is_err());
        assert!(size("keep", &"5".into()).is_err());
    }
}
