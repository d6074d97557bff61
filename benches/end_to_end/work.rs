//! The rows of the table: what is done for a request, and by which server.

use crate::load::Signed;
use crate::peer::Peer;

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
    /// What another program does.
    Peer(Peer),
}

impl Work {
    /// In the order of the table.
    pub const ALL: [Self; 9] = [
        Self::BareWarp,
        Self::NoneMatches,
        Self::File,
        Self::Script,
        Self::Http,
        Self::BareClient,
        Self::Peer(Peer::Webhook),
        Self::Peer(Peer::FastApi),
        Self::Peer(Peer::NodeRed),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::BareWarp => "bare warp, answers ok",
            Self::NoneMatches => "verified, durable, none of 100 matches",
            Self::File => "... one matches: file",
            Self::Script => "... one matches: script, file effect",
            Self::Http => "... one matches: http to a local receiver",
            Self::BareClient => "the HTTP client alone, 16 at once",
            Self::Peer(peer) => peer.row(),
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
            Self::Peer(peer) => peer.word(),
        }
    }

    /// What it can verify.
    pub fn signed(self) -> Signed {
        match self {
            Self::Peer(peer) => peer.signed(),
            _ => Signed::TimestampAndBody,
        }
    }
}
