//! hookyard's configuration: 100 rules that do not match, and one that does the work.

use crate::work::Work;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

const CONFIGURATION: &str = "listen: 127.0.0.1:0\nadmin: {listen: '127.0.0.1:0'}\n";
const SCRIPT: &str = "fn on_event(event) { file(#{path: \"all.txt\", text: event.payload.task_id}); }";

/// Writes what `hookyard serve` reads in this directory.
pub fn write(work: Work, receiver: SocketAddr, dir: &Path) {
    let write = |path: &str, text: &str| std::fs::write(dir.join(path), text).expect("a file");
    std::fs::create_dir(dir.join("rules")).expect("a directory");
    write("hookyard.yaml", CONFIGURATION);
    write("rules/rules.yaml", &rules(work, receiver));
    write("rules/one.rhai", SCRIPT);
}

fn rules(work: Work, receiver: SocketAddr) -> String {
    let mut rules = "rules:\n".to_owned();
    for number in 0..100 {
        let _ = writeln!(
            rules,
            "  - {{name: r{number}, match: {{status: finished, metadata: {{team: team-{number}}}}}, actions: [{{log: {{}}}}]}}"
        );
    }
    if let Some(action) = action(work, receiver) {
        let _ = writeln!(rules, "  - {{name: one, match: {{status: finished}}, actions: [{action}]}}");
    }
    rules
}

/// That of the rule which matches.
fn action(work: Work, receiver: SocketAddr) -> Option<String> {
    match work {
        Work::File => Some("{file: {path: all.txt, text: '{{ payload.task_id }}'}}".to_owned()),
        Work::Script => Some("{script: one.rhai}".to_owned()),
        Work::Http => Some(format!("{{http: {{url: 'http://{receiver}/'}}}}")),
        _ => None,
    }
}
