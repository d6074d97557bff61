//! The `slack` action: a message through an incoming webhook.
//!
//! Source: Slack's documentation of incoming webhooks and their errors, and of rate limits.

use super::client::{Client, Request, excerpt, identify};
use super::http::{EXCERPT_BYTES, failed, host};
use super::params::check_url;
use super::{Action, ActionError, ActionKind, Attempt, Context};
use crate::delivery::Receipt;
use crate::json::{Json, Object};
use crate::registry::{ConfigError, Param, ParamType};
use crate::template::Params;
use async_trait::async_trait;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use std::sync::Arc;

pub(super) const KIND: ActionKind = ActionKind {
    name: "slack",
    summary: "Posts a message through a Slack incoming webhook.",
    example: "slack: {url: \"https://hooks.slack.example/services/T0/B0/x\", text: \"{{ payload.task_id }}: {{ status }}\"}",
    schema: &[
        param("url", ParamType::Url, true, "The webhook's URL, `${SLACK_WEBHOOK_URL}` or a value of `vars`."),
        param(
            "text",
            ParamType::SlackText,
            false,
            "The message in mrkdwn; beside blocks, what notifications show.",
        ),
        param("blocks", ParamType::SlackAny, false, "The message as a list of Block Kit blocks."),
        param("attachments", ParamType::SlackAny, false, "Secondary attachments."),
        param("thread_ts", ParamType::String, false, "The timestamp of the message to answer in a thread."),
        param("unfurl_links", ParamType::Bool, false, "Whether links to text are shown with a preview."),
        param("unfurl_media", ParamType::Bool, false, "Whether links to media are shown with a preview."),
    ],
    build,
};

const fn param(name: &'static str, ty: ParamType, required: bool, summary: &'static str) -> Param<'static> {
    Param { name, ty, required, summary }
}

const CONTENTS: [&str; 3] = ["text", "blocks", "attachments"];
/// Errors that stay until somebody changes the message, the webhook or the channel.
const HOPELESS: [&str; 15] = [
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_blocks",
    "invalid_payload",
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "no_text",
    "posting_to_general_channel_denied",
    "team_disabled",
    "too_many_attachments",
    "user_not_found",
];

fn build(params: &Params, context: &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    check_url(params, &mut errors);
    if CONTENTS.iter().all(|name| !params.has(name)) {
        let error = ConfigError::at("", "a Slack message without content");
        errors.push(error.with_help("give it `text`, `blocks` or both"));
    }
    for name in ["blocks", "attachments"] {
        let literal = params.get(name).and_then(|value| value.literal());
        if literal.is_some_and(|value| value.as_array().is_none()) {
            errors.push(ConfigError::at(format!("/{name}"), format!("`{name}` is a list")));
        }
    }
    if errors.is_empty() { Ok(Arc::new(Slack { client: context.client().clone() })) } else { Err(errors) }
}

struct Slack {
    client: Client,
}

#[async_trait]
impl Action for Slack {
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let request = request(attempt)?;
        let url = request.url.clone();
        let answer = self.client.deliver(request, &attempt.consent, EXCERPT_BYTES).await?;
        attempt.heard.keep(&answer);
        if answer.status.is_success() {
            return Ok(Receipt::of(answer.status.to_string()));
        }
        let error = failed(&answer, &host(&url)?);
        // Slack's own word decides; without one, the status.
        let is_hopeless = HOPELESS.contains(&&*excerpt(&answer.body));
        Err(if is_hopeless { ActionError::Refused(error.to_string()) } else { error })
    }
}

fn request(attempt: &Attempt) -> Result<Request, ActionError> {
    let plain = &attempt.params.plain;
    let Some(parameters) = plain.as_object() else {
        return Err(ActionError::Blocked("a Slack message has a map of parameters".to_owned()));
    };
    let message: Object = parameters
        .iter()
        .filter(|(name, _)| *name != "url")
        .map(|(name, value)| (name, value.clone()))
        .collect();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    identify(&mut headers, attempt)?;
    let url = plain.get("url").and_then(Json::as_str).unwrap_or_default().to_owned();
    Ok(Request { method: Method::POST, url, headers, body: Json::Object(message).text().into() })
}
