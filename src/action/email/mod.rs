//! The `email` action: a mail, handed in to an SMTP server.
//!
//! The server's own codes say what is final (5yz) and what is not (4yz); `retry.never` is of HTTP
//! statuses, which share some of their numbers with other meanings.

mod letter;
mod server;
mod session;
#[cfg(test)]
mod tests;

use super::params::check_keys;
use super::{Action, ActionError, ActionKind, Attempt, Context, Egress};
use crate::delivery::Receipt;
use crate::json::Json;
use crate::registry::{ConfigError, Param, ParamType, token};
use crate::template::Params;
use async_trait::async_trait;
use letter::{RECIPIENTS, mailbox_of};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Certificate;
use server::{Security, Server};
use std::sync::Arc;

pub(super) const KIND: ActionKind = ActionKind {
    name: "email",
    summary: "Sends a mail through an SMTP server, under a Message-ID that is the same over all attempts.",
    example: "email: {server: \"smtps://smtp.example\", from: hookyard@example.com, to: ops@example.com, subject: \"Task {{ payload.task_id }}\", text: \"It is {{ status }}.\"}",
    schema: &[
        param(
            "server",
            ParamType::Url,
            true,
            "Where it is handed in: `smtps://host` (TLS), `smtp://host` (STARTTLS, nothing without it) or \
             `smtp+plain://host` (unencrypted); literal, or a value of `vars`.",
        ),
        param("auth", ParamType::Map, false, "`{user: NAME, password: \"${PASSWORD}\"}`, over TLS only."),
        param("from", ParamType::String, true, "The sender: `a@example.com` or `Name <a@example.com>`."),
        param("to", ParamType::Any, true, "Who gets it: an address, or a list of them."),
        param("cc", ParamType::Any, false, "Who gets a copy: an address, or a list."),
        param("bcc", ParamType::Any, false, "Who gets a copy that nobody sees: an address, or a list."),
        param("reply_to", ParamType::Any, false, "Where answers go: an address, or a list."),
        param("subject", ParamType::String, true, "The subject, one line; cut at 500 bytes."),
        param("text", ParamType::String, false, "The mail as plain text."),
        param(
            "html",
            ParamType::Html,
            false,
            "The mail as HTML; what a template fills in is escaped. Beside `text`, readers choose.",
        ),
    ],
    build,
};

const fn param(name: &'static str, ty: ParamType, required: bool, summary: &'static str) -> Param<'static> {
    Param { name, ty, required, summary }
}

fn build(params: &Params, context: &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    check_server(params, &mut errors);
    check_addresses(params, &mut errors);
    let literal = params.get("subject").and_then(|subject| subject.literal());
    if let Some(Err(message)) = literal.as_ref().and_then(Json::as_str).map(letter::subject) {
        errors.push(ConfigError::at("/subject", message));
    }
    if !params.has("text") && !params.has("html") {
        let error = ConfigError::at("", "a mail without content");
        errors.push(error.with_help("give it `text`, `html` or both"));
    }
    let egress = Arc::clone(context.client().egress());
    if errors.is_empty() { Ok(Arc::new(Email { egress, roots: Vec::new() })) } else { Err(errors) }
}

fn check_server(params: &Params, errors: &mut Vec<ConfigError>) {
    let literal = params.get("server").and_then(|server| server.literal());
    let server = literal.as_ref().and_then(Json::as_str).map(Server::read);
    if let Some(Err(message)) = &server {
        errors.push(ConfigError::at("/server", message.as_str()));
    }
    let Some(auth) = params.get("auth") else { return };
    const KEYS: [&str; 2] = ["user", "password"];
    check_keys(&auth, "/auth", &KEYS, errors);
    let missing = KEYS.into_iter().find(|key| !auth.has(key));
    if let (Some(key), Params::Data(_) | Params::Map(_)) = (missing, &auth) {
        errors.push(ConfigError::at("/auth", format!("`auth` has no `{key}`")));
    }
    if let Some(Ok(Server { security: Security::Plain, .. })) = server {
        errors.push(ConfigError::key("/auth", UNENCRYPTED));
    }
}

const UNENCRYPTED: &str =
    "a password is not sent over an unencrypted connection: `server` begins with `smtps://` or `smtp://`";

fn check_addresses(params: &Params, errors: &mut Vec<ConfigError>) {
    for name in RECIPIENTS.into_iter().chain(["from", "reply_to"]) {
        for (pointer, item) in params.get(name).iter().flat_map(|value| items(value, &token(name))) {
            if let Some(Err(message)) = item.literal().as_ref().map(mailbox_of) {
                errors.push(ConfigError::at(pointer, message));
            }
        }
    }
}

/// The items of a list with their pointers; of anything else, itself.
fn items(params: &Params, pointer: &str) -> Vec<(String, Params)> {
    let Some(items) = params.items() else { return vec![(pointer.to_owned(), params.clone())] };
    items.into_iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)).collect()
}

struct Email {
    egress: Arc<Egress>,
    /// Trusted beside the usual ones.
    roots: Vec<Certificate>,
}

#[async_trait]
impl Action for Email {
    /// A dropped attempt may have handed the mail in.
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let plain = &attempt.params.plain;
        let url = plain.get("server").and_then(Json::as_str).unwrap_or_default();
        let server = Server::read(url).map_err(ActionError::Blocked)?;
        let credentials = credentials(plain, server.security).map_err(ActionError::Blocked)?;
        let letter = letter::write(plain, &attempt.id).map_err(ActionError::Blocked)?;
        let (egress, roots) = (&*self.egress, &*self.roots);
        let line =
            session::hand_in(&server, egress, &attempt.consent, roots, credentials.as_ref(), &letter).await?;
        Ok(Receipt::of(line))
    }
}

fn credentials(plain: &Json, security: Security) -> Result<Option<Credentials>, String> {
    let Some(auth) = plain.get("auth") else { return Ok(None) };
    if security == Security::Plain {
        return Err(UNENCRYPTED.to_owned());
    }
    let text = |name| auth.get(name).and_then(Json::as_str).map(str::to_owned);
    match (text("user"), text("password")) {
        (Some(user), Some(password)) => Ok(Some(Credentials::new(user, password))),
        _ => Err("`auth` takes `user` and `password`, both of them texts".to_owned()),
    }
}
