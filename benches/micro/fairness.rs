//! How much a dead destination slows another one: the same deliveries alone, and beside a backlog of
//! deliveries to a destination that refuses, or never answers. What counts is the ratio.

use crate::kit::{self, Home};
use crate::receiver::Receiver;
use hookyard::dispatch::{Dispatcher, Limits};
use hookyard::journal::{Entry, History};
use hookyard::rules::Serving;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Deliveries to the destination that works, in each round.
pub const LIVE: u64 = 5_000;
const ROUNDS: usize = 7;

/// Measures with a backlog of so many.
pub fn run(backlog: u64) {
    let live = Receiver::start();
    // Bound and dropped: nobody listens there. Bound and never accepted: connections are made, and
    // that is all.
    let refuses = StdListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("port 0 is free");
    let hangs = StdListener::bind("127.0.0.1:0").expect("port 0 is free");
    let hanging = hangs.local_addr().expect("it is bound");
    for (what, dead) in [("refuses", refuses), ("never answers", hanging)] {
        let serving = serving(live.address, dead);
        let (alone, beside) = (Bench::new(), Bench::new());
        beside.append(backlog, "dead");
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            // Which one is first changes: what the machine does else is shared out.
            let (first, second) = if round % 2 == 0 { (&alone, &beside) } else { (&beside, &alone) };
            let (first, second) = (first.round(&serving), second.round(&serving));
            let (alone, beside) = if round % 2 == 0 { (first, second) } else { (second, first) };
            println!(
                "alone {alone:.0}/s, beside {backlog} for one that {what} {beside:.0}/s: {:.3}",
                beside / alone
            );
            ratios.push(beside / alone);
        }
        ratios.sort_by(f64::total_cmp);
        println!("median beside one that {what}: {:.3} (wanted: at least 0.9)", ratios[ROUNDS / 2]);
    }
    // What the journal calls delivered was answered.
    assert!(live.answered() >= 4 * ROUNDS as u64 * LIVE, "{}", live.answered());
}

/// A journal, and the numbers that its events have had.
pub struct Bench {
    home: Home,
    numbers: kit::Numbers,
    runtime: Runtime,
}

impl Bench {
    pub fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        Self { home: Home::new(), numbers: kit::Numbers::default(), runtime }
    }

    /// Appends so many events with a delivery to this rule's action.
    pub fn append(&self, count: u64, rule: &str) {
        let count = usize::try_from(count).expect("it fits into memory");
        let of_rule = |number| {
            let mut entry: Entry = kit::entry(number);
            let routing = entry.routing.as_mut().expect("it is routed");
            routing.rules = vec![rule.to_owned()];
            for delivery in &mut routing.deliveries {
                (delivery.id.rule, delivery.id.action) = (rule.into(), "http".into());
            }
            entry
        };
        self.home.append(self.numbers.take(count).map(of_rule));
    }

    /// Appends deliveries to the destination that works, and makes them.
    fn round(&self, serving: &Arc<Serving>) -> f64 {
        self.append(LIVE, "live");
        self.deliver(serving)
    }

    /// Makes [`LIVE`] deliveries more, by a dispatcher that knows of nothing yet; how many a second.
    pub fn deliver(&self, serving: &Arc<Serving>) -> f64 {
        let delivered =
            || self.runtime.block_on(self.home.journal.counts()).expect("it can be read").delivered;
        let goal = delivered() + LIVE;
        let (rules, limits) =
            (watch::channel(Some(Arc::clone(serving))).1, watch::channel(Limits::default()).1);
        let (dispatcher, stop) =
            (Dispatcher::new(self.home.journal.clone(), rules, limits), CancellationToken::new());
        let started = Instant::now();
        let running = self.runtime.spawn(dispatcher.run(stop.clone()));
        while delivered() < goal {
            std::thread::sleep(Duration::from_millis(1));
        }
        let rate = LIVE as f64 / started.elapsed().as_secs_f64();
        stop.cancel();
        self.runtime.block_on(running).expect("it ends");
        rate
    }
}

pub fn serving(live: SocketAddr, dead: SocketAddr) -> Arc<Serving> {
    let text = format!(
        "rules:\n  - {{name: live, match: any, actions: [{{http: {{url: 'http://{live}/'}}}}]}}\n  - {{name: dead, match: any, actions: [{{http: {{url: 'http://{dead}/'}}}}]}}\n"
    );
    Arc::new(Serving { number: 1, rules: kit::loaded(text) })
}
