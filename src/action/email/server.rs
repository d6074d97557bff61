//! The mail server of an action: its URL, and what of it may be connected to.

use crate::action::egress::Egress;
use crate::action::{ActionError, Consent};
use crate::template::endpoint;
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

/// Where mail is handed in.
pub(super) struct Server {
    url: Url,
    host: Host,
    port: u16,
    pub security: Security,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// STARTTLS, and nothing without it (RFC 3207).
    StartTls,
    Plain,
}

impl Server {
    /// Reads a URL. It may hold a secret, so that no error shows it.
    ///
    /// # Errors
    /// What is not one of the three schemes with a host, or has more than a port behind it.
    pub fn read(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("the URL of the mail server cannot be read: {error}"))?;
        let security = match url.scheme() {
            "smtps" => Security::Tls,
            "smtp" => Security::StartTls,
            "smtp+plain" => Security::Plain,
            scheme => {
                return Err(format!(
                    "the URL of a mail server begins with `smtps://`, with `smtp://` for STARTTLS or with \
                     `smtp+plain://` for no encryption at all, not with `{scheme}:`"
                ));
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("user and password stand in `auth`, not in the URL of the mail server".to_owned());
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("the URL of a mail server ends behind its host and port".to_owned());
        }
        let (host, port) = endpoint(&url).ok_or("the URL of the mail server has no host that can be read")?;
        Ok(Self { url, host, port, security })
    }

    /// For messages, and for the certificate: an IPv6 address without its brackets.
    pub fn name(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    /// The addresses that may be connected to, at least one.
    ///
    /// # Errors
    /// A name that leads nowhere (to be tried again), or only where it must not.
    pub async fn addresses(
        &self,
        egress: &Egress,
        consent: &Consent,
    ) -> Result<Vec<SocketAddr>, ActionError> {
        let name = self.name();
        let at = |address: IpAddr| vec![SocketAddr::new(address, self.port)];
        let found = match &self.host {
            Host::Ipv4(address) => at((*address).into()),
            Host::Ipv6(address) => at((*address).into()),
            Host::Domain(domain) => {
                let found = tokio::net::lookup_host((domain.as_str(), self.port)).await;
                found.map_err(|error| ActionError::Down(format!("cannot find {name}: {error}")))?.collect()
            }
        };
        let permitted = egress.permitted(found, egress.reach(&self.url, consent));
        let permitted = permitted.map_err(|why| ActionError::Blocked(format!("{name}: {why}")))?;
        if permitted.is_empty() {
            return Err(ActionError::Down(format!("{name} has no address")));
        }
        Ok(permitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_how() {
        for (text, name, port, security) in [
            ("smtps://smtp.example", "smtp.example", 465, Security::Tls),
            ("SMTPS://Smtp.Example.:443/", "smtp.example", 443, Security::Tls),
            ("smtp://smtp.example", "smtp.example", 587, Security::StartTls),
            ("smtp+plain://127.1:2525", "127.0.0.1", 2525, Security::Plain),
            ("smtp+plain://[::1]", "::1", 25, Security::Plain),
            ("smtp://bücher.example", "xn--bcher-kva.example", 587, Security::StartTls),
        ] {
            let server = Server::read(text).expect(text);
            assert_eq!((&*server.name(), server.port, server.security), (name, port, security), "{text}");
        }
    }

    #[test]
    fn what_is_no_mail_server_is_refused_and_never_shown() {
        for text in [
            "",
            "s3cret.example",
            "s3cret.example:465",
            "https://s3cret.example",
            "smtp:s3cret.example",
            "smtp:///s3cret",
            "smtps://u:s3cret@smtp.example",
            "smtps://s3cret@smtp.example",
            "smtps://smtp.example/s3cret",
            "smtps://smtp.example?s3cret",
            "smtps://smtp.example#s3cret",
            "smtps://s3cret example",
        ] {
            let error = Server::read(text).err().unwrap_or_else(|| panic!("{text} was read"));
            assert!(!error.contains("s3cret") || text.starts_with("s3cret.example:"), "{text}: {error}");
        }
    }
}
