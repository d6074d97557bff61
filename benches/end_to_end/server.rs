//! A process on core 0: what it prints, and what it takes. Killed when dropped.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// `USER_HZ`, which is 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

pub struct Server(Child);

/// This program, to be started on the servers' core.
pub fn on_core_0(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

impl Server {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("taskset and the server can be started"))
    }

    /// Starts it, and reads the address behind each of these words, which stand at the start of
    /// lines that it prints, in this order.
    pub fn announced<const N: usize>(command: &mut Command, words: [&str; N]) -> (Self, [SocketAddr; N]) {
        let mut server = Self::start(command.stdout(Stdio::piped()));
        let mut output = BufReader::new(server.0.stdout.take().expect("standard output is piped"));
        let addresses = words.map(|word| address_behind(word, &mut output));
        // It must not wait for somebody who reads the rest.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        (server, addresses)
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is a child").is_some()
    }

    /// What its threads and the programs that it waited for have computed, in themselves and in
    /// the kernel.
    pub fn cpu_us(&self) -> f64 {
        let stat = self.proc("stat");
        // Behind the name in brackets: `utime`, `stime`, `cutime` and `cstime` are the 14th to the
        // 17th field (proc_pid_stat(5)).
        let fields = stat.rsplit(')').next().expect("it has a name").split_whitespace();
        let ticks: f64 = fields.skip(11).take(4).map(|field| field.parse::<f64>().expect("ticks")).sum();
        ticks * 1e6 / TICKS_PER_SECOND
    }

    pub fn peak_mb(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has a line");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }

    fn proc(&self, file: &str) -> String {
        // taskset becomes the server, and so it has its number.
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).expect("the server runs")
    }
}

fn address_behind(word: &str, output: &mut impl BufRead) -> SocketAddr {
    let mut line = String::new();
    while !line.trim_start().starts_with(word) {
        line.clear();
        assert!(output.read_line(&mut line).expect("output is text") > 0, "the server ended");
    }
    let address = line.split("http://").nth(1).and_then(|url| url.split('/').next());
    address.and_then(|address| address.trim().parse().ok()).expect("the line has an address")
}

impl Drop for Server {
    fn drop(&mut self) {
        // Also when the load has failed. It may have ended by itself; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
