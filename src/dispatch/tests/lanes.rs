//! Lanes at work: how fast, how many at once, when they rest; and that none holds up another.

use super::*;
use crate::delivery::Pause;
use crate::journal::{EventFilter, StoredEvent};
use futures_util::future::join_all;

/// `pause: {after: 2, first: 10s, max: 1m}`
fn pausing() -> LaneLimits {
    let pause = Pause { after: 2, first: Duration::from_secs(10), max: Duration::from_secs(60) };
    LaneLimits { pause: Some(pause), ..LaneLimits::default() }
}

fn down() -> Result<Receipt, ActionError> {
    Err(ActionError::Down("cannot connect to crm.example for s3cret".into()))
}

impl Bench {
    /// An action that is down until the switch is on.
    fn switched(&self, works: &Arc<AtomicBool>) -> Arc<dyn Action> {
        let works = works.clone();
        self.action(move || {
            let answer = if works.load(Ordering::SeqCst) { ok() } else { down() };
            Box::pin(std::future::ready(answer))
        })
    }

    /// So many events with a delivery to this lane.
    async fn append_many(&self, numbers: std::ops::Range<u64>, lane: &str) {
        let appended = join_all(numbers.map(|number| self.journal.append(entry(number, 0, &[lane])))).await;
        assert!(appended.iter().all(Result::is_ok));
    }

