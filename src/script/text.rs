//! Encoding texts that a script composes: `slack_escape`.

use crate::template::slack_escape;
use rhai::{Engine, ImmutableString};

/// `slack_escape(text)` makes `& < >` into entities, so that what an event says cannot become a
/// mention or a link in a message. What a template fills into Slack's text is escaped by itself;
/// a script puts its text together where nobody can tell the author's part from the event's.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("slack_escape", |text: ImmutableString| slack_escape(&text));
}
