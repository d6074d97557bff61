//! What an operator does by hand: finds in the record, tries again, cancels, replays.
//!
//! A running server does it when its admin side is asked to, the command line itself where none
//! runs. Both read wishes, and show what is found, in the JSON that is defined here.

mod fields;
mod find;
mod hands;
mod records;
mod replay;
mod timeline;

pub use fields::{Fields, Wrong};
pub use find::{DEFAULT_LIMIT, deliveries, events, newest, refused};
pub use hands::{Hands, OPEN, cancel, retry};
pub use records::{
    answer_json, attempt_json, counts_json, delivery_json, event_json, generation_json, happening_json,
    replay_json, taken_json, verified_json,
};
pub use replay::{Events, Replayed, Replaying, replay, unknown_rule};
pub use timeline::timeline;
