//! Why a request is refused, in words that its sender may read.

use http::StatusCode;

/// Longest text of a body's error, in characters: a key from the body may be in it.
const MAX_TEXT_CHARS: usize = 200;

/// A request that is not accepted. `Display` is what the client is told; it never says what would
/// have been right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not what the preset takes.
    #[error("the body cannot be verified: {0}")]
    Body(String),
    #[error("this source has no secret yet")]
    NoSecret,
    #[error("the header {0} is missing or empty")]
    HeaderMissing(&'static str),
    #[error("the header {0} is there more than once")]
    HeaderTwice(&'static str),
    #[error("the header {0} is neither Unix seconds nor RFC 3339 with an offset")]
    TimestampForm(&'static str),
    #[error("the timestamp is outside the accepted window")]
    TimestampWindow,
    #[error("the signature does not match")]
    Signature,
}

impl Refused {
    /// [`Refused::Body`], with the reason cut to a bounded length.
    pub(super) fn body(reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        if let Some((end, _)) = reason.char_indices().nth(MAX_TEXT_CHARS) {
            reason.truncate(end);
            reason.push('…');
        }
        Self::Body(reason)
    }

    /// What the request is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Body(_) | Self::HeaderMissing(_) | Self::HeaderTwice(_) | Self::TimestampForm(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::TimestampWindow | Self::Signature => StatusCode::FORBIDDEN,
            Self::NoSecret => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The label `reason` of the metric.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Body(_) => "body",
            Self::NoSecret => "no_secret",
            Self::HeaderMissing(_) => "header_missing",
            Self::HeaderTwice(_) => "header_twice",
            Self::TimestampForm(_) => "timestamp_form",
            Self::TimestampWindow => "timestamp_window",
            Self::Signature => "signature",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_is_told_has_a_bounded_length() {
        let told = Refused::body("ü".repeat(100_000)).to_string();
        assert!(told.chars().count() < 300 && told.ends_with("ü…"), "{told}");
        assert_eq!(Refused::body("short").to_string(), "the body cannot be verified: short");
    }
}
