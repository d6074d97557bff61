//! The service as it runs: memory under load, reloading, starting; each beside its goal.
//!
//! `cargo bench --bench service`; some of it: `cargo bench --bench service -- memory reload start`.
//! `--events N` is how many the memory is watched for, 10 million if it is not given: eight minutes
//! at 20 000 a second, and the table says how fast it is. The server is bound to core 0, the load (this
//! process) binds itself to core 1.

#[path = "service/events.rs"]
mod events;
#[path = "service/fill.rs"]
mod fill;
#[path = "service/home.rs"]
mod home;
#[expect(dead_code, reason = "the scripts and the group sizes are for the micro-benchmarks")]
#[path = "micro/kit.rs"]
mod kit;
#[path = "service/load.rs"]
mod load;
#[path = "service/memory.rs"]
mod memory;
#[path = "service/paced.rs"]
mod paced;
#[path = "service/reload.rs"]
mod reload;
#[expect(dead_code, reason = "its load is another one")]
#[path = "end_to_end/load.rs"]
mod requests;
#[path = "service/server.rs"]
mod server;
#[path = "service/start.rs"]
mod start;

use std::time::Duration;

const EVENTS: u64 = 10_000_000;

fn main() {
    server::leave_core_0();
    // `cargo bench` adds the last one.
    let mut words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let mut events = EVENTS;
    if let Some(at) = words.iter().position(|word| word == "--events") {
        events = words[at + 1].parse().expect("a number of events");
        words.drain(at..at + 2);
    }
    if words.is_empty() {
        words = ["memory", "reload", "start"].map(str::to_owned).to_vec();
    }
    for word in words {
        match word.as_str() {
            "memory" => memory::run(events),
            "reload" => reload::run(),
            "start" => start::run(),
            _ => panic!("there is no `{word}`: there are memory, reload, start"),
        }
        println!();
    }
}

/// Prints the median and the worst beside the goal, which both are to keep.
fn show(what: &str, mut times: Vec<Duration>, goal: Duration) {
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what:<44} median {median:>8.1?}, worst {worst:>8.1?} (goal: {goal:?})");
}
