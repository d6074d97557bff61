//! Routing at 10 to 100 000 rules, parsing included, and where no rule has an exact value.
//!
//! A plain harness: what matters is the cost of an event among many others, with the caches as
//! they are then, on a machine that does other things too. Each round takes all events in turn;
//! of each batch the best round counts. Numbers on the command line are sizes to measure instead.

#[path = "../src/rules/tests/workload.rs"]
mod workload;

use hookyard::action::{Context, Egress};
use hookyard::event::{Event, EventId};
use hookyard::json::{self, Json};
use hookyard::rules::{RuleSet, Settings, Tree, load};
use hookyard::script::Limits;
use hookyard::secret::Environment;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const EVENTS: usize = 20_000;
const BATCH: usize = 200;
const ROUNDS: usize = 15;

fn main() {
    println!("| rules | loading | parsing | parsing and routing | no exact value |");
    println!("|---|---|---|---|---|");
    let chosen: Vec<_> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    for size in if chosen.is_empty() { SIZES.to_vec() } else { chosen } {
        let wanted = workload::wanted(size);
        let (rules, loading) = loaded(workload::yaml(&wanted));
        let events: Vec<_> = workload::updates(size, EVENTS).iter().map(workload::Update::json).collect();
        check(&rules, &wanted, &workload::updates(size, 100));
        let parsing = best(&events, ROUNDS, |text| {
            black_box(event(text));
        });
        let routing = best(&events, ROUNDS, |text| {
            black_box(rules.matching(&event(text)));
        });
        drop(rules);
        let (scanned, _) = loaded(inexact(size));
        let few = (20_000_000 / size).clamp(BATCH, EVENTS);
        let scanning = best(&events[..few], 3, |text| {
            black_box(scanned.matching(&event(text)));
        });
        println!("| {size} | {loading:.0?} | {parsing:.2?} | {routing:.2?} | {scanning:.2?} |");
    }
}

/// Ranges only: each rule is looked at for each event.
fn inexact(rules: usize) -> String {
    let rule = |index| {
        format!(
            "  - {{name: r{index}, match: {{metadata: {{cost: [{{numeric: ['>', {}]}}]}}}}, actions: [{{log: {{}}}}]}}\n",
            100 + index
        )
    };
    format!("rules:\n{}", (0..rules).map(rule).collect::<String>())
}

fn loaded(yaml: String) -> (RuleSet, Duration) {
    let tree = Tree::from([("rules.yaml".to_owned(), yaml.into_bytes())]);
    let settings = Settings {
        sources: ["browser-use".to_owned()].into(),
        resolver: Arc::new(Environment::default()),
        limits: Limits::default(),
        context: Context::new(Egress::default(), "nowhere"),
        assume_required: false,
    };
    let started = Instant::now();
    let rules = load(&tree, &settings).rules.expect("the rules are right");
    (rules, started.elapsed())
}

/// A figure counts for nothing if the answers are wrong.
fn check(rules: &RuleSet, wanted: &[workload::Wanted], updates: &[workload::Update]) {
    for update in updates {
        let expected = wanted.iter().enumerate().filter(|(_, rule)| update.is_wanted_by(rule));
        let expected: Vec<_> = expected.map(|(index, _)| format!("r{index}")).collect();
        assert_eq!(rules.matching(&event(&update.json())), expected);
    }
}

fn event(text: &str) -> Event {
    let Ok(Json::Object(document)) = json::parse(text.as_bytes()) else { panic!("no event: {text}") };
    Event::new(EventId::new(0, 1), document)
}

/// The mean time of an event, from the best round of each batch.
fn best(events: &[String], rounds: usize, mut run: impl FnMut(&str)) -> Duration {
    let mut least = vec![Duration::MAX; events.len().div_ceil(BATCH)];
    for _ in 0..rounds {
        for (batch, least) in events.chunks(BATCH).zip(&mut least) {
            let started = Instant::now();
            batch.iter().for_each(|text| run(text));
            *least = started.elapsed().min(*least);
        }
    }
    least.iter().sum::<Duration>() / events.len() as u32
}
