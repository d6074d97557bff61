//! From the start of the process to its first answer, with much in the journal.

use crate::events::Events;
use crate::fill::fill;
use crate::home::{Home, strangers};
use crate::kit;
use crate::load;
use crate::server::Server;
use crate::show;
use hookyard::journal::{Entry, Routing};
use rustix::process::{Pid, Signal, kill_process};
use std::sync::Arc;
use std::time::{Duration, Instant};

const RULES: usize = 1_000;
const EVENTS: u64 = 1_000_000;
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 128;
/// What is received before a `kill -9`.
const RECEIVING: Duration = Duration::from_secs(1);
const GOAL: Duration = Duration::from_millis(500);

pub fn run() {
    let home = Home::new("", &strangers(0..RULES));
    fill(&home, (0..EVENTS).map(unmatched));
    let events = Arc::new(Events::new(1, 0));
    println!("start: {RULES} rules, {EVENTS} events in the journal, its pages in the system's memory");
    let closed = (0..ROUNDS).map(|_| {
        let (server, took) = started(&home, &events);
        stop(server);
        took
    });
    show("first answer, closed before", closed.collect(), GOAL);
    let killed = (0..ROUNDS).map(|_| {
        let (server, _) = started(&home, &events);
        load::run(server.hooks, &events, CONNECTIONS, |_, elapsed| elapsed < RECEIVING);
        drop(server);
        started(&home, &events).1
    });
    show("first answer, killed under load before", killed.collect(), GOAL);
}

/// How long it took to its first 200. It says where it listens as soon as it does, so that nothing
/// has to be asked in vain.
fn started(home: &Home, events: &Arc<Events>) -> (Server, Duration) {
    let started = Instant::now();
    let server = Server::start(home);
    let sent = events.sent();
    load::run(server.hooks, events, 1, move |events, _| events.sent() == sent);
    (server, started.elapsed())
}

/// As an operator stops it: the journal is closed.
fn stop(mut server: Server) {
    kill_process(Pid::from_child(&server.child), Signal::TERM).expect("it runs");
    assert!(server.child.wait().expect("it is a child").success(), "it ends by itself");
}

/// An event that is routed and leads to nothing.
fn unmatched(number: u64) -> Entry {
    let routing = Routing { generation: 1, rules: Vec::new(), deliveries: Vec::new(), storms: Vec::new() };
    Entry { routing: Some(routing), ..kit::entry(number) }
}
