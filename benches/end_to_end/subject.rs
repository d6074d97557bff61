//! What is measured: a bare warp route, or hookyard with some rules.

use crate::load::{Accepted, SECRET};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use warp::Filter;

/// `USER_HZ`, which is 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one round of a work came to.
pub struct Figures {
    /// Requests per second; with deliveries, until the last of them has arrived.
    pub rate: f64,
    /// Of the server, for each event.
    pub cpu_us: f64,
    pub peak_mb: f64,
    /// For a thousand events.
    pub commits: f64,
}

fn metrics(admin: SocketAddr) -> String {
    let mut stream = TcpStream::connect(admin).expect("the admin listener listens");
    stream
        .write_all(format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n").as_bytes())
        .expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("metrics are text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// Which work the server does for a request.
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
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::BareWarp => "bare warp, answers ok",
            Self::NoneMatches => "verified, durable, none of 100 matches",
            Self::File => "... one matches: file",
            Self::Script => "... one matches: script, file effect",
            Self::Http => "... one matches: http to a local receiver",
            Self::BareClient => "the HTTP client alone, 16 at once",
        }
    }

    /// What `--only` calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::BareWarp => "bare",
            Self::NoneMatches => "none",
            Self::File => "file",
            Self::Script => "script",
            Self::Http => "http",
            Self::BareClient => "client",
        }
    }

    fn rules(self, receiver: SocketAddr) -> String {
        let mut rules = "rules:\n".to_owned();
        for number in 0..100 {
            let _ = writeln!(
                rules,
                "  - {{name: r{number}, match: {{status: finished, metadata: {{team: team-{number}}}}}, actions: [{{log: {{}}}}]}}"
            );
        }
        match self {
            Self::BareWarp | Self::NoneMatches | Self::BareClient => {}
            Self::Http => {
                let _ = writeln!(
                    rules,
                    "  - {{name: http, match: {{status: finished}}, actions: [{{http: {{url: 'http://{receiver}/'}}}}]}}"
                );
            }
            Self::File => rules.push_str("  - {name: file, match: {status: finished}, actions: [{file: {path: all.txt, text: '{{ payload.task_id }}'}}]}\n"),
            Self::Script => rules.push_str("  - {name: script, match: {status: finished}, actions: [{script: one.rhai}]}\n"),
        }
        rules
    }
}

/// A server under test, in a directory of its own. Killed when dropped.
pub struct Subject {
    pub address: SocketAddr,
    /// Where hookyard's metrics are.
    admin: Option<SocketAddr>,
    work: Work,
    child: Child,
    dir: TempDir,
}

impl Subject {
    /// Starts it on core 0.
    pub fn start(work: Work, receiver: SocketAddr) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let write = |path: &str, text: &str| std::fs::write(dir.path().join(path), text).expect("a file");
        std::fs::create_dir(dir.path().join("rules")).expect("a directory");
        write("hookyard.yaml", "listen: 127.0.0.1:0\nadmin: {listen: '127.0.0.1:0'}\n");
        write("rules/rules.yaml", &work.rules(receiver));
        write(
            "rules/one.rhai",
            "fn on_event(event) { file(#{path: \"all.txt\", text: event.payload.task_id}); }",
        );
        let own = std::env::current_exe().expect("this program has a path");
        let (program, argument) = match work {
            Work::BareWarp => (own.as_path(), "--bare-warp"),
            _ => (Path::new(env!("CARGO_BIN_EXE_hookyard")), "serve"),
        };
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .arg(argument)
            .current_dir(dir.path())
            .env("BROWSER_USE_SECRET", SECRET)
            .env("HOOKYARD_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset and the server can be started");
        let mut output = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut address_behind = |word: &str| -> SocketAddr {
            let mut line = String::new();
            while !line.trim_start().starts_with(word) {
                line.clear();
                assert!(output.read_line(&mut line).expect("output is text") > 0, "the server ended");
            }
            let address = line.split("http://").nth(1).and_then(|url| url.split('/').next());
            address.and_then(|address| address.trim().parse().ok()).expect("the line has an address")
        };
        let address = address_behind("hooks");
        let admin = (work != Work::BareWarp).then(|| address_behind("admin"));
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Self { address, admin, work, child, dir }
    }

    /// Waits until the last delivery has arrived, and says what all took.
    pub fn finish(self, accepted: &Accepted, received: impl Fn() -> u64) -> Figures {
        let rate = match self.work {
            Work::BareWarp | Work::NoneMatches => accepted.counted as f64 / accepted.seconds,
            Work::File | Work::Script => {
                wait_for(accepted.total, || self.lines());
                accepted.total as f64 / accepted.started.elapsed().as_secs_f64()
            }
            Work::Http | Work::BareClient => {
                wait_for(accepted.total, received);
                accepted.total as f64 / accepted.started.elapsed().as_secs_f64()
            }
        };
        let metrics = self.admin.map(metrics).unwrap_or_default();
        let sum_of = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse::<f64>().ok())
        };
        let commits = sum_of("hookyard_commit_group_size_count");
        Figures {
            rate,
            cpu_us: self.cpu_us() / accepted.total as f64,
            peak_mb: self.peak_mb(),
            commits: commits.map_or(0.0, |commits| commits * 1000.0 / accepted.total as f64),
        }
    }

    /// What the server's threads have computed, in the program and in the kernel.
    fn cpu_us(&self) -> f64 {
        let stat = self.proc("stat");
        // Behind the name in brackets: `utime` and `stime` are the 14th and 15th field (proc_pid_stat(5)).
        let fields = stat.rsplit(')').next().expect("it has a name").split_whitespace();
        let ticks: f64 = fields.skip(11).take(2).map(|field| field.parse::<f64>().expect("ticks")).sum();
        ticks * 1e6 / TICKS_PER_SECOND
    }

    fn peak_mb(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has a line");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }

    fn proc(&self, file: &str) -> String {
        // taskset becomes the server, and so it has its number.
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("the server runs")
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

fn wait_for(wanted: u64, arrived: impl Fn() -> u64) {
    let start = Instant::now();
    while arrived() < wanted {
        assert!(start.elapsed() < Duration::from_secs(300), "{} of {wanted} deliveries arrived", arrived());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Requests a second of the HTTP client alone, on core 0.
pub fn bare_client(receiver: SocketAddr, time: Duration) -> Figures {
    let own = std::env::current_exe().expect("this program has a path");
    let output = Command::new("taskset")
        .args(["-c", "0"])
        .arg(own)
        .args(["--bare-client", &format!("http://{receiver}/"), &time.as_secs().to_string()])
        .output()
        .expect("taskset and the client can be started");
    let text = String::from_utf8(output.stdout).expect("a number is text");
    let rate = text.trim().parse().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    Figures { rate, cpu_us: 1e6 / rate, peak_mb: 0.0, commits: 0.0 }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Also when the load has failed. It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server to compare with: one route, no body read, `ok`.
pub fn bare_warp() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port 0 is free");
        println!("hooks http://{}/", listener.local_addr().expect("a bound socket has an address"));
        let route = warp::path!("hooks" / "browser-use").and(warp::post()).map(|| "ok");
        warp::serve(route).incoming(listener).run().await;
    });
}
