//! Up to a million pending deliveries to a destination that is down, beside events with a delivery
//! that works.

use crate::cost::Bench;
use crate::events::Events;
use crate::fill::fill;
use crate::home::{Home, strangers};
use crate::kit;
use crate::server::Server;
use hookyard::journal::Entry;
use hookyard::json::{Json, Number};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 128;

pub fn print(sizes: &[usize], time: Duration) {
    println!(
        "backlog: each event is a line in a file, beside deliveries to what refuses connections; {CONNECTIONS} connections"
    );
    println!("{:>12} {:>12} {:>14} {:>14}", "pending", "requests/s", "delivered/s", "CPU µs/event");
    for &pending in sizes {
        let home = Home::new("", &rules(nobody()));
        fill(&home, (0..pending as u64).map(waiting));
        let bench = Bench::start(home, Events::new(1, 0), CONNECTIONS);
        let (cost, delivered) = bench.deliveries(time);
        println!(
            "{pending:>12} {:>12.0} {delivered:>14.0} {:>14.1}",
            cost.answered.per_second(),
            cost.cpu_us
        );
        // The last line is in the file before its outcome is kept.
        let since = Instant::now();
        while left(&bench.server) != pending as u64 {
            assert!(since.elapsed() < Duration::from_secs(10), "{} wait", left(&bench.server));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// How many deliveries are pending.
fn left(server: &Server) -> u64 {
    let journal = server.status().get("journal").cloned().expect("it tells of the journal");
    let pending = journal.get("pending").and_then(Json::as_number).and_then(Number::as_u64);
    pending.expect("it counts them")
}

/// Bound and dropped: nobody listens there.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("port 0 is free")
}

fn rules(down: SocketAddr) -> String {
    let others = strangers(0..100);
    let file = "  - {name: file, match: {status: finished}, actions: [{file: {path: all.txt, text: '{{ payload.task_id }}'}}]}";
    let http = format!(
        "  - {{name: down, match: {{status: stopped}}, actions: [{{http: {{url: 'http://{down}/'}}}}]}}"
    );
    format!("{others}{file}\n{http}\n")
}

/// An event with a delivery to the destination that is down.
fn waiting(number: u64) -> Entry {
    let mut entry = kit::entry(number);
    let routing = entry.routing.as_mut().expect("it is routed");
    routing.rules = vec!["down".to_owned()];
    for delivery in &mut routing.deliveries {
        (delivery.id.rule, delivery.id.action) = ("down".into(), "http".into());
    }
    entry
}
