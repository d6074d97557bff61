//! Micro-benchmarks of the two halves: accept, route and append; lease, render and settle.
//!
//! `cargo bench --bench micro`; with `-- --backlog 1000000`, what so many undelivered deliveries
//! cost instead: memory, the start, a lease, a healing; with `-- --fairness 100000`, how much so many
//! for a dead destination slow another one.

#[path = "micro/backlog.rs"]
mod backlog;
#[path = "micro/fairness.rs"]
mod fairness;
#[path = "micro/kit.rs"]
mod kit;
#[path = "end_to_end/receiver.rs"]
mod receiver;

use divan::Bencher;
use divan::counter::ItemsCount;
use futures_util::future::try_join_all;
use hookyard::journal::{Capacity, Journal};
use hookyard::json::Json;
use hookyard::source::Incoming;
use hookyard::template::Scope;
use jiff::Timestamp;
use kit::{Home, Numbers};
use std::hint::black_box;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count = |name: &str, usual| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments.get(at + 1).and_then(|count| count.parse().ok()).unwrap_or(usual))
    };
    match (count("--backlog", 1_000_000), count("--fairness", 100_000)) {
        (Some(pending), _) => backlog::run(pending),
        (None, Some(pending)) => fairness::run(pending),
        (None, None) => divan::main(),
    }
}

/// Verify, parse, and make the event of a body with this many bytes (289: the usual event).
#[divan::bench(args = [289, 10_000, 100_000, 1_000_000], sample_count = 50, sample_size = 20)]
fn accept(bencher: Bencher<'_, '_>, bytes: usize) {
    let source = kit::source();
    let body = kit::body(0, bytes);
    let now = Timestamp::now();
    let headers = kit::signed(&source, &body, now);
    // Dropped at once, as in service: what is made next finds the same memory.
    bencher.bench_local(|| {
        let accepted = source.accept(Incoming { headers: &headers, body: body.clone(), now, random: 1 });
        drop(black_box(accepted.expect("it is signed")));
    });
}

/// Route an event by this many rules, of which one matches.
#[divan::bench(args = [10, 100, 1000], sample_size = 200)]
fn route(bencher: Bencher<'_, '_>, count: usize) {
    let rules = kit::rules(count);
    let now = Timestamp::now();
    let event = kit::received(0, now).event;
    assert_eq!(rules.route(&event, 1, now).rules.len(), 1);
    bencher.bench_local(|| drop(black_box(rules.route(&event, 1, now))));
}

/// Append a group of events, each with one delivery; per event.
#[divan::bench(args = [1, 10, 100, 1000], sample_count = 50, sample_size = 4)]
fn append(bencher: Bencher<'_, '_>, group: usize) {
    let home = Home::new();
    let numbers = Numbers::default();
    bencher
        .counter(ItemsCount::new(group))
        .with_inputs(|| numbers.take(group).map(kit::entry).collect::<Vec<_>>())
        .bench_local_values(|entries| {
            let appends = try_join_all(entries.into_iter().map(|entry| home.journal.append(entry)));
            home.runtime.block_on(appends).expect("it is kept")
        });
}

/// Fill in one action's parameters: a text with two holes; compiled before.
#[divan::bench(sample_count = 50, sample_size = 2000)]
fn render(bencher: Bencher<'_, '_>) {
    let rules = kit::announcing();
    let event = kit::received(0, Timestamp::now()).event;
    let params = &rules.rules[0].actions[0].params;
    let fill = || params.render(Scope { event: &event, vars: &rules.vars, resolver: &*rules.resolver });
    let text = fill().expect("the event has what is named").plain;
    assert_eq!(
        text.get("text").and_then(Json::as_str),
        Some("5b73fb3f-a3cb-4912-8000-000000000000: finished")
    );
    bencher.bench_local(|| drop(black_box(fill())));
}

/// One run of a script that reads three fields, branches and makes one effect; compiled before.
#[divan::bench(threads = [1, 2], sample_count = 50, sample_size = 2000)]
fn script_run(bencher: Bencher<'_, '_>) {
    let runs = kit::Runs::new();
    bencher.counter(ItemsCount::new(1usize)).bench(|| {
        assert_eq!(runs.call().run().expect("it returns").effects.len(), 1);
    });
}

/// Lease a group of deliveries and settle it; per delivery.
#[divan::bench(args = [1, 10, 100, 1000], sample_count = 50, sample_size = 4)]
fn lease_and_settle(bencher: Bencher<'_, '_>, group: usize) {
    let home = Home::new();
    let numbers = Numbers::default();
    home.append(numbers.take(50 * 4 * group + 10 * group).map(kit::entry));
    bencher.counter(ItemsCount::new(group)).bench_local(|| {
        home.runtime.block_on(async {
            let capacity = Capacity::each(group, group);
            let lease = home.journal.lease(Timestamp::now(), capacity).await.expect("it can be read");
            assert_eq!(lease.deliveries.len(), group);
            let settlements = lease.deliveries.into_iter().map(kit::delivered);
            try_join_all(settlements.map(|it| home.journal.settle([it].into()))).await.expect("it is kept")
        })
    });
}
