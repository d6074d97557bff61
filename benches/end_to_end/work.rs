//! The rows of the table: what is done for a request.

/// Which work is done for a request.
#[derive(Clone, Copy, PartialEq)]
pub enum Work {
    /// Nothing: answers `ok`.
    BareWarp,
    /// Verified, durable, 100 rules, none of which matches.
    NoneMatches,
    /// The same, one more rule matches: a line in a file, synced.
    File,
    /// The same with a script and one effect, a line in a file.
    Script,
    /// A request to a local receiver.
    Http,
    /// Nothing received: requests to the receiver, made by the HTTP client alone.
    BareClient,
}

impl Work {
    /// In the order of the table.
    pub const ALL: [Self; 6] =
        [Self::BareWarp, Self::NoneMatches, Self::File, Self::Script, Self::Http, Self::BareClient];

    pub fn name(self) -> &'static str {
        match self {
            Self::BareWarp => "bare warp, answers ok",
            Self::NoneMatches => "verified, durable, none of 100 matches",
            Self::File => "... one matches: file",
            Self::Script => "... one matches: script, file effect",
            Self::Http => "... one matches: http to a local receiver",
            Self::BareClient => "the HTTP client alone, 16 at once",
        }
    }

    /// What `--only` and `--skip` call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::BareWarp => "bare",
            Self::NoneMatches => "none",
            Self::File => "file",
            Self::Script => "script",
            Self::Http => "http",
            Self::BareClient => "client",
        }
    }
}
