//! Encoding texts that a script composes: `slack_escape`, `html_escape`.

use crate::template::{html_escape, slack_escape};
use rhai::{Engine, ImmutableString};

/// `slack_escape(text)` makes `& < >` into entities, so that what an event says cannot become a
/// mention or a link in a message; `html_escape(text)` makes `& < > " '` into entities, so that it
/// cannot become markup in a mail. What a template fills into Slack's text or HTML is escaped by
/// itself; a script puts its text together where nobody can tell the author's part from the
/// event's.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("slack_escape", |text: ImmutableString| slack_escape(&text));
    engine.register_fn("html_escape", |text: ImmutableString| html_escape(&text));
}
