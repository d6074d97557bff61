//! 1 to 1000 lanes: each event is matched by one rule, which writes a line in a file of its own.

use crate::cost::Bench;
use crate::events::Events;
use crate::home::Home;
use std::fmt::Write as _;
use std::time::Duration;

const CONNECTIONS: usize = 128;

pub fn print(sizes: &[usize], time: Duration) {
    println!(
        "lanes: each event matches one of so many rules, in turn, with a `file` action each; {CONNECTIONS} connections"
    );
    println!("{:>12} {:>12} {:>14} {:>14}", "lanes", "requests/s", "delivered/s", "CPU µs/event");
    for &lanes in sizes {
        let bench = Bench::start(Home::new("", &rules(lanes)), Events::new(lanes as u64, 0), CONNECTIONS);
        let (cost, delivered) = bench.deliveries(time);
        println!("{lanes:>12} {:>12.0} {delivered:>14.0} {:>14.1}", cost.answered.per_second(), cost.cpu_us);
    }
}

fn rules(lanes: usize) -> String {
    let mut rules = "rules:\n".to_owned();
    for lane in 0..lanes {
        let action = format!("file: {{path: lane-{lane}.txt, text: '{{{{ payload.task_id }}}}'}}");
        let _ = writeln!(
            rules,
            "  - {{name: r{lane}, match: {{metadata: {{team: team-{lane}}}}}, actions: [{{{action}}}]}}"
        );
    }
    rules
}
