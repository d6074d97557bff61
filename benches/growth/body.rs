//! Bodies of 0.3 KB to 1 MB, which no rule matches.

use crate::cost::Bench;
use crate::events::Events;
use crate::home::{Home, strangers};
use std::time::Duration;

const CONNECTIONS: usize = 32;

pub fn print(sizes: &[usize], time: Duration) {
    println!("body: verified, durable, none of 100 rules matches; {CONNECTIONS} connections");
    println!("{:>12} {:>12} {:>12} {:>14}", "bytes", "requests/s", "MB/s", "CPU µs/event");
    for &bytes in sizes {
        let home = Home::new("", &strangers(0..100));
        let cost = Bench::start(home, Events::new(1, bytes), CONNECTIONS).answers(time);
        let megabytes = cost.answered.per_second() * bytes as f64 / 1e6;
        println!("{bytes:>12} {:>12.0} {megabytes:>12.1} {:>14.1}", cost.answered.per_second(), cost.cpu_us);
    }
}
