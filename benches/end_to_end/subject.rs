//! What is measured: a server that does some work, in a directory of its own.

use crate::load::{Accepted, SECRET};
use crate::peer::Peer;
use crate::rules;
use crate::server::{Server, on_core_0};
use crate::work::Work;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What one round of a work came to.
pub struct Figures {
    /// Requests per second; with deliveries, until the last of them has arrived.
    pub rate: f64,
    /// Of the server and the programs it runs, for each event.
    pub cpu_us: f64,
    pub peak_mb: f64,
    /// For a thousand events.
    pub commits: f64,
}

pub struct Subject {
    pub address: SocketAddr,
    /// Where hookyard's metrics are.
    admin: Option<SocketAddr>,
    work: Work,
    server: Server,
    /// What starting took: seconds, where the server is a runtime that compiles.
    start_cpu_us: f64,
    dir: TempDir,
}

impl Subject {
    /// Starts it on core 0.
    pub fn start(work: Work, receiver: SocketAddr) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let (server, address, admin) = match work {
            Work::BareWarp => bare_warp(),
            Work::Peer(peer) => {
                let (server, address) = peer.start(dir.path());
                (server, address, None)
            }
            _ => {
                rules::write(work, receiver, dir.path());
                hookyard(dir.path())
            }
        };
        let start_cpu_us = server.cpu_us();
        Self { address, admin, work, server, start_cpu_us, dir }
    }

    /// Waits until the last delivery has arrived, and says what all took.
    pub fn finish(self, accepted: &Accepted, received: impl Fn() -> u64) -> Figures {
        let total = accepted.total as f64;
        Figures {
            rate: self.rate(accepted, received),
            cpu_us: (self.server.cpu_us() - self.start_cpu_us) / total,
            peak_mb: self.server.peak_mb(),
            commits: self.admin.map_or(0.0, |admin| commits(admin) * 1000.0 / total),
        }
    }

    fn rate(&self, accepted: &Accepted, received: impl Fn() -> u64) -> f64 {
        match self.work {
            Work::File | Work::Script => wait_for(accepted.total, || self.lines()),
            Work::Http => wait_for(accepted.total, received),
            Work::Peer(Peer::NodeRed) => {
                // It answers when it has written the line; that none is missing is all there is to see.
                wait_for(accepted.total, || self.lines());
                return accepted.rate();
            }
            _ => return accepted.rate(),
        }
        accepted.total as f64 / accepted.started.elapsed().as_secs_f64()
    }

    /// Those of all files; rotated ones count too.
    fn lines(&self) -> u64 {
        let files = std::fs::read_dir(self.dir.path().join("data/files")).into_iter().flatten().flatten();
        files
            .map(|file| {
                std::fs::read(file.path())
                    .map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count() as u64)
            })
            .sum()
    }
}

fn bare_warp() -> (Server, SocketAddr, Option<SocketAddr>) {
    let own = std::env::current_exe().expect("this program has a path");
    let (server, [address]) = Server::announced(on_core_0(own).arg("--bare-warp"), ["hooks"]);
    (server, address, None)
}

fn hookyard(dir: &Path) -> (Server, SocketAddr, Option<SocketAddr>) {
    let mut command = on_core_0(env!("CARGO_BIN_EXE_hookyard"));
    command.arg("serve").current_dir(dir).env("BROWSER_USE_SECRET", SECRET).env("HOOKYARD_LOG", "warn");
    let (server, [address, admin]) = Server::announced(&mut command, ["hooks", "admin"]);
    (server, address, Some(admin))
}

/// How many commits hookyard's journal has made.
fn commits(admin: SocketAddr) -> f64 {
    let mut stream = TcpStream::connect(admin).expect("the admin listener listens");
    stream
        .write_all(format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n").as_bytes())
        .expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("metrics are text");
    let value = answer.lines().find_map(|line| line.strip_prefix("hookyard_commit_group_size_count "));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no commits are counted: {answer}"))
}

fn wait_for(wanted: u64, arrived: impl Fn() -> u64) {
    let start = Instant::now();
    while arrived() < wanted {
        assert!(start.elapsed() < Duration::from_secs(300), "{} of {wanted} deliveries arrived", arrived());
        std::thread::sleep(Duration::from_millis(20));
    }
}
