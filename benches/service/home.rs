//! A directory that hookyard is started in: its configuration, its rules, what it writes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Removed when dropped.
pub struct Home(TempDir);

impl Home {
    /// With this added to the configuration, and this file of rules.
    pub fn new(config: &str, rules: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("rules")).expect("a directory");
        let home = Self(dir);
        let listen = "listen: 127.0.0.1:0\nadmin: {listen: '127.0.0.1:0'}\n";
        home.write("hookyard.yaml", &format!("{listen}{config}"));
        home.write("rules/rules.yaml", rules);
        home
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn journal(&self) -> PathBuf {
        self.path().join("data/hookyard.db")
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).expect("a file");
    }
}

/// Rules by these numbers, of which none matches an event of the load.
pub fn strangers(numbers: std::ops::Range<usize>) -> String {
    let mut rules = "rules:\n".to_owned();
    for number in numbers {
        let _ = writeln!(
            rules,
            "  - {{name: r{number}, match: {{status: finished, metadata: {{team: stranger-{number}}}}}, actions: [{{log: {{}}}}]}}"
        );
    }
    rules
}
