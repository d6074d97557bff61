//! Who may use the admin side: whoever has the token; without one, this machine only.

use crate::config::is_loopback;
use crate::secret::Secret;
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

/// The check that every guarded request passes.
pub(super) struct Guard {
    pub token: Option<Secret>,
}

/// Why a request was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("send the admin token as `Authorization: Bearer …`")]
    Token,
    #[error("without an admin token, only `Host: localhost` or a loopback address is answered")]
    Host,
    #[error("a web page of another origin may not use the admin side")]
    Origin,
}

impl Refused {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Host | Self::Origin => StatusCode::FORBIDDEN,
        }
    }
}

impl Guard {
    /// A page that the operator has open in a browser must not be able to use the admin side:
    /// `Origin` stops cross-site requests, `Host` stops names that were rebound to 127.0.0.1.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(header::HOST).unwrap_or_default();
        if let Some(origin) = text(header::ORIGIN)
            && origin.split_once("://").map(|(_, host)| host) != Some(host)
        {
            return Err(Refused::Origin);
        }
        match &self.token {
            Some(token) => {
                let (scheme, given) =
                    text(header::AUTHORIZATION).and_then(|value| value.split_once(' ')).unwrap_or_default();
                // The scheme in any case: RFC 9110 section 11.1.
                let given = if scheme.eq_ignore_ascii_case("bearer") { given } else { "" };
                if same(given, token.expose()) { Ok(()) } else { Err(Refused::Token) }
            }
            None if is_loopback(host) => Ok(()),
            None => Err(Refused::Host),
        }
    }
}

/// Compares digests, so that the time it takes says nothing about where two texts differ.
fn same(given: &str, wanted: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    digest(given).iter().zip(digest(wanted).iter()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: Option<&str>, headers: &[(&'static str, &'static str)]) -> Result<(), Refused> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, http::HeaderValue::from_static(value));
        }
        Guard { token: token.map(Secret::new) }.check(&map)
    }

    #[test]
    fn without_a_token_only_this_machine_is_answered() {
        for host in ["localhost", "localhost:8081", "127.0.0.1:8081", "[::1]:8081"] {
            assert_eq!(check(None, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:8081", "localhost.evil.example", "", "10.0.0.1"]
        {
            assert_eq!(check(None, &[("host", host)]), Err(Refused::Host), "{host}");
        }
    }

    #[test]
    fn with_a_token_the_token_decides() {
        let host = ("host", "hooks.example");
        for good in ["Bearer t0ken", "bearer t0ken"] {
            assert_eq!(check(Some("t0ken"), &[host, ("authorization", good)]), Ok(()), "{good}");
        }
        for wrong in ["Bearer t0ke", "Bearer t0kenn", "t0ken", "Basic t0ken", "Bearer "] {
            assert_eq!(
                check(Some("t0ken"), &[host, ("authorization", wrong)]),
                Err(Refused::Token),
                "{wrong}"
            );
        }
        assert_eq!(check(Some("t0ken"), &[host]), Err(Refused::Token));
    }

    #[test]
    fn another_origin_is_refused_even_with_the_token() {
        let good = [("host", "localhost:8081"), ("authorization", "Bearer t0ken")];
        for origin in ["https://evil.example", "null", "http://localhost:3000"] {
            assert_eq!(check(Some("t0ken"), &[good[0], good[1], ("origin", origin)]), Err(Refused::Origin));
        }
        assert_eq!(check(None, &[good[0], ("origin", "http://localhost:8081")]), Ok(()));
    }
}
