//! Encoding what is filled in for the place it is filled into.

use crate::json::Json;
use crate::registry::ParamType;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but RFC 3986's unreserved characters.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The encoding of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    None,
    /// One part of a URL's path or query: percent-encoded.
    Url,
    /// Part of one segment of a path: what cannot be one is refused by [`Self::check`].
    Path,
    /// Slack's mrkdwn: `& < >` would begin entities, links and mentions.
    Slack,
    /// HTML, between tags or in a quoted attribute.
    Html,
}

impl Escape {
    pub fn of(ty: ParamType) -> Self {
        match ty {
            ParamType::Url => Self::Url,
            ParamType::Path => Self::Path,
            ParamType::SlackText | ParamType::SlackAny => Self::Slack,
            ParamType::Html => Self::Html,
            _ => Self::None,
        }
    }

    pub fn text(self, text: &str) -> String {
        match self {
            Self::None | Self::Path => text.to_owned(),
            Self::Url => url_encode(text),
            Self::Slack => slack_escape(text),
            Self::Html => html_escape(text),
        }
    }

    /// The encoding of a value that the author has marked `|safe`.
    pub fn of_safe(self) -> Self {
        match self {
            Self::Slack | Self::Html => Self::None,
            other => other,
        }
    }

    /// Refuses what cannot be encoded for its place.
    pub fn check(self, text: &str) -> Result<(), String> {
        let separates = |c: char| matches!(c, '/' | '\\') || c.is_control();
        if self == Self::Path && text.contains(separates) {
            return Err(format!("{} would be more than one segment of the path", Json::from(text)));
        }
        Ok(())
    }

    /// All texts in `value` (keys stay: they are names, not prose).
    pub fn json(self, value: Json) -> Json {
        match value {
            _ if matches!(self, Self::None | Self::Path) => value,
            Json::String(text) => self.text(&text).into(),
            Json::Array(items) => Json::Array(items.into_iter().map(|item| self.json(item)).collect()),
            Json::Object(object) => {
                Json::Object(object.into_iter().map(|(key, value)| (key, self.json(value))).collect())
            }
            other => other,
        }
    }
}

/// `text` as one part of a URL's path or query.
pub(crate) fn url_encode(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// `text` so that Slack shows it as it is: the three characters that its documentation
/// ("Formatting text for app surfaces") says to escape, and no others.
pub(crate) fn slack_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `text` so that HTML shows it as it is, also within a quoted attribute.
pub(crate) fn html_escape(text: &str) -> String {
    slack_escape(text).replace('"', "&quot;").replace('\'', "&#39;")
}

/// Where the part of a URL that names its host ends: at the first `/`, `?` or `#` behind `://`.
/// An empty one does not count: `https:///x` is read as `https://x`.
pub(super) fn host_end(url: &str) -> Option<usize> {
    let begin = url.find("://")? + 3;
    url[begin..].find(['/', '?', '#']).filter(|length| *length > 0).map(|at| begin + at)
}

/// The path segment of `url` that a server may read as "here" or "up".
pub(super) fn dot_segment(url: &str) -> Option<&str> {
    let path = url[host_end(url)?..].split(['?', '#']).next()?;
    path.split(['/', '\\']).find(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}
