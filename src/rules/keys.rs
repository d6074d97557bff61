//! The keys of rules files: what the reader takes, and what the JSON Schema tells editors.
//!
//! The reader looks each key up here before it does anything with it, so that one that is missing
//! here is unknown to both.

/// A key of some map in a rules file.
pub(super) struct Key {
    pub name: &'static str,
    pub takes: Takes,
    pub required: bool,
    /// For people who point at it in an editor.
    pub summary: &'static str,
}

/// What stands behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    /// The name of a rule or an action.
    Name,
    Flag,
    /// A time with its unit.
    Time,
    /// From 1 to 1000.
    Factor,
    /// From 0 to 1.
    Fraction,
    /// HTTP statuses that are no success.
    Statuses,
    /// How many, from 1 to [`MOST`].
    Count,
    /// So many in some time.
    Rate,
    Pause,
    /// Names of environment variables.
    Variables,
    Pattern,
    /// A map of anything.
    Map,
    Retry,
    Rules,
    Actions,
    Tests,
    Event,
    Expected,
    Answers,
    Throttle,
    Debounce,
    Threshold,
    Collect,
    Order,
    /// Of events, from 1 to 1000.
    Events,
    /// `08:00`.
    ClockTime,
    Status,
    Any,
}

/// Of what is counted. None of it comes near.
pub(super) const MOST: usize = 1_000_000;

/// Of a file.
pub(super) const FILE: &[Key] = &[
    key("vars", Takes::Map, "Values that templates, `when` and scripts of all files read as `vars`."),
    key(
        "match",
        Takes::Pattern,
        "A pattern that must hold for each rule of this file, beside the rule's own.",
    ),
    key("retry", Takes::Retry, "When deliveries of this file's rules are tried again."),
    key(
        "timeout",
        Takes::Time,
        "How long an attempt may take: `30s` unless a rule or an action says otherwise.",
    ),
    key("rules", Takes::Rules, "What is done with which events, tried in this order."),
    key("tests", Takes::Tests, "What `hookyard test` runs: events, and what would go out for them."),
];

/// Of an item of `rules`.
pub(super) const RULE: &[Key] = &[
    required("name", Takes::Name, "What deliveries and tests call the rule by; unique over all files."),
    key("description", Takes::Text, "What it is for, in words."),
    key("enabled", Takes::Flag, "`false` turns it off."),
    key("requires", Takes::Variables, "Environment variables without which the rule is off."),
    key("match", Takes::Pattern, "Which events it is for: a pattern, or `any` for every event."),
    key("when", Takes::Text, "A condition in Rhai, for what a pattern cannot say: `payload.cost > 5`."),
    key("retry", Takes::Retry, "When its deliveries are tried again."),
    key("timeout", Takes::Time, "How long an attempt may take."),
    key("rate", Takes::Rate, "How fast each of its actions goes at most: `10/s`, `600/m`, `100/h`."),
    key("concurrency", Takes::Count, "How many attempts of each of its actions are under way at once."),
    key("pause", Takes::Pause, "When each of its actions rests because its destination does not work."),
    required("actions", Takes::Actions, "What is done, each on its own."),
    key("stop", Takes::Flag, "If it matches, later rules of this file are not tried."),
    key("fallback", Takes::Flag, "It is tried only if no other rule matched."),
    key("throttle", Takes::Throttle, "The first event acts, the others until a time has passed do not."),
    key("debounce", Takes::Debounce, "The last event acts, when it has been quiet for a time."),
    key("threshold", Takes::Threshold, "The n-th event within a time acts, then none for that time."),
    key("collect", Takes::Collect, "All events of a time act as one: `window.events`."),
    key("order", Takes::Order, "Deliveries come one at a time, in the order of the events' receipt."),
];

/// What keeps storms apart.
const PER: Key =
    key("per", Takes::Text, "Events with the same value are one storm; all of them unless given.");

/// Of `throttle`.
pub(super) const THROTTLE: &[Key] =
    &[PER, required("within", Takes::Time, "How long after the first the others do nothing.")];

/// Of `debounce`.
pub(super) const DEBOUNCE: &[Key] = &[
    PER,
    required("quiet", Takes::Time, "How long no event may come before the last one acts."),
    key(
        "max",
        Takes::Time,
        "How long after the first it acts at the latest: ten times `quiet` unless given.",
    ),
];

