//! Scripts that do their worst, many at once, beside rules whose deliveries must arrive.

use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver as Ticks, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// What each status makes `worst.rhai` do, and what is said of it.
const WORST: &[(&str, &str, &str)] = &[
    ("loop", "loop { try { [1].map(|x| { loop { } }) } catch { } }", "limits.script."),
    ("recursion", "deep(event)", "limits.script.depth (32)"),
    ("text", "let s = \"ab\"; loop { s = `${s}${s}`; }", "limits.script.size (1048576)"),
    (
        "memory",
        "let a = []; a.pad(1000000, 0); let l = []; loop { let b = a; l.push(|| b); }",
        "64 times limits.script.size (1048576)",
    ),
    ("endless", "event.payload.task_id.pad(10, event.payload.metadata.empty)", "not an empty one"),
    (
        "abort",
        "let item = []; item.pad(1048575, 0); let a = []; a.pad(17592186044416, item);",
        "limits.script.size (1048576)",
    ),
    (
        "effects",
        "for i in 0..10000 { file(#{path: \"never.txt\", text: \"x\"}) }",
        "limits.script.effects (100)",
    ),
    ("values", "kv::set(\"k\", repeat(\"v\", 70000))", "limits.kv.value (65536 bytes)"),
    ("keys", "kv::set(repeat(\"k\", 600), 1)", "limits.kv.key (512 bytes)"),
    ("state", "for i in 0..100000 { kv::set(`${i}`, i) }", "limits.script.steps (1000000)"),
    ("lines", "loop { log::info(repeat(\"x\", 3000)) }", "limits.script."),
    ("sleep", "sleep(3600)", "a script cannot sleep"),
    ("drip", "fetch(#{url: vars.drip, timeout: \"200ms\"})", "no whole answer within 200ms"),
    ("large", "fetch(#{url: vars.large})", "longer than limits.script.size (1048576 bytes)"),
    ("hang", "try { fetch(#{url: vars.drip, timeout: 3600}) } catch { } loop { }", "no answer within 300ms"),
];

fn home(drip: SocketAddr, large: &Receiver) -> Home {
    let cases: String = WORST
        .iter()
        .map(|(status, statements, _)| format!("        \"{status}\" => {{ {statements}; }}\n"))
        .collect();
    let home = Home::with_rules(
        "
retry: {first: 1h, max: 1h}
rules:
  - {name: worst, match: {metadata: {rule: [worst]}, status: [{anything-but: hang}]}, actions: [{script: worst.rhai}]}
  - {name: hang, match: {status: hang}, actions: [{script: worst.rhai, timeout: 300ms}]}
  - {name: works, match: {status: finished}, actions: [{script: works.rhai}]}
  - {name: plain, match: {status: finished}, actions: [{file: {path: plain.txt, text: '{{ payload.task_id }}'}}]}
",
    );
    home.write(
        "rules/vars.yaml",
        &format!("vars: {{drip: 'http://{drip}/', large: '{}'}}", large.url("/large")),
    );
    home.write(
        "rules/worst.rhai",
        &format!(
            "fn on_event(event) {{\n    switch event.status {{\n{cases}        _ => (),\n    }}\n}}\nfn deep(event) {{ deep(event) }}\n"
        ),
    );
    home.write(
        "rules/works.rhai",
        "fn on_event(event) { file(#{path: \"works.txt\", text: event.payload.task_id}); }",
    );
    home
}

/// A server that answers byte by byte, and never to the end; it stops when the sender is dropped.
fn dripping() -> (SocketAddr, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
    let address = listener.local_addr().expect("it is bound");
    let (stop, ticks) = channel();
    std::thread::spawn(move || drip(&listener, &ticks));
    (address, stop)
}

fn drip(listener: &TcpListener, ticks: &Ticks<()>) {
    listener.set_nonblocking(true).expect("a listener can be asked");
    let mut streams = Vec::new();
    while ticks.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
        if let Ok((mut stream, _)) = listener.accept() {
            stream.set_nonblocking(false).expect("a stream can be waited for");
            let asked = stream.read(&mut [0; 4096]);
            let begun = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
            if asked.is_ok() && begun.is_ok() {
                streams.push(stream);
            }
        }
        // Who has hung up hears no more.
        streams.retain_mut(|stream| stream.write_all(b"x").is_ok());
    }
}

/// The last messages of what did its worst, by the status of the event.
fn messages(home: &Home, events: &BTreeMap<String, &'static str>) -> BTreeMap<&'static str, String> {
    let output = home.ok(&["deliveries", "--json", "--limit", "1000"]);
    let records = output.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record is JSON"));
    let told = records.filter(|it| it["attempts"] != json!(0)).filter_map(|it| {
        let (event, _) = it["id"].as_str()?.split_once('/')?;
        Some((*events.get(event)?, it["message"].as_str()?.to_owned()))
    });
    told.collect()
}

/// The threads of the server that scripts run on.
fn script_threads(pid: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks.filter_map(name).filter(|name| name.trim() == "script").count()
}

fn peak_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
    kib << 10
}

#[test]
fn scripts_that_do_their_worst_hold_up_no_other_delivery() {
    let (large, (drip, _stop)) = (Receiver::start(), dripping());
    large.answer(200, "", &"x".repeat(2 << 20));
    let home = home(drip, &large);
    let server = home.start();
    let mut events = BTreeMap::new();
    for (status, _, _) in WORST {
        let worst = event(&format!("w-{status}"), status, json!({"rule": "worst", "empty": ""}));
        events.insert(server.accept(&worst), *status);
    }
    for number in 0..20 {
        server.accept(&event(&format!("t-{number}"), "finished", json!({})));
    }
    for path in ["works.txt", "plain.txt"] {
        eventually(path, || (home.lines(path).len() == 20).then_some(()));
    }
    let told = eventually("all of the worst have ended", || {
        Some(messages(&home, &events)).filter(|told| told.len() == WORST.len())
    });
    for (status, _, wanted) in WORST {
        // How far a slow machine gets is the only thing that is not certain.
        let time = told[status].contains("limits.script.time (1s)");
        assert!(told[status].contains(wanted) || time, "{status}: {}", told[status]);
    }
    assert!(home.lines("never.txt").is_empty(), "nothing of such a run happened");
    assert_eq!(home.run(&["kv", "get", "worst", "k"]).status.code(), Some(1));

    // Still the same process, within its means, and its threads have come back.
    assert!(peak_bytes(server.pid()) < 1 << 30, "{} bytes", peak_bytes(server.pid()));
    let cores = std::thread::available_parallelism().expect("it is known").get();
    eventually("the threads come back", || (script_threads(server.pid()) <= 4 * cores).then_some(()));
    server.accept(&event("t-last", "finished", json!({})));
    eventually("one more", || home.lines("works.txt").contains(&"t-last".to_owned()).then_some(()));
    assert!(server.stop().success());
}
