//! hookyard's rate end to end beside a bare warp route that answers `ok`: same run, same core,
//! same load. Every request is another correctly signed event, every answer is checked, and a
//! round with deliveries ends when the last one has arrived.
//!
//! `scripts/bench` pins this process (the load) to core 1; the servers are pinned to core 0.

#[path = "end_to_end/client.rs"]
mod client;
#[path = "end_to_end/load.rs"]
mod load;
#[path = "end_to_end/pace.rs"]
mod pace;
#[path = "end_to_end/receiver.rs"]
mod receiver;
#[path = "end_to_end/subject.rs"]
mod subject;

use load::Load;
use receiver::Receiver;
use std::time::Duration;
use subject::{Figures, Subject, Work};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--bare-warp") {
        return subject::bare_warp();
    }
    if let [_, flag, url, seconds] = arguments.as_slice()
        && flag == "--bare-client"
    {
        return client::bare_client(url, Duration::from_secs(seconds.parse().expect("a number")));
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
    let works = [Work::BareWarp, Work::NoneMatches, Work::File, Work::Script, Work::Http, Work::BareClient];
    let works: Vec<_> =
        works.into_iter().filter(|work| only.is_empty() || only.contains(&work.word())).collect();
    let mut figures: Vec<Vec<Figures>> = works.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for (work, figures) in works.iter().zip(&mut figures) {
            let found = measured(*work, &load);
            eprintln!("round {round}: {:<40} {:>9.0} /s {:>7.1} µs", work.name(), found.rate, found.cpu_us);
            figures.push(found);
        }
    }
    println!(
        "\n{} connections, {rounds} rounds of {:?}, server on core 0, load on core 1",
        load.connections, load.duration
    );
    println!(
        "{:<40} {:>12} {:>14} {:>14} {:>20} {:>10}",
        "work", "requests/s", "of the first", "CPU µs/event", "commits/1000 events", "peak MB"
    );
    for (work, own) in works.iter().zip(&figures) {
        let of = |value: fn(&Figures) -> f64| median(own.iter().map(value).collect());
        let ratios = own.iter().zip(&figures[0]).map(|(own, first)| own.rate / first.rate).collect();
        println!(
            "{:<40} {:>12.0} {:>14.2} {:>14.1} {:>20.0} {:>10.0}",
            work.name(),
            of(|it| it.rate),
            median(ratios),
            of(|it| it.cpu_us),
            of(|it| it.commits),
            of(|it| it.peak_mb)
        );
    }
    if let Some(none) = works.iter().position(|work| *work == Work::NoneMatches) {
        let rate = median(figures[none].iter().map(|it| it.rate).collect()) / 2.0;
        let subject = Subject::start(Work::NoneMatches, ([127, 0, 0, 1], 9).into());
        let answers = pace::answers(subject.address, rate, load.duration);
        println!("\nanswers at {rate:.0} /s: {answers}; one fdatasync: {}", pace::syncs());
    }
}

fn measured(work: Work, load: &Load) -> Figures {
    let receiver = Receiver::start();
    if work == Work::BareClient {
        return subject::bare_client(receiver.address, load.duration);
    }
    let subject = Subject::start(work, receiver.address);
    let accepted = load.run(subject.address);
    subject.finish(&accepted, || receiver.answered())
}

/// The middle value; ratios are taken round by round, because machines drift.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
