//! The guarded HTTP client that every request goes out by: no redirects, no proxy from the
//! environment, HTTP/1.1, addresses checked on each connect, answers read up to a cap.

use super::egress::{Egress, Reach};
use super::{ActionError, Attempt, Consent};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error as StdError;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_IDLE_PER_HOST: usize = 32;
/// How long a body may take where only the status counts.
const BODY_PATIENCE: Duration = Duration::from_secs(1);
const USER_AGENT: &str = concat!("hookyard/", env!("CARGO_PKG_VERSION"));

/// Cheap to clone; connections are pooled by all clones.
#[derive(Clone)]
pub struct Client {
    egress: Arc<Egress>,
    consented: reqwest::Client,
    /// A pool of its own, so that no request rides on a connection it could not have opened.
    public: reqwest::Client,
}

/// What is asked.
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Its first bytes, up to the cap.
    pub body: Bytes,
    /// Whether there was more.
    pub truncated: bool,
}

/// An answer that is read as it comes.
pub struct Following {
    response: reqwest::Response,
    host: String,
}

impl Following {
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// [`SendError`] if the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SendError> {
        self.response.chunk().await.map_err(|error| explain(&error, &self.host))
    }
}

/// Why there is no answer. Never shows the URL, which may hold secrets: only its host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The request cannot be made, or its destination is refused.
    #[error("{0}")]
    Blocked(String),
    /// No connection, a broken one, a time limit.
    #[error("{0}")]
    Failed(String),
}

impl From<SendError> for ActionError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Blocked(error) => Self::Blocked(error),
            SendError::Failed(error) => Self::Down(error),
        }
    }
}

impl Client {
    /// Touches neither network nor disk.
    pub fn new(egress: Egress) -> Self {
        let egress = Arc::new(egress);
        let build = |reach| build(Resolver { egress: Arc::clone(&egress), reach });
        Self { consented: build(Reach::Consented), public: build(Reach::Public), egress }
    }

    /// Which addresses it may go to.
    pub(super) fn egress(&self) -> &Arc<Egress> {
        &self.egress
    }

    /// Sends one request and reads up to `cap_bytes` of its answer, whatever the status. The
    /// caller bounds the time. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        request: Request,
        consent: &Consent,
        cap_bytes: usize,
    ) -> Result<Answer, SendError> {
        let (response, host) = self.open(request, consent).await?;
        let mut answer = Reading::begin(response, cap_bytes);
        answer.go_on().await.map_err(|error| explain(&error, &host))?;
        Ok(answer.done())
    }

    /// Sends one request whose verdict is its status: of the body only what comes soon is read,
    /// at most `cap_bytes`, and one that breaks off or trickles takes nothing from the verdict.
    ///
    /// # Errors
    /// [`SendError`], until the status is there.
    pub(super) async fn deliver(
        &self,
        request: Request,
        consent: &Consent,
        cap_bytes: usize,
    ) -> Result<Answer, SendError> {
        let (response, _) = self.open(request, consent).await?;
        let mut answer = Reading::begin(response, cap_bytes);
        let read = tokio::time::timeout(BODY_PATIENCE, answer.go_on()).await;
        answer.truncated |= !matches!(read, Ok(Ok(())));
        Ok(answer.done())
    }

    /// Sends one request whose answer goes on and on. Nothing bounds the time.
    ///
    /// # Errors
    /// [`SendError`], until the status is there.
    pub async fn follow(&self, request: Request, consent: &Consent) -> Result<Following, SendError> {
        let (response, host) = self.open(request, consent).await?;
        Ok(Following { response, host })
    }

    async fn open(
        &self,
        request: Request,
        consent: &Consent,
    ) -> Result<(reqwest::Response, String), SendError> {
        let url = destination(&request.url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let reach = self.egress.reach(&url, consent);
        if let Some(address) = literal_address(&url) {
            // The resolver is never asked about these.
            self.egress.check(address, reach).map_err(SendError::Blocked)?;
        }
        let client = match reach {
            Reach::Consented => &self.consented,
            Reach::Public => &self.public,
        };
        let sent = client.request(request.method, url).headers(request.headers).body(request.body).send();
        let response = sent.await.map_err(|error| explain(&error, &host))?;
        Ok((response, host))
    }
}

/// Sets what is left to the client by all kinds: the identity of the delivery and its trace.
pub(super) fn identify(headers: &mut HeaderMap, attempt: &Attempt) -> Result<(), ActionError> {
    headers.insert("idempotency-key", header_value("Idempotency-Key", &attempt.id.to_string())?);
    headers.insert("traceparent", header_value("traceparent", &attempt.trace.parent())?);
    Ok(())
}

/// A header's value, whose bytes may be any but control characters (RFC 9110 section 5.5).
pub(super) fn header_value(name: &str, value: &str) -> Result<HeaderValue, ActionError> {
    let refused =
        |_| ActionError::Blocked(format!("the header `{name}` would have control characters in it"));
    HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes())).map_err(refused)
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, ActionError> {
    name.parse().map_err(|_| ActionError::Blocked(format!("`{name}` is not a header's name")))
}

