//! What docs/scripting.md shows is so: each of its sections is a home of its own, whose files are
//! written, checked and tested, and whose commands are run.
//!
//! A block's first comment names its file: `// rules/react.rhai`. A `console` block is commands
//! behind `$ ` with what they print, where `…` stands for anything. The first `hookyard send`
//! starts the server; what is read after it is asked for until it is there.

use crate::support::{Home, PATIENCE, home::Server};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Where the page's programs are, and where in a home.
const PROGRAMS: (&str, &str) = ("/usr/local/bin/", "bin/");

#[test]
fn every_example_of_the_page_is_what_it_says() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scripting.md"));
    let page = page.expect("the page is there");
    let sections: Vec<_> = page.split("\n## ").skip(1).map(Section::read).collect();
    std::thread::scope(|scope| {
        for section in &sections {
            scope.spawn(|| section.run());
        }
    });
    let shown: usize = sections.iter().map(|section| section.blocks.len()).sum();
    assert!(sections.len() > 10 && shown > 40, "only {shown} examples in {} sections", sections.len());
}

struct Section<'a> {
    title: &'a str,
    blocks: Vec<Block<'a>>,
}

enum Block<'a> {
    File { path: &'a str, text: &'a str },
    Commands(Vec<(&'a str, String)>),
}

impl<'a> Section<'a> {
    fn read(text: &'a str) -> Self {
        let title = text.lines().next().expect("a section has a title");
        let mut blocks = Vec::new();
        for (index, fenced) in text.split("\n```").enumerate().filter(|(index, _)| index % 2 == 1) {
            let (language, body) = fenced.split_once('\n').expect("a block has lines");
            blocks.push(match language {
                "console" => Block::Commands(commands(body)),
                "rhai" | "yaml" | "sh" | "python" => Block::File { path: path(body), text: body },
                other => panic!("{title}, block {index}: nothing runs {other:?}"),
            });
        }
        Self { title, blocks }
    }

    fn run(&self) {
        if self.files().any(|(_, text)| text.contains("env python3")) && !has_python() {
            eprintln!("{}: there is no python3 to run it", self.title);
            return;
        }
        let mut run = Running { title: self.title, home: Home::without_rules(), server: None };
        for block in &self.blocks {
            match block {
                Block::File { path, text } => run.write(path, text),
                Block::Commands(commands) => {
                    commands.iter().for_each(|(line, output)| run.command(line, output));
                }
            }
        }
        let rules: String =
            self.files().filter(|(path, _)| path.ends_with(".yaml")).map(|(_, text)| text).collect();
        if !rules.is_empty() {
            self.nothing_is_only_shown(&rules, run.server.is_some());
            run.ends_well();
        }
    }

    fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.blocks.iter().filter_map(|block| match block {
            Block::File { path, text } => Some((*path, *text)),
            Block::Commands(_) => None,
        })
    }

    /// Each script is run by a rule, by the name of its file or of the action kind that it is, and
    /// the rules see an event: that of a test, or one that is sent.
    fn nothing_is_only_shown(&self, rules: &str, is_sent: bool) {
        assert!(rules.contains("tests:") || is_sent, "{}: nothing is tried", self.title);
        for (path, text) in self.files().filter(|(_, text)| text.contains("fn on_event")) {
            let kind = text.split("ACTION = #{ name: \"").nth(1).and_then(|rest| rest.split('"').next());
            let name = kind.unwrap_or_else(|| path.trim_start_matches("rules/"));
            assert!(rules.contains(name), "{}: no rule runs {path}", self.title);
        }
    }
}

/// As the program finds it, whose environment is empty.
fn has_python() -> bool {
    let found = Command::new("/usr/bin/env").args(["python3", "--version"]).env_clear().output();
    found.is_ok_and(|output| output.status.success())
}

