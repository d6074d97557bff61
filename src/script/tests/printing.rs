//! `print` and `debug` write into the log.

use super::kit::*;
use std::io;
use std::sync::{Arc, Mutex};

/// What was logged while `work` ran on this thread.
fn logged(work: impl FnOnce()) -> String {
    let written = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&written);
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || Written(Arc::clone(&writer))).finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = written.lock().expect("no writer panics").clone();
    String::from_utf8(bytes).expect("a log is text")
}

struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_script_prints_is_one_line_of_the_log_with_its_event_and_place() {
    let log = logged(|| {
        effects(
            "print(`cost ${event.payload.cost}\\nfaked line`);\ndebug(event.payload.task_id);\nprint(vars.secret);",
        );
    });
    let lines: Vec<&str> = log.lines().collect();
    let id = id().event.to_string();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines.iter().all(|line| line.contains("hookyard::script") && line.contains(&id)), "{log}");
    assert!(lines[0].contains(r"cost 12\nfaked line"), "{log}");
    assert!(
        lines[1].contains("t-1") && lines[1].contains("main.rhai") && lines[1].contains("line=3"),
        "{log}"
    );
    assert!(lines[2].contains("${TOKEN}"), "{log}");
}
