//! What events cost the server: time, and the time of its core.

use crate::events::Events;
use crate::home::Home;
use crate::load::{self, Answered};
use crate::server::Server;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// `USER_HZ`, which is 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
const WARM_UP: Duration = Duration::from_secs(1);
/// The last delivery has arrived by then, or something is wrong.
const LONGEST: Duration = Duration::from_secs(300);

/// A server, and the load on it.
pub struct Bench {
    pub server: Server,
    /// Behind the server, so that it is removed after it has ended.
    pub home: Home,
    pub events: Arc<Events>,
    pub connections: usize,
}

/// What the events of one row came to.
pub struct Cost {
    pub answered: Answered,
    /// Of the server, for each event.
    pub cpu_us: f64,
}

impl Bench {
    pub fn start(home: Home, events: Events, connections: usize) -> Self {
        let server = Server::start(&home);
        Self { server, home, events: Arc::new(events), connections }
    }

    /// Requests of which no rule matches, after some that warm up.
    pub fn answers(&self, time: Duration) -> Cost {
        self.load(WARM_UP);
        let before = self.cpu_us();
        let answered = self.load(time);
        self.cost(answered, before)
    }

    /// Requests that lead to a line in a file each; beside their cost, how many lines a second there
    /// were until the last one.
    pub fn deliveries(&self, time: Duration) -> (Cost, f64) {
        let (before, started) = (self.cpu_us(), Instant::now());
        let answered = self.load(time);
        let sent = self.events.sent();
        while self.lines() < sent {
            assert!(started.elapsed() < LONGEST, "{} of {sent} arrived", self.lines());
            std::thread::sleep(Duration::from_millis(20));
        }
        let delivered = sent as f64 / started.elapsed().as_secs_f64();
        assert_eq!(self.lines(), sent, "each is delivered once");
        (self.cost(answered, before), delivered)
    }

    pub fn load(&self, time: Duration) -> Answered {
        load::run(self.server.hooks, &self.events, self.connections, move |_, elapsed| elapsed < time)
    }

    fn cost(&self, answered: Answered, before: f64) -> Cost {
        let cpu_us = (self.cpu_us() - before) / answered.count() as f64;
        Cost { answered, cpu_us }
    }

    /// What the server's threads have computed, in the program and in the kernel.
    fn cpu_us(&self) -> f64 {
        let stat = self.server.proc("stat");
        // Behind the name in brackets: `utime` and `stime` are the 14th and 15th field (proc_pid_stat(5)).
        let fields = stat.rsplit(')').next().expect("it has a name").split_whitespace();
        let ticks: f64 = fields.skip(11).take(2).map(|field| field.parse::<f64>().expect("ticks")).sum();
        ticks * 1e6 / TICKS_PER_SECOND
    }

    /// Those of all files.
    fn lines(&self) -> u64 {
        let files = std::fs::read_dir(self.home.path().join("data/files")).into_iter().flatten().flatten();
        let lines = |bytes: Vec<u8>| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        files.map(|file| std::fs::read(file.path()).map_or(0, lines)).sum()
    }
}
