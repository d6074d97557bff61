//! `print`, `debug` and `log::…` write into the log.

use super::kit::*;
use std::io;
use std::sync::{Arc, Mutex, Once};

/// What was logged while `work` ran on this thread.
fn logged(work: impl FnOnce()) -> String {
    // What other tests log at the same time without a subscriber must not have their lines found
    // to interest nobody, which tracing remembers for all threads.
    static EVERYBODY: Once = Once::new();
    EVERYBODY.call_once(|| {
        let sink = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(io::sink);
        tracing::subscriber::set_global_default(sink.finish()).expect("no other test sets one");
    });
    let written = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&written);
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || Written(Arc::clone(&writer)))
        .finish();
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

#[test]
fn each_level_is_a_line_of_its_own() {
    let log = logged(|| {
        effects(
            "log::debug(1);\nlog::info(\"a\\u001b[2Jb\");\nlog::warn(#{a: [event.payload.big]});\nlog::error(vars.secret);",
        );
    });
    let lines: Vec<&str> = log.lines().collect();
    let id = id().event.to_string();
    assert_eq!(lines.len(), 4, "{log}");
    for (index, (level, text)) in [
        ("DEBUG", "1"),
        (" INFO", r"a\u{1b}[2Jb"),
        (" WARN", r#"{"a":[123456789012345678901234567890]}"#),
        ("ERROR", "${TOKEN}"),
    ]
    .into_iter()
    .enumerate()
    {
        let place = format!("file=\"main.rhai\" line={}", index + 2);
        let shown = lines[index].contains(level) && lines[index].contains(text);
        assert!(shown && lines[index].contains(&place) && lines[index].contains(&id), "{log}");
    }
}

#[test]
fn a_line_has_the_file_of_the_function_that_writes_it() {
    let log = logged(|| {
        let files = [
            ("main.rhai", "import \"lib\" as lib; fn on_event(event) { lib::tell() }"),
            ("lib.rhai", "fn tell() {\n  log::info(\"x\");\n}"),
        ];
        let nothing = crate::template::Params::Data(json("{}"));
        run_with(&loaded(&files, crate::script::Limits::default()), &nothing).expect("it runs");
    });
    assert!(log.contains("file=\"lib.rhai\" line=2"), "{log}");
}

#[test]
fn a_loop_does_not_flood_the_log() {
    for line in ["print(i)", "debug(i)", "log::warn(i)", "try { log::info(i) } catch { }", "log::info(long)"]
    {
        let log = logged(|| {
            effects(&format!("let long = repeat(\"é\", 30000); for i in 0..1000 {{ {line} }}"));
        });
        assert_eq!(log.lines().count(), 101, "{line}: {log}");
        let last = log.lines().last().expect("there are lines");
        assert!(
            last.contains(" WARN ") && last.contains("this run wrote 100 lines: the rest is left out"),
            "{last}"
        );
        assert!(log.len() < 1_000_000, "{line}: {} bytes", log.len());
    }
    let twice = logged(|| (0..2).for_each(|_| drop(effects("print(1)"))));
    assert_eq!(twice.lines().count(), 2, "each run has lines of its own: {twice}");
}
