//! hookyard's rate end to end beside a bare warp route that answers `ok`: same run, same core,
//! same load. Every request is another correctly signed event, every answer is checked, and a
//! round with deliveries ends when the last one has arrived.
//!
//! `scripts/bench` pins this process (the load) to core 1; the servers are pinned to core 0.

#[path = "end_to_end/load.rs"]
mod load;
#[path = "end_to_end/subject.rs"]
mod subject;

use load::Load;
use std::time::Duration;
use subject::{Subject, Work};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--bare-warp") {
        return subject::bare_warp();
    }
    let flag = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let number =
        |name: &str, default: u64| flag(name).map_or(default, |text| text.parse().expect("a number"));
    let load = Load {
        connections: number("--connections", 128) as usize,
        duration: Duration::from_secs(number("--seconds", 5)),
        warm_up: Duration::from_secs(1),
    };
    let rounds = number("--rounds", 3);
    let only: Vec<_> = flag("--only").into_iter().flat_map(|words| words.split(',')).collect();
    let works = [Work::BareWarp, Work::NoneMatches, Work::File, Work::Script];
    let works: Vec<_> =
        works.into_iter().filter(|work| only.is_empty() || only.contains(&work.word())).collect();
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); works.len()];
    for round in 1..=rounds {
        for (work, rates) in works.iter().zip(&mut rates) {
            let subject = Subject::start(*work);
            let accepted = load.run(subject.address);
            let rate = subject.finish(&accepted);
            eprintln!("round {round}: {:<36} {rate:>9.0} /s", work.name());
            rates.push(rate);
        }
    }
    println!(
        "\n{} connections, {rounds} rounds of {:?}, server on core 0, load on core 1",
        load.connections, load.duration
    );
    println!("{:<36} {:>12} {:>14}", "work", "requests/s", "of bare warp");
    for (work, own) in works.iter().zip(&rates) {
        let ratios = own.iter().zip(&rates[0]).map(|(own, bare)| own / bare).collect();
        println!("{:<36} {:>12.0} {:>14.2}", work.name(), median(own.clone()), median(ratios));
    }
}

/// The middle value; ratios are taken round by round, because machines drift.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
