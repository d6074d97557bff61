//! One conversation with a mail server: connect, encrypt, authenticate, hand in.
//!
//! Sources: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 4954 (authentication), RFC 6531 (SMTPUTF8).

use super::letter::{Letter, beginning};
use super::server::{Security, Server};
use crate::action::client::{CONNECT_TIMEOUT, excerpt};
use crate::action::http::EXCERPT_BYTES;
use crate::action::{ActionError, Consent, Egress};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a goodbye may take: the verdict is there already.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(1);
/// What a server says that is about to close (RFC 5321 section 3.8).
const NOT_AVAILABLE: u16 = 421;
/// What a server answers to a mail for want of authentication or encryption (RFC 4954 section 6).
const UNAUTHENTICATED: [u16; 4] = [530, 534, 535, 538];

/// Hands a mail in. The caller bounds the time; dropping the future closes the connection.
///
/// Returns the server's answer.
///
/// # Errors
/// The step that failed decides what is to become of the delivery: see [`failed`].
pub(super) async fn hand_in(
    server: &Server,
    egress: &Egress,
    consent: &Consent,
    roots: &[Certificate],
    credentials: Option<&Credentials>,
    letter: &Letter,
) -> Result<String, ActionError> {
    let addresses = server.addresses(egress, consent).await?;
    let name = server.name();
    let fail = |step| {
        let name = &name;
        move |error| failed(step, name, &error)
    };
    let tls = tls(&name, roots).map_err(fail(Step::Connect))?;
    let implicit = (server.security == Security::Tls).then(|| tls.clone());
    let mut connection = connect(&addresses, implicit).await.map_err(fail(Step::Connect))?;
    if server.security == Security::StartTls {
        if !connection.can_starttls() {
            return Err(ActionError::Blocked(no_starttls(&name)));
        }
        connection.starttls(tls, &ClientId::default()).await.map_err(fail(Step::Connect))?;
    }
    if let Some(credentials) = credentials {
        let answer = connection.auth(DEFAULT_MECHANISMS, credentials).await;
        answer.map_err(fail(Step::Authenticate))?;
    }
    if letter.utf8 && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        return Err(ActionError::Refused(format!(
            "{name} takes no address with other than ASCII characters"
        )));
    }
    let accepted = offer(&mut connection, letter).await.map_err(fail(Step::Offer));
    // For the server's log: whether it hears or answers this changes nothing.
    drop(tokio::time::timeout(GOODBYE_PATIENCE, connection.quit()).await);
    accepted
        .map(|answer| format!("{} {}", answer.code(), said(&answer.message().collect::<Vec<_>>().join(" "))))
}

/// Trusts the roots that the HTTP client trusts, and these.
fn tls(name: &str, roots: &[Certificate]) -> Result<TlsParameters, Error> {
    let builder = TlsParameters::builder(name.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    roots.iter().cloned().fold(builder, |builder, root| builder.add_root_certificate(root)).build()
}

/// The first address that greets; the last one's error.
async fn connect(addresses: &[SocketAddr], tls: Option<TlsParameters>) -> Result<AsyncSmtpConnection, Error> {
    let (last, others) = addresses.split_last().expect("there is at least one address");
    let to = |address: SocketAddr| {
        let tls = tls.clone();
        async move {
            let hello = ClientId::default();
            AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT_TIMEOUT), &hello, tls, None).await
        }
    };
    for address in others {
        if let Ok(connection) = to(*address).await {
            return Ok(connection);
        }
    }
    to(*last).await
}

/// All get it or none: had some got it already, they would get it again with the next attempt.
async fn offer(connection: &mut AsyncSmtpConnection, letter: &Letter) -> Result<Response, Error> {
    let envelope = &letter.envelope;
    let utf8 = [MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)];
    let options = if letter.utf8 { utf8.into() } else { Vec::new() };
    connection.command(Mail::new(envelope.from().cloned(), options)).await?;
    for recipient in envelope.to() {
        connection.command(Rcpt::new(recipient.clone(), Vec::new())).await?;
    }
    connection.command(Data).await?;
    connection.message(&letter.bytes).await
}

/// Where a conversation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Until the mail or the credentials are offered: what is said there is not about them.
    Connect,
    Authenticate,
    Offer,
}

/// A mail that is refused for good is dead; credentials that are refused, or that are wanted, are
/// the author's to mend; all else may have another end the next time. A server that does not greet,
/// breaks off or says goodbye does not work.
fn failed(step: Step, name: &str, error: &Error) -> ActionError {
    let code = error.status().map(u16::from);
    let sentence = explain(step, name, code, error);
    let permanent = error.is_permanent();
    match step {
        Step::Authenticate if permanent || error.is_client() => ActionError::Blocked(sentence),
        Step::Offer if code.is_some_and(|code| UNAUTHENTICATED.contains(&code)) => {
            ActionError::Blocked(format!("{sentence} (`auth` and the scheme of `server` decide)"))
        }
        Step::Offer if permanent => ActionError::Refused(sentence),
        Step::Authenticate | Step::Offer if code.is_some_and(|code| code != NOT_AVAILABLE) => {
            ActionError::Retry { error: sentence, after: None }
        }
        _ => ActionError::Down(sentence),
    }
}

/// `550 from smtp.example: no such user`, or what broke.
fn explain(step: Step, name: &str, code: Option<u16>, error: &Error) -> String {
    let mut cause = error.source();
    let mut deepest = String::new();
    while let Some(inner) = cause {
        deepest = inner.to_string();
        cause = inner.source();
    }
    let deepest = said(&deepest);
    let colon = if deepest.is_empty() { "" } else { ": " };
    match (code, step) {
        (Some(code), _) => format!("{code} from {name}{colon}{deepest}"),
        (None, Step::Connect) => format!("cannot connect to {name}{colon}{deepest}"),
        (None, Step::Authenticate) => format!("cannot authenticate with {name}{colon}{deepest}"),
        (None, Step::Offer) => format!("the connection broke to {name}{colon}{deepest}"),
    }
}

/// What a server said, on one line of bounded length.
fn said(text: &str) -> String {
    let line = excerpt(text.as_bytes());
    beginning(&line, EXCERPT_BYTES).to_owned()
}

fn no_starttls(name: &str) -> String {
    format!(
        "{name} offers no STARTTLS: write `smtps://` if it speaks TLS from the start, or `smtp+plain://` if \
         the connection may be unencrypted"
    )
}
