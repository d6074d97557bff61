//! hookyard as a process of its own, on core 0.

use crate::home::Home;
use crate::requests::SECRET;
use hookyard::json::{self, Json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Binds this process, which makes the load, to core 1. For the first line of `main`: threads are
/// bound as the one that starts them.
pub fn leave_core_0() {
    let own = std::process::id().to_string();
    let bound = Command::new("taskset").args(["-cp", "1", &own]).stdout(Stdio::null()).status();
    assert!(bound.expect("there is taskset").success(), "this needs two cores");
}

/// A server that listens. Killed, as by `kill -9`, when dropped.
pub struct Server {
    pub hooks: SocketAddr,
    pub admin: SocketAddr,
    pub child: Child,
}

impl Server {
    pub fn start(home: &Home) -> Self {
        let mut child = Command::new("taskset")
            .args(["-c", "0", env!("CARGO_BIN_EXE_hookyard"), "serve"])
            .current_dir(home.path())
            .env("BROWSER_USE_SECRET", SECRET)
            .env("HOOKYARD_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset and the server can be started");
        let mut output = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let (hooks, admin) = (address(&mut output, "hooks"), address(&mut output, "admin"));
        // What else it prints must not block it.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Self { hooks, admin, child }
    }

    /// A file of its directory in `/proc`. (taskset becomes the server, and so it has its number.)
    pub fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("the server runs")
    }

    /// What `/api/status` says.
    pub fn status(&self) -> Json {
        let request =
            format!("GET /api/status HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin);
        let mut stream = TcpStream::connect(self.admin).expect("the admin listener listens");
        stream.write_all(request.as_bytes()).expect("the request is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the status is text");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("the answer has a body");
        json::parse(body.as_bytes()).expect("the status is JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the line of the welcome that begins with this word.
fn address(output: &mut BufReader<ChildStdout>, word: &str) -> SocketAddr {
    let mut line = String::new();
    while !line.trim_start().starts_with(word) {
        line.clear();
        assert!(output.read_line(&mut line).expect("output is text") > 0, "the server ended");
    }
    let address = line.split("http://").nth(1).and_then(|url| url.split('/').next());
    address.and_then(|address| address.parse().ok()).expect("the line has an address")
}