/// What `Retry-After` asks for: seconds, or the time until a date (RFC 9110 section 10.2.3).
/// "At once" is no wish for a wait: then the schedule holds, and no receiver is hammered.
pub(super) fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Duration::try_from(date.duration_since(now)).ok()?
    };
    (!wait.is_zero()).then_some(wait)
}

/// The beginning of an answer on one line, for an error.
pub(super) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn build(resolver: Resolver) -> reqwest::Client {
    builder().dns_resolver(resolver).build().expect("a client of constant settings can be built")
}

fn builder() -> reqwest::ClientBuilder {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring has the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .referer(false)
        .retry(reqwest::retry::never())
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
}

/// Reads a URL that can be a destination.
///
/// # Errors
/// Not a URL with a host, or neither http nor https. The URL itself is not shown.
pub(super) fn destination(text: &str) -> Result<Url, SendError> {
    let url =
        Url::parse(text).map_err(|error| SendError::Blocked(format!("the URL cannot be read: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => {
            Err(SendError::Blocked(format!("a URL begins with `http://` or `https://`, not `{scheme}:`")))
        }
    }
}

fn literal_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// An answer whose body is being read. What was read stays if the reading is abandoned.
struct Reading {
    response: reqwest::Response,
    body: Vec<u8>,
    cap_bytes: usize,
    truncated: bool,
}

impl Reading {
    fn begin(response: reqwest::Response, cap_bytes: usize) -> Self {
        Self { response, body: Vec::new(), cap_bytes, truncated: false }
    }

    /// Reads to the end or the cap. Dropping the future loses at most the chunk under way.
    async fn go_on(&mut self) -> Result<(), reqwest::Error> {
        while let Some(chunk) = self.response.chunk().await? {
            let room = self.cap_bytes - self.body.len();
            self.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                self.truncated = true;
                break;
            }
        }
        Ok(())
    }

    /// Closes the connection unless the body was read to its end.
    fn done(mut self) -> Answer {
        Answer {
            status: self.response.status(),
            headers: std::mem::take(self.response.headers_mut()),
            body: self.body.into(),
            truncated: self.truncated,
        }
    }
}

/// What went wrong and with which host: reqwest's own sentence would show the URL.
fn explain(error: &reqwest::Error, host: &str) -> SendError {
    let mut cause = error.source();
    let mut deepest = None;
    while let Some(inner) = cause {
        if let Some(Refused(why)) = inner.downcast_ref() {
            return SendError::Blocked(format!("{host}: {why}"));
        }
        deepest = Some(inner.to_string());
        cause = inner.source();
    }
    let what = match error {
        error if error.is_timeout() => "no answer in time from",
        error if error.is_connect() => "cannot connect to",
        error if error.is_builder() => {
            return SendError::Blocked(format!("no request can be made to {host}"));
        }
        _ => "the connection broke to",
    };
    let deepest = deepest.map(|cause| format!(": {cause}")).unwrap_or_default();
    SendError::Failed(format!("{what} {host}{deepest}"))
}

/// Resolves by the system, and lets through only what may be reached.
struct Resolver {
    egress: Arc<Egress>,
    reach: Reach,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (egress, reach) = (Arc::clone(&self.egress), self.reach);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect::<Vec<_>>();
            let permitted = egress.permitted(found, reach).map_err(Refused)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_to_come_and_garbage_is_nothing() {
        let now = "2026-11-23T08:00:00Z".parse().unwrap();
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
            retry_after(&headers, now)
        };
        assert_eq!(wait(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(wait("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(wait("Mon, 23 Nov 2026 08:01:00 GMT"), Some(Duration::from_secs(60)));
        for text in ["0", "-5", "+5", "1.5", "soon", "", "Sun, 22 Nov 2026 08:00:00 GMT", "Xxx, 99 Nov 2026"]
        {
            assert_eq!(wait(text), None, "{text}");
        }
    }

    #[test]
    fn every_notation_of_an_address_is_that_address() {
        let egress = Egress::default();
        let nobody = Consent::Hosts(Default::default());
        for url in [
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://１２７.0.0.1/",
            "http://user:word@127.0.0.1/",
            "http://public.example@127.0.0.1/",
            "http://127.0.0.1#@public.example/",
            "http://[::ffff:127.0.0.1]/",
            "http:\\\\127.0.0.1/",
        ] {
            let url = destination(url).expect(url);
            let address = literal_address(&url).unwrap_or_else(|| panic!("{url} is a literal address"));
            let reach = egress.reach(&url, &nobody);
            assert!(egress.check(address, reach).is_err(), "{url}");
        }
        let consent = Consent::Hosts(Arc::new(["crm.example:443".to_owned()].into()));
        let reach = |url: &str| egress.reach(&destination(url).unwrap(), &consent);
        for url in ["HTTPS://CRM.Example./x", "https://crm.example:443", "http://crm.example:443/"] {
            assert_eq!(reach(url), Reach::Consented, "{url}");
        }
        for url in ["http://crm.example/x", "https://crm.example:8443/", "https://crm.example@x.example/"] {
            assert_eq!(reach(url), Reach::Public, "{url}");
        }
    }
}
