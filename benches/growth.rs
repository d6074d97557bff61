//! How cost grows with the size of a body, with connections, with a backlog, with lanes and
//! at the size limit: one table each, of the server as it is run, over real sockets.
//!
//! `cargo bench --bench growth`; tables and sizes can be chosen, and how long each row is measured:
//! `cargo bench --bench growth -- body connections=1,1000 --seconds 2`. The server is bound to core
//! 0, the load (this process) binds itself to core 1.

#[path = "growth/backlog.rs"]
mod backlog;
#[path = "growth/body.rs"]
mod body;
#[path = "growth/connections.rs"]
mod connections;
#[path = "growth/cost.rs"]
mod cost;
#[path = "service/events.rs"]
mod events;
#[path = "service/fill.rs"]
mod fill;
#[path = "service/home.rs"]
mod home;
#[expect(dead_code, reason = "the scripts and the group sizes are for the micro-benchmarks")]
#[path = "micro/kit.rs"]
mod kit;
#[path = "growth/lanes.rs"]
mod lanes;
#[path = "growth/limit.rs"]
mod limit;
#[path = "service/load.rs"]
mod load;
#[expect(dead_code, reason = "its load is another one")]
#[path = "end_to_end/load.rs"]
mod requests;
#[path = "service/server.rs"]
mod server;

use std::time::Duration;

/// One table: its name, its usual sizes, and what measures and prints it.
struct Table {
    name: &'static str,
    sizes: &'static [usize],
    print: fn(&[usize], Duration),
}

const TABLES: [Table; 5] = [
    Table { name: "body", sizes: &[300, 1_000, 10_000, 100_000, 1_000_000], print: body::print },
    Table { name: "connections", sizes: &[1, 2, 8, 32, 128, 512, 1_000], print: connections::print },
    Table { name: "backlog", sizes: &[0, 10_000, 100_000, 1_000_000], print: backlog::print },
    Table { name: "lanes", sizes: &[1, 10, 100, 1_000], print: lanes::print },
    Table { name: "limit", sizes: &[0, 256], print: limit::print },
];

fn main() {
    server::leave_core_0();
    // `cargo bench` adds the last one.
    let mut words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let mut time = Duration::from_secs(5);
    if let Some(at) = words.iter().position(|word| word == "--seconds") {
        time = Duration::from_secs(words[at + 1].parse().expect("a number of seconds"));
        words.drain(at..at + 2);
    }
    let chosen: Vec<_> = words.iter().map(|word| chosen(word)).collect();
    let all = TABLES.iter().map(|table| (table, table.sizes.to_vec()));
    for (table, sizes) in if chosen.is_empty() { all.collect() } else { chosen } {
        (table.print)(&sizes, time);
        println!();
    }
}

/// The table that a word names, with its own sizes or these: `body=300,1000`.
fn chosen(word: &str) -> (&'static Table, Vec<usize>) {
    let (name, sizes) = word.split_once('=').unwrap_or((word, ""));
    let table = TABLES.iter().find(|table| table.name == name);
    let table = table
        .unwrap_or_else(|| panic!("no table `{name}`: there are body, connections, backlog, lanes, limit"));
    let sizes: Vec<_> = sizes.split(',').filter(|size| !size.is_empty()).collect();
    if sizes.is_empty() {
        return (table, table.sizes.to_vec());
    }
    (table, sizes.iter().map(|size| size.parse().expect("sizes are numbers")).collect())
}