/// The path that the first comment names.
fn path(block: &str) -> &str {
    let mut lines = block.lines().filter(|line| !line.starts_with("#!"));
    let comment = lines.find_map(|line| line.strip_prefix("// ").or_else(|| line.strip_prefix("# ")));
    let path = comment.and_then(|comment| comment.split([':', ' ']).next());
    path.unwrap_or_else(|| panic!("the block names no file:\n{block}"))
}

/// Commands and what each prints.
fn commands(block: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("no command above {line}"),
        }
    }
    commands
}

struct Running<'a> {
    title: &'a str,
    home: Home,
    server: Option<Server>,
}

impl Running<'_> {
    fn write(&self, path: &str, text: &str) {
        let here = format!("{}/", self.home.path(PROGRAMS.1).display());
        let text = text.replace(PROGRAMS.0, &here);
        match path.strip_prefix(PROGRAMS.0) {
            Some(name) => _ = self.home.executable(&format!("{}{name}", PROGRAMS.1), &text),
            None if path == "hookyard.yaml" => self.home.configure(&text),
            None => self.home.save(path, &text),
        }
    }

    /// The files, as they stand at the end of the section, are right and do what their tests say.
    fn ends_well(&self) {
        let checked = self.home.ok(&["check"]);
        assert!(checked.contains("no problems"), "{}: {checked}", self.title);
        let tested = String::from_utf8(self.home.run(&["test"]).stdout).expect("output is text");
        assert!(tested.contains(", 0 failed"), "{}: {tested}", self.title);
    }

    /// Runs a command that prints this; where a server works, until it does.
    fn command(&mut self, line: &str, wanted: &str) {
        let sends = line.contains("hookyard send");
        if sends && self.server.is_none() {
            self.server = Some(self.home.start());
        }
        let start = Instant::now();
        loop {
            let printed = self.shell(line);
            if matches(wanted, &printed) {
                return;
            }
            let patience = if sends || self.server.is_none() { Duration::ZERO } else { PATIENCE };
            assert!(
                start.elapsed() < patience,
                "{}: `{line}` prints\n{printed}\nand not\n{wanted}{}",
                self.title,
                self.server.as_ref().map(Server::log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn shell(&self, line: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_hookyard")).parent().expect("it is in a directory");
        let path = format!("{}:/usr/bin:/bin", program.display());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{{ {line}\n}} 2>&1")]).current_dir(self.home.path(""));
        shell.env_clear().env("PATH", path).env("BROWSER_USE_SECRET", crate::support::SECRET);
        if let Some(server) = &self.server {
            shell.env("HOOKYARD_LISTEN", server.hooks.to_string());
            shell.env("HOOKYARD_ADMIN_LISTEN", server.admin.to_string());
        }
        let output = shell.output().expect("a shell can be run");
        let here = format!("{}/", self.home.path(PROGRAMS.1).display());
        String::from_utf8(output.stdout).expect("output is text").replace(&here, PROGRAMS.0)
    }
}

/// Whether a text is this one, where `…` stands for anything, and columns are as wide as they are.
fn matches(wanted: &str, text: &str) -> bool {
    let (wanted, text) = (narrow(wanted), narrow(text));
    let (wanted, text) = (wanted.trim_end(), text.trim_end());
    let mut parts = wanted.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// With two spaces for more than two, but at the beginning of a line.
fn narrow(text: &str) -> String {
    let line = |line: &str| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        let columns: Vec<_> = rest.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        format!("{indent}{}\n", columns.join("  "))
    };
    text.lines().map(line).collect()
}

#[test]
fn an_example_is_compared_as_a_whole() {
    assert!(matches("a…c", "abc") && matches("a", "a") && matches("…", "") && matches("a…b…", "a1b2"));
    assert!(matches("a   b", "a      b") && !matches("  a", " a"));
    assert!(!matches("a…c", "abd") && !matches("a", "ab") && !matches("a…b…c", "abd") && !matches("b", "ab"));
}
