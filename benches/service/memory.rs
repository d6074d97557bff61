//! Memory at full load, after each million events.

use crate::events::Events;
use crate::home::{Home, strangers};
use crate::load;
use crate::server::Server;
use std::sync::Arc;

const CONNECTIONS: usize = 128;
const STEP: u64 = 1_000_000;
/// Ten million events are 15 GB: with this much kept, and a write-ahead log, disk stays below 4 GB.
/// What is removed stays known while its window of 24 hours runs, as ever.
const KEEP: &str = "keep: {size: 2GiB}\n";
const GOAL_MB: f64 = 100.0;

pub fn run(count: u64) {
    let home = Home::new(KEEP, &strangers(0..100));
    let server = Server::start(&home);
    let events = Arc::new(Events::new(1, 0));
    println!(
        "memory: verified, durable, none of 100 rules matches; {CONNECTIONS} connections, {}",
        KEEP.trim()
    );
    println!(
        "{:>12} {:>12} {:>10} {:>22} {:>12}",
        "events", "requests/s", "RSS MB", "most since the last", "journal MB"
    );
    let mut resident = Vec::new();
    while events.sent() < count {
        // From here on, `VmHWM` is the most since now (proc_pid_clear_refs(5)).
        std::fs::write(format!("/proc/{}/clear_refs", server.child.id()), "5").expect("the server is ours");
        let goal = count.min(events.sent() + STEP);
        let answered = load::run(server.hooks, &events, CONNECTIONS, move |events, _| events.sent() < goal);
        let (rss, most) = (megabytes(&server, "VmRSS:"), megabytes(&server, "VmHWM:"));
        let rate = answered.per_second();
        println!("{:>12} {rate:>12.0} {rss:>10.1} {most:>22.1} {:>12.0}", events.sent(), journal_mb(&home));
        resident.push(most);
    }
    let (first, last) = (resident[0], resident[resident.len() - 1]);
    let most = resident.iter().copied().fold(0.0, f64::max);
    println!(
        "most {most:.1} MB (goal: {GOAL_MB:.0} MB); in the last step {:.2} of the first (goal: 1, flat)",
        last / first
    );
}

fn megabytes(server: &Server, key: &str) -> f64 {
    let status = server.proc("status");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("it has a line");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0 / 1e6
}

/// With what SQLite keeps beside it.
fn journal_mb(home: &Home) -> f64 {
    let files = std::fs::read_dir(home.path().join("data")).expect("there is a journal").flatten();
    let files = files.filter(|file| file.file_name().as_encoded_bytes().starts_with(b"hookyard.db"));
    files.map(|file| file.metadata().map_or(0, |found| found.len())).sum::<u64>() as f64 / 1e6
}
