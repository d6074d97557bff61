//! What a backlog costs: memory, the start, a lease, a healing of 100 000, the rate of deliveries.

use crate::fairness::{self, Bench};
use crate::kit::{self, Home};
use crate::receiver::Receiver;
use hookyard::journal::{Capacity, Heal, History, Journal};
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

const BLOCKED: u64 = 100_000;
const ROUNDS: usize = 7;

pub fn run(count: u64) {
    let mut home = Home::new();
    show("at first", Duration::ZERO);
    let started = Instant::now();
    home.append((0..count).map(kit::entry));
    show(&format!("{count} events with a delivery each appended"), started.elapsed());
    let started = Instant::now();
    let until = Timestamp::now().saturating_add(SignedDuration::from_hours(1)).expect("not in hours");
    home.append((count..count + BLOCKED).map(|number| {
        let mut entry = kit::entry(number);
        for delivery in &mut entry.routing.as_mut().expect("it is routed").deliveries {
            (delivery.due, delivery.blocked) = (until, Some("no such field".to_owned()));
        }
        entry
    }));
    show(&format!("{BLOCKED} blocked ones more"), started.elapsed());
    lease(&home);
    heal(&home, count + BLOCKED);

    home.runtime.block_on(home.journal.close());
    let started = Instant::now();
    home.journal = Home::open(&home.dir);
    show("opened again", started.elapsed());
    let counts = home.runtime.block_on(home.journal.counts()).expect("it can be read");
    println!("{counts:?}");
    drop(home);
    deliver(count);
}

/// How fast deliveries are made with so many pending ones in their lane, and with few: in turn.
fn deliver(count: u64) {
    let live = Receiver::start();
    let serving = fairness::serving(live.address, live.address);
    let (few, many) = (Bench::new(), Bench::new());
    // With as many left at the end.
    many.append(count + fairness::LIVE * ROUNDS as u64, "live");
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        few.append(fairness::LIVE, "live");
        let (few, many) = (few.deliver(&serving), many.deliver(&serving));
        println!("delivering with few pending {few:.0}/s, with {count} {many:.0}/s: {:.3}", many / few);
        ratios.push(many / few);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median: {:.3} (wanted: at least 0.8)", ratios[ROUNDS / 2]);
    assert!(live.answered() >= 2 * ROUNDS as u64 * fairness::LIVE, "{}", live.answered());
}

fn lease(home: &Home) {
    let started = Instant::now();
    let capacity = Capacity::each(64, 16);
    let lease =
        home.runtime.block_on(home.journal.lease(Timestamp::now(), capacity)).expect("it can be read");
    show(&format!("{} leased", lease.deliveries.len()), started.elapsed());
}

/// Heals all while events are appended one after the other.
fn heal(home: &Home, number: u64) {
    let started = Instant::now();
    let (mut slowest, mut appended) = (Duration::ZERO, 0);
    let healed = home.runtime.block_on(async {
        let healing = home.journal.heal(Heal::All, Timestamp::now());
        let appending = async {
            loop {
                let started = Instant::now();
                home.journal.append(kit::entry(number + appended)).await.expect("it is kept");
                (slowest, appended) = (slowest.max(started.elapsed()), appended + 1);
            }
        };
        tokio::select! {
            healed = healing => healed.expect("it can be written"),
            () = appending => unreachable!("it goes on for ever"),
        }
    });
    show(
        &format!("{healed} healed; {appended} appended meanwhile, the slowest in {slowest:?}"),
        started.elapsed(),
    );
}

fn show(what: &str, took: Duration) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |key: &str| status.lines().find(|line| line.starts_with(key)).unwrap_or("no /proc").to_owned();
    println!("{what}: {took:?}; {}, {}", line("VmRSS"), line("VmHWM"));
}
