//! A directory with a configuration, and the program running in it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

use super::http::{self, Answer};
use super::{SECRET, eventually, sender, signed};

const CONFIG: &str = "listen: 127.0.0.1:0\nadmin: {listen: '127.0.0.1:0'}\n";

/// Where one instance lives.
pub struct Home {
    dir: TempDir,
}

impl Home {
    /// A home with a minimal configuration and these rules.
    pub fn with_rules(rules: &str) -> Self {
        let home = Self::without_rules();
        home.write("rules/rules.yaml", rules);
        home
    }

    /// A home with a minimal configuration alone.
    pub fn without_rules() -> Self {
        let home = Self { dir: TempDir::new().expect("a temporary directory can be made") };
        home.write("hookyard.yaml", CONFIG);
        home
    }

    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    /// More lines for the configuration.
    pub fn configure(&self, more: &str) {
        self.write("hookyard.yaml", &format!("{CONFIG}{more}"));
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory can be made");
        fs::write(path, text).expect("a file can be written");
    }

    /// A program in sh; its absolute path.
    pub fn program(&self, path: &str, script: &str) -> String {
        self.executable(path, &format!("#!/bin/sh\n{script}\n"))
    }

    /// A program; its absolute path. Another process writes it: had this one it open while another
    /// test starts a program, that one's copy would make it "busy".
    pub fn executable(&self, path: &str, text: &str) -> String {
        let program = self.path(path);
        fs::create_dir_all(program.parent().expect("a file has a directory"))
            .expect("a directory can be made");
        let install = ["-c", "cat >\"$0\" && chmod 755 \"$0\""];
        let mut shell = Command::new("sh")
            .args(install)
            .arg(&program)
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell can be run");
        let mut input = shell.stdin.take().expect("standard input is piped");
        input.write_all(text.as_bytes()).expect("the shell reads");
        drop(input);
        assert!(shell.wait().expect("a shell ends").success());
        program.display().to_string()
    }

    /// Saves as most editors do: a new file renamed over the old one.
    pub fn save(&self, path: &str, text: &str) {
        let temporary = format!("{path}.tmp~");
        self.write(&temporary, text);
        fs::rename(self.path(temporary), self.path(path)).expect("a file can be renamed");
    }

    /// What the `file` action has written, line by line.
    pub fn lines(&self, path: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path("data/files").join(path)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The program with a clean environment, to be run in here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
        command.args(arguments).current_dir(self.dir.path()).env_clear().env("BROWSER_USE_SECRET", SECRET);
        command
    }

    /// Runs a subcommand to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program can be run")
    }

    /// Runs a subcommand that has to succeed; its standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is text")
    }

    /// Starts the server and waits until it is receiving.
    pub fn start(&self) -> Server {
        self.start_as(self.command(&["serve"]))
    }

    pub fn start_as(&self, command: Command) -> Server {
        Server::start(command)
    }

    /// The same, with a log whose reader has gone.
    pub fn start_unread(&self) -> Server {
        Server::start_unread(self.command(&["serve"]))
    }
}

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    pub hooks: SocketAddr,
    pub admin: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    fn start(command: Command) -> Self {
        let mut child = spawn(command);
        let errors = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let log = Arc::new(Mutex::new(String::new()));
        let keep = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let mut log = keep.lock().expect("no test panics while holding it");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self::receiving(child, log)
    }

    fn start_unread(command: Command) -> Self {
        let mut child = spawn(command);
        drop(child.stderr.take());
        Self::receiving(child, Arc::default())
    }

    fn receiving(mut child: Child, log: Arc<Mutex<String>>) -> Self {
        let mut output = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut address = |what: &str| {
            let mut line = String::new();
            while !line.trim_start().starts_with(what) {
                line.clear();
                let read = output.read_line(&mut line).expect("output is text");
                assert!(
                    read > 0,
                    "the server ended: {}",
                    log.lock().expect("no test panics while holding it")
                );
            }
            let url = line.split("http://").nth(1).expect("the line has an address");
            url.split('/').next().and_then(|address| address.parse().ok()).expect("it is an address")
        };
        let (hooks, admin) = (address("hooks"), address("admin"));
        // The rest is read too, so that the server never writes into a closed pipe.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Self { child, hooks, admin, log }
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no test panics while holding it").clone()
    }

    /// Posts a signed event.
    pub fn send(&self, event: &serde_json::Value) -> Answer {
        let body = event.to_string();
        sender::post(self.hooks, &signed(&body), body.as_bytes()).expect("the server answers")
    }

    /// Posts a signed event that has to be accepted; its id.
    pub fn accept(&self, event: &serde_json::Value) -> String {
        let answer = self.send(event);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["id"].as_str().expect("an accepted event has an id").to_owned()
    }

    /// What the admin side answers to a POST.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        http::request(self.admin, "POST", path, &[], body.to_string().as_bytes())
            .expect("the admin side answers")
    }

    pub fn get(&self, path: &str) -> Answer {
        http::request(self.admin, "GET", path, &[], b"").expect("the admin side answers")
    }

    pub fn reload(&self) -> Answer {
        http::request(self.admin, "POST", "/api/reload", &[], b"").expect("the admin side answers")
    }

    pub fn status(&self) -> serde_json::Value {
        self.get("/api/status").json()
    }

    /// Waits until `/api/status` shows what is asked for.
    pub fn wait_for(&self, what: &str, check: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        eventually(what, || Some(self.status()).filter(&check))
    }

    /// Waits until a generation is served that is newer than the given one.
    pub fn wait_for_generation(&self, newer_than: u64) -> u64 {
        let newer = |status: &serde_json::Value| {
            status["generation"].as_u64().is_some_and(|number| number > newer_than)
        };
        self.wait_for("a new generation", newer)["generation"].as_u64().expect("it was checked")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status();
        assert!(status.expect("a shell can be run").success());
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("a running child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// SIGTERM, and how it ended.
    pub fn stop(self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// How it ended, once it has.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }
}

fn spawn(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started")
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
