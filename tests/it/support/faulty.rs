//! Somebody else's server that does everything wrong, over real sockets.

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::http;

/// What it does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Takes it and never answers.
    Hangs,
    /// Takes it and answers well, as soon as the server is mended.
    Waits,
    /// Closes without a word.
    Closes,
    /// Sends these bytes and closes.
    Says(&'static str),
    /// Sends a good answer in pieces of one byte.
    Pieces,
    /// Sends the head of an answer so slowly that it never ends.
    Trickles,
    /// Sends these bytes, and then the others again and again.
    Endless(&'static str, &'static str),
    /// Speaks TLS with a certificate that nobody knows.
    SelfSigned,
    /// Answers in plain text before anything was asked.
    Plain,
}

/// A server on a port of its own, faulty until it is mended. Its threads end with the test process.
#[derive(Clone)]
pub struct Faulty {
    pub address: SocketAddr,
    fault: Fault,
    mended: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    flooded: Arc<AtomicUsize>,
}

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl Faulty {
    pub fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (mended, asked, flooded) = (Arc::default(), Arc::default(), Arc::default());
        let server = Self { address, fault, mended, asked, flooded };
        let accepting = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = accepting.clone();
                // A client that hangs up is what some faults are about.
                std::thread::spawn(move || serving.serve(stream).ok());
            }
        });
        server
    }

    pub fn url(&self) -> String {
        let scheme = if matches!(self.fault, Fault::SelfSigned | Fault::Plain) { "https" } else { "http" };
        format!("{scheme}://{}/in", self.address)
    }

    /// From now on every answer is good.
    pub fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
    }

    /// How many connections it had, or requests, of those that had one.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn is_endless(&self) -> bool {
        matches!(self.fault, Fault::Endless(..))
    }

    /// How many bytes of an endless answer it got rid of, once the other side has closed.
    pub fn flooded(&self) -> Option<usize> {
        Some(self.flooded.load(Ordering::SeqCst)).filter(|bytes| *bytes > 0)
    }

    fn is_mended(&self) -> bool {
        self.mended.load(Ordering::SeqCst)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        if matches!(self.fault, Fault::SelfSigned | Fault::Plain) {
            self.asked.fetch_add(1, Ordering::SeqCst);
            return self.refuse_tls(stream);
        }
        loop {
            http::read_head(&mut stream)?;
            self.asked.fetch_add(1, Ordering::SeqCst);
            if !self.is_mended() && !self.misbehave(&mut stream)? {
                return Ok(());
            }
            stream.write_all(GOOD.as_bytes())?;
        }
    }

    /// Whether a good answer follows.
    fn misbehave(&self, stream: &mut TcpStream) -> io::Result<bool> {
        match self.fault {
            Fault::Hangs => stream.read_to_end(&mut Vec::new()).map(|_| false),
            Fault::Waits => {
                while !self.is_mended() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(true)
            }
            Fault::Closes => Ok(false),
            Fault::Says(bytes) => stream.write_all(bytes.as_bytes()).map(|()| false),
            Fault::Pieces => {
                GOOD.as_bytes().iter().try_for_each(|byte| stream.write_all(&[*byte])).map(|()| false)
            }
            Fault::Trickles => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ")?;
                loop {
                    stream.write_all(b"a")?;
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Fault::Endless(head, more) => {
                stream.write_all(head.as_bytes())?;
                let block = more.repeat(16_384 / more.len());
                let mut written = 1;
                while stream.write_all(block.as_bytes()).is_ok() {
                    written += block.len();
                }
                self.flooded.store(written, Ordering::SeqCst);
                Ok(false)
            }
            Fault::SelfSigned | Fault::Plain => unreachable!("they begin before a request"),
        }
    }

    fn refuse_tls(&self, mut stream: TcpStream) -> io::Result<()> {
        if matches!(self.fault, Fault::Plain) {
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
        let mut connection = ServerConnection::new(self_signed()).map_err(io::Error::other)?;
        Stream::new(&mut connection, &mut stream).read_to_end(&mut Vec::new()).map(|_| ())
    }
}

fn self_signed() -> Arc<ServerConfig> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let make = || {
        let names = vec!["127.0.0.1".to_owned()];
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).expect("a certificate can be made");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring has the default protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("key and certificate fit");
        Arc::new(config)
    };
    Arc::clone(CONFIG.get_or_init(make))
}