/// Of `threshold`.
pub(super) const THRESHOLD: &[Key] = &[
    PER,
    required("count", Takes::Events, "The how manieth event acts."),
    required("within", Takes::Time, "The time in which they come, and for how long it is silent then."),
];

/// Of `collect`.
pub(super) const COLLECT: &[Key] = &[
    PER,
    key("within", Takes::Time, "How long after the first event it ends."),
    key("until", Takes::ClockTime, "At what time of day it ends instead: `\"08:00\"`."),
    key("zone", Takes::Text, "The time zone of `until`: `UTC` unless given."),
    key("max", Takes::Events, "How many events it takes at most: 500 unless given."),
];

/// Of `order`.
pub(super) const ORDER: &[Key] =
    &[required("per", Takes::Text, "Deliveries of events with the same value wait for each other.")];

/// Beside the kind of an action.
pub(super) const OPTION: &[Key] = &[
    key("name", Takes::Name, "What deliveries and tests call the action by: its kind unless given."),
    key("when", Takes::Text, "A condition in Rhai for this action alone."),
    key("retry", Takes::Retry, "When its deliveries are tried again."),
    key("timeout", Takes::Time, "How long an attempt may take."),
    key("rate", Takes::Rate, "How fast it goes at most, its effects included: `10/s`, `600/m`, `100/h`."),
    key("concurrency", Takes::Count, "How many attempts of it are under way at once."),
    key("pause", Takes::Pause, "When it rests because its destination does not work; `off` for never."),
    key("after", Takes::Time, "How long after the event it is due."),
];

/// Of `retry`.
pub(super) const RETRY: &[Key] = &[
    key("first", Takes::Time, "The first wait: `5s` unless given."),
    key("factor", Takes::Factor, "By how much each wait is longer than the one before: 3 unless given."),
    key("max", Takes::Time, "The longest wait: `1h` unless given."),
    key("for", Takes::Time, "How long after the event's receipt it is given up: `24h` unless given."),
    key(
        "jitter",
        Takes::Fraction,
        "How far each wait is spread: 0.2, for 20 % in both directions, unless given.",
    ),
    key(
        "never",
        Takes::Statuses,
        "HTTP statuses at which it is given up at once: `[400, 410, 413, 422]` unless given, `[]` for none.",
    ),
];

/// Of `pause`.
pub(super) const PAUSE: &[Key] = &[
    key("after", Takes::Count, "After so many failures in a row (no answer, or a 5xx): 5 unless given."),
    key("first", Takes::Time, "The first pause: `10s` unless given; each further one is twice as long."),
    key("max", Takes::Time, "The longest pause: `10m` unless given."),
];

/// Of an item of `tests`.
pub(super) const TEST: &[Key] = &[
    required("name", Takes::Text, "What it shows, in words."),
    required("event", Takes::Event, "The event document; what a source derives from `payload` is filled in."),
    required("expect", Takes::Expected, "Everything that goes out, in any order; `[]` for nothing."),
    key("state", Takes::Map, "What scripts have kept so far: a map of keys and values for each namespace."),
    key("fetch", Takes::Answers, "What a script's `fetch` gets: nothing goes out in a test."),
];

/// Of an item of `fetch`.
pub(super) const ANSWER: &[Key] = &[
    required("url", Takes::Text, "The URL that the script asks, without its `query`."),
    key("method", Takes::Text, "Only requests by this method."),
    key("status", Takes::Status, "The answer's status: 200 unless given."),
    key("headers", Takes::Map, "Its headers."),
    key("json", Takes::Any, "Its body, as a structure."),
    key("body", Takes::Text, "Its body, as text."),
];

/// Of an item of `expect`.
pub(super) const EXPECT: &[Key] = &[
    required("rule", Takes::Text, "The rule."),
    required("action", Takes::Text, "The action, by its name."),
    key("effect", Takes::Text, "The effect of a script: `slack-1`, or the name that the script gave it."),
    key("params", Takes::Map, "Parameters that it has at least, with everything filled in."),
];

const fn key(name: &'static str, takes: Takes, summary: &'static str) -> Key {
    Key { name, takes, required: false, summary }
}

const fn required(name: &'static str, takes: Takes, summary: &'static str) -> Key {
    Key { required: true, ..key(name, takes, summary) }
}

/// The names of some keys.
pub(super) fn names(keys: &[Key]) -> impl Iterator<Item = &'static str> + Clone {
    keys.iter().map(|key| key.name)
}

/// Whether a name is that of one of some keys.
pub(super) fn has(keys: &[Key], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}
