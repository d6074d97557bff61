//! A journal at its size limit, where one event goes for each that comes, beside one without a limit.

use crate::cost::Bench;
use crate::events::Events;
use crate::home::{Home, strangers};
use crate::server::Server;
use hookyard::json::{Json, Number};
use std::time::Duration;

const CONNECTIONS: usize = 128;
/// How long it is filled before its size is looked at again.
const FILLED: Duration = Duration::from_millis(500);

/// Sizes are MiB; 0: no limit that is reached.
pub fn print(sizes: &[usize], time: Duration) {
    println!(
        "limit: verified, durable, none of 100 rules matches, the journal at its limit; {CONNECTIONS} connections"
    );
    println!("{:>12} {:>12} {:>14}", "MiB", "requests/s", "CPU µs/event");
    for &size in sizes {
        let keep = if size == 0 { String::new() } else { format!("keep: {{size: {size}MiB}}\n") };
        let bench = Bench::start(Home::new(&keep, &strangers(0..100)), Events::new(1, 0), CONNECTIONS);
        // Nearly: freed pages are not given back, so that its file stays as large as it became.
        let limit = (size as u64) << 20;
        while size_bytes(&bench.server) < limit / 100 * 99 {
            bench.load(FILLED);
        }
        let cost = bench.answers(time);
        println!("{size:>12} {:>12.0} {:>14.1}", cost.answered.per_second(), cost.cpu_us);
    }
}

fn size_bytes(server: &Server) -> u64 {
    let journal = server.status().get("journal").cloned().expect("it tells of the journal");
    let size = journal.get("bytes").and_then(Json::as_number).and_then(Number::as_u64);
    size.expect("it tells of its size")
}