    async fn until_lane(&self, state: LaneState) -> LaneStatus {
        let look = async {
            loop {
                let now = at(self.clock.load(Ordering::SeqCst));
                if let Some(found) = self.lanes.snapshot(now).into_iter().find(|lane| lane.state == state) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DRAIN, look).await.unwrap_or_else(|_| panic!("no lane became {state:?}"))
    }

    async fn until_delivered(&self, count: u64) {
        let look = async {
            while self.journal.counts().await.unwrap().delivered < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DRAIN, look).await.unwrap_or_else(|_| panic!("not {count} are delivered"));
    }

    /// Lets the dispatcher look at everything that there is: an event of another lane, `calm`, wakes
    /// it and is delivered, not before the clock's time. Returns what else was attempted since the
    /// last time.
    async fn attempted(&mut self, number: u64) -> Vec<String> {
        let now_ms = self.clock.load(Ordering::SeqCst) - NOW;
        let mark = entry(number, now_ms, &[&format!("calm/a{number}")]);
        let filter = DeliveryFilter { event: Some(id_of(&mark)), limit: 1, ..DeliveryFilter::default() };
        self.append(mark).await;
        let done = async {
            while self.journal.deliveries(filter.clone()).await.unwrap()[0].state != State::Delivered {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DRAIN, done).await.expect("the other lane works");
        let seen = std::iter::from_fn(|| self.seen.try_recv().ok());
        seen.filter(|line| !line.starts_with("calm ")).collect()
    }

    /// The rule `r` whose action is down until the switch is on, and `calm`.
    fn serve_switched(&self, works: &Arc<AtomicBool>, lane: LaneLimits) {
        let calm = self.switched(&Arc::new(AtomicBool::new(true)));
        self.serve(Rules { lane, ..Rules::new(vec![("r", self.switched(works)), ("calm", calm)]) });
    }

    /// hookyard's own events of lanes, newest first.
    async fn told(&self) -> Vec<(String, String)> {
        let filter = EventFilter { source: Some("hookyard".into()), limit: 9, ..Default::default() };
        let text = |event: &Event, pointer: &str| {
            let payload = event.get("payload").expect("it has one");
            payload.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let line = |it: StoredEvent| {
            let kind = it.event.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
            let fields = ["/lane", "/rule", "/action", "/until", "/why"];
            (kind, fields.map(|pointer| text(&it.event, pointer)).join(" "))
        };
        self.journal.events(filter).await.unwrap().into_iter().map(line).collect()
    }
}

#[tokio::test]
async fn a_lane_whose_destination_is_down_is_paused_probed_and_resumed() {
    let mut bench = Bench::new();
    let works = Arc::new(AtomicBool::new(false));
    bench.serve_switched(&works, pausing());
    bench.append_many(0..20, "r/a").await;
    bench.start(Limits { concurrency: 8, lane_concurrency: Some(1) });
    let paused = bench.until_lane(LaneState::Paused).await;
    assert_eq!(paused.paused_until, Some(at(NOW + 10_000)));
    assert_eq!(paused.why.as_deref(), Some("cannot connect to crm.example for ${TOKEN}"));
    bench.set_clock(9_999);
    assert_eq!(bench.attempted(100).await.len(), 2, "no attempt is burnt meanwhile");

    // The one let through fails, and the lane is paused for twice as long.
    bench.set_clock(10_000);
    let again = async {
        while bench.lanes.snapshot(at(NOW))[0].paused_until != Some(at(NOW + 30_000)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DRAIN, again).await.expect("it is paused for longer");
    bench.set_clock(29_999);
    works.store(true, Ordering::SeqCst);
    assert_eq!(bench.attempted(101).await.len(), 1);

    bench.set_clock(30_000);
    bench.until_delivered(20 + 2).await;
    assert_eq!(bench.lanes.snapshot(at(NOW)), [], "it works, and nothing is remembered");
    bench.stop().await;
    let lane = "r/a r a";
    let why = "cannot connect to crm.example for ${TOKEN}";
    let expected = [
        ("hookyard.lane.resumed".to_owned(), format!("{lane}  ")),
        ("hookyard.lane.paused".to_owned(), format!("{lane} 2025-11-24T16:00:10Z {why}")),
    ];
    assert_eq!(bench.told().await, expected);
}

#[tokio::test]
async fn deliveries_of_a_paused_lane_keep_their_schedule() {
    let mut bench = Bench::new();
    bench.serve_switched(&Arc::new(AtomicBool::new(false)), pausing());
    bench.append_many(0..5, "r/a").await;
    bench.start(Limits { concurrency: 8, lane_concurrency: Some(1) });
    bench.until_lane(LaneState::Paused).await;
    bench.attempted(9).await;
    let filter = DeliveryFilter {
        state: Some(State::Pending),
        rule: Some("r".into()),
        limit: 9,
        ..DeliveryFilter::default()
    };
    let mut pending = bench.journal.deliveries(filter).await.unwrap();
    pending.sort_by_key(|it| it.attempts);
    assert_eq!(pending.iter().map(|it| it.attempts).collect::<Vec<_>>(), [0, 0, 0, 1, 1]);
    assert!(pending[..3].iter().all(|it| it.due == Some(at(NOW))), "they are due as before");
    bench.stop().await;
}

#[tokio::test]
async fn other_rules_end_the_pause_at_once() {
    let mut bench = Bench::new();
    let broken = bench.switched(&Arc::new(AtomicBool::new(false)));
    bench.serve(Rules { lane: pausing(), ..Rules::new(vec![("r", broken)]) });
    bench.append_many(0..5, "r/a").await;
    bench.start(Limits { concurrency: 8, lane_concurrency: Some(1) });
    bench.until_lane(LaneState::Paused).await;
    let mended = bench.switched(&Arc::new(AtomicBool::new(true)));
    bench.serve(Rules { lane: pausing(), ..Rules::new(vec![("r", mended)]) });
    bench.until_delivered(3).await;
    assert_eq!(bench.lanes.snapshot(at(NOW)), []);
    bench.stop().await;
}

#[tokio::test]
async fn that_the_lane_of_its_own_events_is_paused_is_not_told() {
    let mut bench = Bench::new();
    bench.start(Limits { concurrency: 8, lane_concurrency: Some(1) });
    let down = bench.switched(&Arc::new(AtomicBool::new(false)));
    bench.serve(Rules { lane: pausing(), ..Rules::new(vec![("r", down.clone()), ("late", down)]) });
    bench.append_many(0..2, "r/a").await;
    bench.until_lane(LaneState::Paused).await;
    // What is told goes to `late`, whose destination is down, too.
    bench.append_many(2..4, "late/a").await;
    let both = async {
        while bench.lanes.snapshot(at(NOW)).len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DRAIN, both).await.expect("both are paused");
    bench.stop().await;
    let told: Vec<_> = bench.told().await.into_iter().map(|(_, fields)| fields[..3].to_owned()).collect();
    assert!(told.iter().filter(|lane| **lane == *"r/a").count() == 1 && told.len() <= 2, "{told:?}");
}

#[tokio::test]
async fn a_rate_is_kept_to() {
    let mut bench = Bench::new();
    let lane = LaneLimits { rate: "2/s".parse().ok(), ..LaneLimits::default() };
    bench.serve_switched(&Arc::new(AtomicBool::new(true)), lane);
    bench.append_many(0..7, "r/a").await;
    bench.start(Limits::default());
    for (ms, count) in [(0, 2), (499, 0), (500, 1), (999, 0), (1_000, 1), (2_500, 2)] {
        bench.set_clock(ms);
        assert_eq!(bench.attempted(1000 + ms.cast_unsigned()).await.len(), count, "after {ms} ms");
    }
    let shown = bench.lanes.snapshot(at(NOW)).pop().expect("the lane has a rate");
    assert_eq!((shown.rule.as_str(), shown.rate, shown.state), ("r", lane.rate, LaneState::Open));
    bench.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_no_lane() {
    let mut bench = Bench::new();
    let lane = LaneLimits { rate: "1/s".parse().ok(), ..LaneLimits::default() };
    bench.serve_switched(&Arc::new(AtomicBool::new(true)), lane);
    bench.append_many(0..3, "r/a").await;
    bench.set_clock(3_600_000);
    bench.start(Limits::default());
    // Twice at 0: the first look may still be one of before.
    for (number, (ms, count)) in (9..).zip([(3_600_000, 1), (0, 0), (0, 0), (1_000, 1), (2_000, 1)]) {
        bench.set_clock(ms);
        assert_eq!(bench.attempted(number).await.len(), count, "at {ms} ms");
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_lane_has_a_concurrency_of_its_own() {
    let mut bench = Bench::new();
    let hangs = bench.action(|| Box::pin(std::future::pending()));
    let lane = LaneLimits { concurrency: Some(3), ..LaneLimits::default() };
    bench.serve(Rules { lane, ..Rules::new(vec![("r", hangs)]) });
    bench.append_many(0..9, "r/a").await;
    bench.drain = TIMEOUT;
    bench.start(Limits { concurrency: 8, lane_concurrency: Some(1) });
    for _ in 0..3 {
        bench.next_seen().await;
    }
    bench.stop().await;
    assert!(bench.seen.try_recv().is_err(), "no fourth");
}

#[tokio::test]
async fn destinations_that_hang_hold_up_no_other() {
    let mut bench = Bench::new();
    bench.drain = TIMEOUT;
    let hangs = bench.action(|| Box::pin(std::future::pending()));
    let works = bench.action(|| Box::pin(std::future::ready(ok())));
    let rules = vec![("h1", hangs.clone()), ("h2", hangs.clone()), ("h3", hangs), ("r", works)];
    bench.serve(Rules::new(rules));
    for (number, lane) in [(0, "h1/a"), (100, "h2/a"), (200, "h3/a"), (300, "r/a")] {
        bench.append_many(number..number + 20, lane).await;
    }
    bench.start(Limits { concurrency: 16, lane_concurrency: Some(4) });
    bench.until_delivered(20).await;
    bench.stop().await;
}

#[tokio::test]
async fn every_lane_has_its_turn_however_many_wait() {
    const LANES: u64 = 50;
    let mut bench = Bench::new();
    let names: Vec<&'static str> = (0..LANES).map(|number| &*format!("r{number}").leak()).collect();
    let works = bench.action(|| Box::pin(std::future::ready(ok())));
    bench.serve(Rules::new(names.iter().map(|name| (*name, works.clone())).collect()));
    let lanes: Vec<_> = names.iter().map(|name| format!("{name}/a")).collect();
    // The first has a backlog that is older than everything else.
    bench.append_many(0..60, &lanes[0]).await;
    for (number, lane) in (1000..).zip(&lanes[1..]) {
        bench.append(entry(number, 5, &[lane])).await;
    }
    bench.set_clock(5);
    bench.start(Limits { concurrency: 1, lane_concurrency: Some(1) });
    let mut turns = Vec::new();
    while turns.len() < 2 * LANES as usize {
        turns.push(bench.next_seen().await);
    }
    let missing: Vec<_> =
        names.iter().filter(|name| !turns.iter().any(|turn| turn.starts_with(&format!("{name} ")))).collect();
    assert!(missing.is_empty(), "{missing:?} had no turn in {turns:?}");
    bench.stop().await;
}
