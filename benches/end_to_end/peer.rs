//! Other programs that receive webhooks. `scripts/bench-peers` installs them; their files are in
//! `benches/peers/`.

use crate::load::{SECRET, Signed, request};
use crate::server::{Server, on_core_0};
use std::io::{Read, Write, stderr};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const INSTALLED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../peers");
/// Far more than the slowest of them takes.
const START_TIME: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq)]
pub enum Peer {
    /// adnanh/webhook. It can only run a program; each answer waits for it, and is 500 if it fails.
    Webhook,
    /// The handler that Browser Use documents. It keeps nothing.
    FastApi,
    /// A flow: verify, switch, a line in a file. Each answer waits for its line.
    NodeRed,
}

impl Peer {
    /// What its row is called; none of them keeps an event durably.
    pub fn row(self) -> &'static str {
        match self {
            Self::Webhook => "webhook: HMAC of the body, runs /bin/true; keeps nothing",
            Self::FastApi => "FastAPI: verified, answers; keeps nothing",
            Self::NodeRed => "Node-RED: verified, switch, file; not synced",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::FastApi => "fastapi",
            Self::NodeRed => "node-red",
        }
    }

    pub fn signed(self) -> Signed {
        match self {
            // Its rules know the HMAC of the body as it came, and no other.
            Self::Webhook => Signed::Body,
            Self::FastApi | Self::NodeRed => Signed::TimestampAndBody,
        }
    }

    pub fn is_installed(self) -> bool {
        self.program().exists()
    }

    /// What `scripts/bench-peers` installs.
    fn program(self) -> PathBuf {
        let installed = Path::new(INSTALLED);
        match self {
            Self::Webhook => "/usr/bin/webhook".into(),
            Self::FastApi => installed.join("fastapi/bin/uvicorn"),
            Self::NodeRed => installed.join("node-red/node_modules/node-red/red.js"),
        }
    }

    /// Starts it on core 0, and waits until it is up.
    pub fn start(self, dir: &Path) -> (Server, SocketAddr) {
        let address = free_address();
        let mut command = self.command(dir, address.port());
        // Standard output is the table's.
        command.current_dir(dir).env("BROWSER_USE_SECRET", SECRET).stdout(stderr());
        let mut server = Server::start(&mut command);
        let start = Instant::now();
        while !self.refuses(address) {
            assert!(!server.has_ended(), "{} ended", self.word());
            assert!(start.elapsed() < START_TIME, "{} refuses no wrong signature", self.word());
            std::thread::sleep(Duration::from_millis(50));
        }
        (server, address)
    }

    fn command(self, dir: &Path, port: u16) -> Command {
        let port = port.to_string();
        match self {
            Self::Webhook => webhook(&self.program(), &port),
            Self::FastApi => fastapi(&self.program(), &port),
            Self::NodeRed => node_red(&self.program(), &port, dir),
        }
    }

    /// Its answer's beginning where the signature is wrong.
    fn refusal(self) -> &'static [u8; 12] {
        match self {
            Self::Webhook => b"HTTP/1.1 500",
            Self::FastApi | Self::NodeRed => b"HTTP/1.1 403",
        }
    }

    /// Whether it refuses a wrong signature: then it is up, and it does verify.
    fn refuses(self, address: SocketAddr) -> bool {
        let request = String::from_utf8(request(0, 0, self.signed())).expect("a request is text");
        let forged = request.replace("marketing", "marketers");
        first_bytes(address, forged.as_bytes()).is_ok_and(|answer| answer == *self.refusal())
    }
}

/// The version and the status of the answer.
fn first_bytes(address: SocketAddr, request: &[u8]) -> std::io::Result<[u8; 12]> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(request)?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn webhook(program: &Path, port: &str) -> Command {
    let mut command = on_core_0(program);
    command.args(["-ip", "127.0.0.1", "-port", port, "-template", "-hooks"]);
    command.arg(Path::new(FILES).join("hooks.json"));
    command
}

fn fastapi(program: &Path, port: &str) -> Command {
    let mut command = on_core_0(program);
    command.args(["fastapi_handler:app", "--app-dir", FILES, "--port", port]);
    command.args(["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]);
    // The handler's folder is not to be written to.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// It keeps its own files beside its settings, so that these are copied.
fn node_red(program: &Path, port: &str, dir: &Path) -> Command {
    for file in ["settings.js", "flow.json"] {
        std::fs::copy(Path::new(FILES).join("node-red").join(file), dir.join(file)).expect("a file");
    }
    let mut command = on_core_0("node");
    command.arg(program).args(["--port", port, "--userDir"]).arg(dir);
    command
}

/// One that nobody listens at.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("port 0 is free");
    listener.local_addr().expect("a bound socket has an address")
}
