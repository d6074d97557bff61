//! A small mail server on a real socket: it answers what a test says and remembers what it heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What a server is like. `answers` replaces the usual answer to a command, `.` being the end of a
/// mail, `hello` the greeting; an empty answer is none.
#[derive(Clone, Default)]
pub struct Nature {
    pub extensions: Vec<&'static str>,
    pub answers: BTreeMap<&'static str, &'static str>,
    pub implicit_tls: bool,
}

impl Nature {
    pub fn with(extensions: &[&'static str]) -> Self {
        Self { extensions: extensions.to_vec(), ..Self::default() }
    }

    pub fn answering(mut self, command: &'static str, answer: &'static str) -> Self {
        self.answers.insert(command, answer);
        self
    }
}

/// All that came: the commands as they are, a mail's lines without their dots, and when it ended.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The arguments of a command, each time it came.
    pub fn told(&self, command: &str) -> Vec<String> {
        self.lines().iter().filter_map(|line| line.strip_prefix(command)).map(str::to_owned).collect()
    }

    /// The lines of the mail, between DATA and the dot.
    pub fn mail(&self) -> Vec<String> {
        let lines = self.lines();
        let lines = lines.into_iter().skip_while(|line| line != "DATA").skip(1);
        lines.take_while(|line| line != "<end of mail>").collect()
    }
}

pub struct MailServer {
    pub address: SocketAddr,
    pub heard: Heard,
    /// Its certificate, for `localhost` and signed by itself.
    pub certificate: Vec<u8>,
    /// Told each time a connection has ended.
    pub ended: tokio::sync::mpsc::Receiver<()>,
}

impl MailServer {
    pub async fn start(nature: Nature) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let tls = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let (heard, acceptor) = (Heard::default(), TlsAcceptor::from(Arc::new(tls)));
        let (end, ended) = tokio::sync::mpsc::channel(16);
        let told = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &acceptor, &nature, &told).await;
                if end.send(()).await.is_err() {
                    return;
                }
            }
        });
        Self { address, heard, certificate: cert.der().to_vec(), ended }
    }
}

async fn serve(stream: TcpStream, acceptor: &TlsAcceptor, nature: &Nature, heard: &Heard) {
    if nature.implicit_tls {
        if let Ok(stream) = acceptor.accept(stream).await {
            converse(stream, nature, heard, true).await;
        }
    } else if let Some(stream) = converse(stream, nature, heard, true).await {
        heard.note("<encrypted>");
        if let Ok(stream) = acceptor.accept(stream).await {
            converse(stream, nature, heard, false).await;
        }
    }
}

/// Returns the stream when it is to be encrypted.
async fn converse<S>(stream: S, nature: &Nature, heard: &Heard, greets: bool) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    if greets {
        answer(&mut stream, nature, "hello", "220 ready").await?;
    }
    loop {
        let line = read_line(&mut stream).await?;
        heard.note(&line);
        let verb = line.split(' ').next().unwrap_or_default();
        match verb {
            "EHLO" => {
                let names = nature.extensions.iter().map(|name| format!("250-{name}\r\n"));
                let hello = format!("250-there\r\n{}250 HELP", names.collect::<String>());
                answer(&mut stream, nature, "EHLO", &hello).await?;
            }
            "STARTTLS" => {
                answer(&mut stream, nature, "STARTTLS", "220 go on").await?;
                return Some(stream.into_inner());
            }
            "AUTH" => answer(&mut stream, nature, "AUTH", "235 welcome").await?,
            "DATA" => {
                answer(&mut stream, nature, "DATA", "354 go on").await?;
                read_mail(&mut stream, heard).await?;
                answer(&mut stream, nature, ".", "250 2.0.0 queued as 42").await?;
            }
            "QUIT" => {
                answer(&mut stream, nature, "QUIT", "221 bye").await?;
                return None;
            }
            _ => answer(&mut stream, nature, verb, "250 fine").await?,
        }
    }
}

async fn answer<S>(stream: &mut BufReader<S>, nature: &Nature, command: &str, usual: &str) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let text = nature.answers.get(command).copied().unwrap_or(usual);
    if !text.is_empty() {
        stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
    Some(())
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    assert!(read == 0 || line.ends_with("\r\n"), "a line ends in CRLF: {line:?}");
    (read > 0).then(|| line.trim_end_matches("\r\n").to_owned())
}

async fn read_mail<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, heard: &Heard) -> Option<()> {
    loop {
        let line = read_line(stream).await?;
        if line == "." {
            heard.note("<end of mail>");
            return Some(());
        }
        heard.note(line.strip_prefix('.').unwrap_or(&line));
    }
}
