//! What the record has of replays, generations and lanes, in short.

use jiff::Timestamp;

/// A generation as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationBrief {
    pub number: u64,
    /// The rule directory it was loaded from.
    pub directory: String,
    pub loaded_at: Timestamp,
    /// How many files it has.
    pub files: usize,
}

/// An event that was routed once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// From 2: what its deliveries' ids have behind the `~`.
    pub number: u32,
    pub at: Timestamp,
    pub generation: u64,
    pub rules: Vec<String>,
}

/// How many open deliveries of one (rule, action) there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneDepth {
    pub rule: String,
    pub action: String,
    pub pending: u64,
    pub blocked: u64,
    /// When the oldest of their events was received.
    pub oldest: Timestamp,
}

/// What became of a wish to cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    pub cancelled: usize,
    /// Those that were being attempted at that moment: they were left alone.
    pub under_way: usize,
}
