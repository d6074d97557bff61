//! From a save to rules that are live, and what requests notice of it.

use crate::home::{Home, strangers};
use crate::paced::{Answer, Paced};
use crate::server::Server;
use crate::show;
use hookyard::json::{Json, Number};
use std::time::{Duration, Instant};

const FILES: usize = 10;
const RULES_PER_FILE: usize = 100;
const ROUNDS: usize = 5;
const CONNECTIONS: u32 = 32;
const PER_SECOND: u32 = 2_000;
/// Between two saves.
const REST: Duration = Duration::from_secs(2);
/// How often the server is asked what is live.
const POLL: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(30);
const LIVE_GOAL: Duration = Duration::from_millis(250);
const ANSWER_GOAL: Duration = Duration::from_millis(20);

pub fn run() {
    let home = Home::new("", &file(0));
    for number in 1..FILES {
        home.write(&format!("rules/part-{number}.yaml"), &file(number));
    }
    let server = Server::start(&home);
    let rules = server.status().get("rules").and_then(Json::as_array).map(<[Json]>::len);
    assert_eq!(rules, Some(FILES * RULES_PER_FILE));
    let load = Paced::start(server.hooks, CONNECTIONS, PER_SECOND);
    let saves: Vec<_> = (0..ROUNDS).map(|round| save(&home, &server, round)).collect();
    let answers = load.end();
    println!(
        "reload: {} rules in {FILES} files, one file replaced under {PER_SECOND} requests/s",
        FILES * RULES_PER_FILE
    );
    show("save to live", saves.iter().map(|(saved, live)| *live - *saved).collect(), LIVE_GOAL);
    let meanwhile = saves.iter().map(|(saved, live)| slowest(&answers, *saved, *live));
    show("slowest answer meanwhile", meanwhile.collect(), ANSWER_GOAL);
    let before = saves.iter().map(|(saved, live)| slowest(&answers, *saved - (*live - *saved), *saved));
    show("slowest answer in as long a time before", before.collect(), ANSWER_GOAL);
}

/// Replaces a file by one with a changed rule; when that was, and when it was seen to be live.
fn save(home: &Home, server: &Server, round: usize) -> (Instant, Instant) {
    std::thread::sleep(REST);
    let before = generation(server);
    // Beside the rules, not among them: only the renaming is seen.
    home.write("next", &file(1).replace("stranger-150", &format!("another-{round}")));
    let saved = Instant::now();
    std::fs::rename(home.path().join("next"), home.path().join("rules/part-1.yaml")).expect("a rename");
    while generation(server) == before {
        assert!(saved.elapsed() < LONGEST, "it is not live: {:?}", server.status().get("reload"));
        std::thread::sleep(POLL);
    }
    (saved, Instant::now())
}

fn file(number: usize) -> String {
    strangers(number * RULES_PER_FILE..(number + 1) * RULES_PER_FILE)
}

fn generation(server: &Server) -> u64 {
    let status = server.status();
    status.get("generation").and_then(Json::as_number).and_then(Number::as_u64).expect("rules are served")
}

/// Of those that were waited for at some time between.
fn slowest(answers: &[Answer], from: Instant, to: Instant) -> Duration {
    let between = answers.iter().filter(|answer| answer.due <= to && answer.answered >= from);
    between.map(|answer| answer.answered - answer.due).max().expect("requests came all the time")
}
