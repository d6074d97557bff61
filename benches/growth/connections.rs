//! 1 to 1000 connections, each sending its next event when the last is answered.

use crate::cost::Bench;
use crate::events::Events;
use crate::home::{Home, strangers};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;

/// Those that have warmed up may not all be gone when as many come anew.
const LIMITS: &str = "limits: {per_address: 4000}\n";

pub fn print(sizes: &[usize], time: Duration) {
    let files = getrlimit(Resource::Nofile);
    // The server inherits it. Many systems allow 1024 and more only to who asks.
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).expect("up to the hard limit");
    println!("connections: verified, durable, none of 100 rules matches");
    println!(
        "{:>12} {:>12} {:>10} {:>10} {:>10} {:>14}",
        "connections", "requests/s", "p50 ms", "p99 ms", "most ms", "CPU µs/event"
    );
    for &connections in sizes {
        let home = Home::new(LIMITS, &strangers(0..100));
        let mut cost = Bench::start(home, Events::new(1, 0), connections).answers(time);
        let times = &mut cost.answered.times;
        times.sort();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        let (p50, p99, most) = (at(0.5), at(0.99), at(1.0));
        println!(
            "{connections:>12} {:>12.0} {p50:>10.2} {p99:>10.2} {most:>10.2} {:>14.1}",
            cost.answered.per_second(),
            cost.cpu_us
        );
    }
}
