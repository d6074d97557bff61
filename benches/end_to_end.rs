//! hookyard's rate end to end beside a bare warp route that answers `ok`, and beside other
//! programs: same run, same core, same load. Every request is another correctly signed event, every
//! answer is checked, and a round with deliveries ends when the last one has arrived.
//!
//! `scripts/bench` pins this process (the load) to core 1; the servers are pinned to core 0.

mod baseline;
#[path = "end_to_end/client.rs"]
mod client;
#[path = "end_to_end/load.rs"]
mod load;
#[path = "end_to_end/options.rs"]
mod options;
#[path = "end_to_end/pace.rs"]
mod pace;
#[path = "end_to_end/peer.rs"]
mod peer;
#[path = "end_to_end/receiver.rs"]
mod receiver;
#[path = "end_to_end/rules.rs"]
mod rules;
#[path = "end_to_end/server.rs"]
mod server;
#[path = "end_to_end/subject.rs"]
mod subject;
#[path = "end_to_end/table.rs"]
mod table;
#[path = "end_to_end/work.rs"]
mod work;

use load::Load;
use options::Options;
use receiver::Receiver;
use std::time::Duration;
use subject::{Figures, Subject};
use table::Row;
use work::Work;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, ..] if flag == "--bare-warp" => return baseline::serve(),
        [flag, url, seconds] if flag == "--bare-client" => {
            return client::bare_client(url, Duration::from_secs(seconds.parse().expect("a number")));
        }
        _ => {}
    }
    match Options::parse(arguments) {
        Ok(options) => compare(&options),
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(2);
        }
    }
}

fn compare(options: &Options) {
    let works = options.works.iter().filter(|work| is_there(**work));
    let mut rows: Vec<_> = works.map(|work| Row { work: *work, rounds: Vec::new() }).collect();
    for round in 1..=options.rounds {
        for row in &mut rows {
            let found = measured(row.work, &options.load);
            let name = row.work.name();
            eprintln!("round {round}: {name:<56} {:>9.0} /s {:>7.1} µs", found.rate, found.cpu_us);
            row.rounds.push(found);
        }
    }
    table::print(&rows, options);
    if let Some(row) = rows.iter().find(|row| row.work == Work::NoneMatches) {
        print_pace(row.median(|it| it.rate) / 2.0, options.load.duration);
    }
}

/// Peers may not be; then their row is left out.
fn is_there(work: Work) -> bool {
    let Work::Peer(peer) = work else { return true };
    if !peer.is_installed() {
        eprintln!("{0} is not installed: `scripts/bench-peers {0}` installs it", peer.word());
    }
    peer.is_installed()
}

fn measured(work: Work, load: &Load) -> Figures {
    let receiver = Receiver::start();
    if work == Work::BareClient {
        return client::measured(receiver.address, load.duration);
    }
    let subject = Subject::start(work, receiver.address);
    let accepted = load.run(subject.address, work.signed());
    subject.finish(&accepted, || receiver.answered())
}

fn print_pace(rate: f64, time: Duration) {
    let subject = Subject::start(Work::NoneMatches, ([127, 0, 0, 1], 9).into());
    let answers = pace::answers(subject.address, rate, time);
    println!("\nanswers at {rate:.0} /s: {answers}; one fdatasync: {}", pace::syncs());
}
