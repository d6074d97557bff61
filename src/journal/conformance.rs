//! What every journal does, whatever keeps it: run by each backend's tests.

mod by_hand;
mod reading;
mod state;
mod storms;
mod trimming;

use super::*;
use crate::delivery::{Answered, Effect, Receipt};
use crate::json::{self, Json};
use crate::source::{Form, Verified};
use crate::template::Params;
use futures_util::FutureExt;

pub(crate) use by_hand::*;
pub(crate) use reading::*;
pub(crate) use state::*;
pub(crate) use storms::*;
pub(crate) use trimming::*;

/// Where a test's journal is: opened again, it is the same one after a restart.
pub(crate) trait Place {
    fn open(&self) -> Arc<dyn Journal>;
}

/// Makes a test of each of these for a backend: `conformance!(its place; names)`.
macro_rules! conformance {
    ($place:expr; $($name:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            crate::journal::conformance::$name(&$place).await;
        })*
    };
}
pub(crate) use conformance;

pub(crate) const NOW: i64 = 1_764_000_000_000;
const DAY_MS: i64 = 86_400_000;

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).expect("near now")
}

/// An event received `ms` after [`NOW`] whose number is also its fingerprint.
pub(crate) fn entry(number: u64, ms: i64, deliveries: &[&str]) -> Entry {
    let id = EventId::new((NOW + ms).cast_unsigned(), u128::from(number));
    let text = format!(
        r#"{{"source":"s","type":"t{}","status":"ok","payload":{{"n":{number}.50,"big":123456789012345678901234567890}}}}"#,
        number % 2
    );
    let Ok(Json::Object(document)) = json::parse(text.as_bytes()) else { panic!("{text}") };
    let mut fingerprint = [7; 32];
    fingerprint[..8].copy_from_slice(&number.to_le_bytes());
    let received = Received {
        event: Event::new(id, document),
        body: Bytes::from(format!("body {number}")),
        headers: [("x-number", number.to_string().as_str()), ("x-number", "twice\u{e9}")]
            .into_iter()
            .collect(),
        preset: None,
        fingerprint,
        verified: Verified { form: Form::Python, secret: 0 },
    };
    let routing = Routing {
        generation: 3,
        rules: deliveries.iter().map(|path| path.split('/').next().unwrap().to_owned()).collect(),
        deliveries: deliveries.iter().map(|path| delivery(id, path, NOW + ms)).collect(),
        storms: Vec::new(),
    };
    let dedupe_since = at(NOW + ms - DAY_MS);
    Entry { received, received_at: at(NOW + ms), dedupe_since, routing: Some(routing), taken: None }
}

fn delivery(event: EventId, path: &str, due: i64) -> NewDelivery {
    NewDelivery { id: format!("{event}/{path}").parse().unwrap(), due: at(due), blocked: None, order: None }
}

fn blocked(mut entry: Entry, until: i64) -> Entry {
    for delivery in &mut entry.routing.as_mut().unwrap().deliveries {
        delivery.blocked = Some("no such field".into());
        delivery.due = at(until);
    }
    entry
}

fn unrouted(mut entry: Entry) -> Entry {
    entry.routing = None;
    entry
}

pub(crate) fn id_of(entry: &Entry) -> EventId {
    entry.received.event.id()
}

async fn lease(journal: &Arc<dyn Journal>, now: i64, overall: usize, per_lane: usize) -> Lease {
    journal.lease(at(now), Capacity::each(overall, per_lane)).await.unwrap()
}

/// The rules of what is leased with room for everything, in order of their names.
async fn lease_all(journal: &Arc<dyn Journal>, now: i64) -> Vec<String> {
    let mut rules: Vec<_> =
        lease(journal, now, 100, 100).await.deliveries.iter().map(|it| it.id.rule.to_string()).collect();
    rules.sort();
    rules
}

async fn settle(journal: &Arc<dyn Journal>, leased: &Leased, outcome: Outcome, now: i64) {
    let attempt = AttemptRecord {
        number: leased.attempts + 1,
        started_at: at(now),
        duration: Duration::from_micros(1500),
        generation: Some(3),
        outcome: "tried".into(),
        message: "said".into(),
        request: Some("{\"text\":\"t\"".into()),
        answer: Some(Answered { status: 503, body: "sorry, \u{e9}".into(), cut: true }),
    };
    let settlement = Settlement {
        id: leased.id.clone(),
        outcome,
        attempt: Some(attempt),
        derived: Vec::new(),
        now: at(now),
    };
    journal.settle([settlement].into()).await.unwrap();
}

fn delivered() -> Outcome {
    Outcome::Delivered(Receipt::of("204 No Content"))
}

async fn state(journal: &Arc<dyn Journal>, id: &DeliveryId) -> StoredDelivery {
    let filter = DeliveryFilter { event: Some(id.event), limit: 100, ..DeliveryFilter::default() };
    journal.deliveries(filter).await.unwrap().into_iter().find(|it| it.id == *id).expect("it is kept")
}

pub(crate) async fn an_event_reads_back_exactly_also_after_a_restart(place: &dyn Place) {
    let journal = place.open();
    let entry = entry(1, 0, &["r/a"]);
    assert_eq!(journal.append(entry.clone()).await.unwrap(), Appended::New(id_of(&entry)));
    journal.close().await;
    let journal = place.open();
    let stored = journal.event(id_of(&entry)).await.unwrap().expect("it is kept");
    assert_eq!(stored.event.to_string(), entry.received.event.to_string());
    assert_eq!((stored.received_at, stored.generation), (entry.received_at, Some(3)));
    assert_eq!((stored.rules, stored.verified), (vec!["r".to_owned()], Some(entry.received.verified)));
    let leased = lease(&journal, NOW, 9, 9).await.deliveries.pop().expect("it is due");
    assert_eq!((leased.body, leased.headers), (entry.received.body, entry.received.headers));
    assert_eq!(*leased.event, entry.received.event);
}

pub(crate) async fn a_twin_is_a_duplicate_within_its_window_also_after_a_restart(place: &dyn Place) {
    let journal = place.open();
    let first = entry(1, 0, &["r/a"]);
    journal.append(first.clone()).await.unwrap();
    let twin = entry(1, DAY_MS, &["r/a"]);
    assert_eq!(journal.append(twin.clone()).await.unwrap(), Appended::Duplicate(id_of(&first)));
    journal.close().await;
    let journal = place.open();
    assert_eq!(journal.append(twin.clone()).await.unwrap(), Appended::Duplicate(id_of(&first)));
    let late = entry(1, DAY_MS + 1, &["r/a"]);
    assert_eq!(journal.append(late.clone()).await.unwrap(), Appended::New(id_of(&late)));
    assert_eq!(journal.append(entry(1, DAY_MS + 5, &[])).await.unwrap(), Appended::Duplicate(id_of(&late)));
    assert_eq!(journal.counts().await.unwrap().events, 2);
    assert_eq!(lease_all(&journal, NOW + 2 * DAY_MS).await, ["r", "r"], "nothing was routed again");
}

pub(crate) async fn twins_at_once_are_kept_once(place: &dyn Place) {
    let journal = place.open();
    let twins = (0..20).map(|ms| journal.append(entry(1, ms, &["r/a"])));
    let answers = futures_util::future::join_all(twins).await;
    let new: Vec<_> = answers.iter().filter(|answer| matches!(answer, Ok(Appended::New(_)))).collect();
    let [Ok(Appended::New(first))] = new[..] else { panic!("{answers:?}") };
    let duplicates =
        answers.iter().filter(|answer| matches!(answer, Ok(Appended::Duplicate(id)) if id == first));
    assert_eq!(duplicates.count(), 19);
}

pub(crate) async fn leasing_is_fair_and_keeps_to_the_capacity(place: &dyn Place) {
    let journal = place.open();
    for number in 0..50 {
        journal.append(entry(number, 0, &["busy/a"])).await.unwrap();
    }
    for number in 50..52 {
        journal.append(entry(number, 1, &["calm/a", "still/a"])).await.unwrap();
    }
    let mut leased = lease(&journal, NOW + 1, 6, 4).await.deliveries;
    let count = |leased: &[Leased], rule: &str| leased.iter().filter(|it| it.id.rule == rule).count();
    assert_eq!(["busy", "calm", "still"].map(|rule| count(&leased, rule)), [2, 2, 2]);
    leased.extend(lease(&journal, NOW + 1, 6, 4).await.deliveries);
    assert_eq!(["busy", "calm", "still"].map(|rule| count(&leased, rule)), [4, 2, 2]);
    assert!(lease(&journal, NOW + 1, 6, 4).await.deliveries.is_empty(), "the lane is full");
    let busy = leased.iter().find(|it| it.id.rule == "busy").unwrap();
    settle(&journal, busy, delivered(), NOW + 2).await;
    let next = lease(&journal, NOW + 2, 6, 4).await.deliveries;
    assert_eq!(count(&next, "busy"), 1);
    assert!(leased.iter().all(|it| it.id != next[0].id), "nothing is leased twice");
}

pub(crate) async fn a_backlog_does_not_starve_other_lanes(place: &dyn Place) {
    let journal = place.open();
    for number in 0..30 {
        journal.append(entry(number, 0, &["old/a"])).await.unwrap();
    }
    for number in 30..33 {
        journal.append(entry(number, 5, &["new/a"])).await.unwrap();
    }
    let mut rules = Vec::new();
    for _ in 0..6 {
        let leased = lease(&journal, NOW + 5, 1, 9).await.deliveries.pop().expect("there is work");
        settle(&journal, &leased, delivered(), NOW + 5).await;
        rules.push(leased.id.rule);
    }
    rules.sort();
    assert_eq!(rules, ["new", "new", "new", "old", "old", "old"]);
}

/// Leases with this room for lanes whose action is `a`, and room for everything of others.
async fn lease_limited(journal: &Arc<dyn Journal>, now: i64, room: Room, afresh: bool) -> Lease {
    let open = Room { in_all: 99, until: None };
    let rooms = move |_: &str, action: &str| if action == "a" { room } else { open };
    journal.lease(at(now), Capacity { overall: 99, lanes: Arc::new(rooms), afresh }).await.unwrap()
}

fn actions(lease: &Lease) -> String {
    let mut actions: Vec<_> = lease.deliveries.iter().map(|it| it.id.action.as_str()).collect();
    actions.sort_unstable();
    actions.concat()
}

pub(crate) async fn each_lane_has_a_room_of_its_own(place: &dyn Place) {
    let journal = place.open();
    for number in 0..5 {
        journal.append(entry(number, 0, &["r/a", "r/b"])).await.unwrap();
    }
    let two = Room { in_all: 2, until: None };
    let leased = lease_limited(&journal, NOW, two, false).await;
    assert_eq!((actions(&leased).as_str(), leased.next_due, leased.has_left), ("aabbbbb", None, true));
    let full = lease_limited(&journal, NOW, two, false).await;
    assert_eq!((actions(&full).as_str(), full.has_left), ("", true));
    let one = leased.deliveries.iter().find(|it| it.id.action == "a").unwrap();
    let work = journal.work();
    // What the events have brought about.
    work.notified().now_or_never();
    settle(&journal, one, delivered(), NOW).await;
    assert!(work.notified().now_or_never().is_some(), "there is room for what was left");
    assert_eq!(actions(&lease_limited(&journal, NOW, two, false).await), "a", "one has ended");
}

pub(crate) async fn a_lane_without_room_is_looked_at_again_in_time(place: &dyn Place) {
    let journal = place.open();
    for number in 0..9 {
        journal.append(entry(number, 0, &["r/a", "r/b"])).await.unwrap();
    }
    let room = |count, until_us| {
        let until = Timestamp::from_microsecond(NOW * 1000 + until_us).expect("near now");
        Room { in_all: 99, until: Some((count, until)) }
    };
    let leased = lease_limited(&journal, NOW, room(2, 100_000), false).await;
    assert_eq!((actions(&leased).as_str(), leased.next_due), ("aabbbbbbbbb", Some(at(NOW + 100))));
    journal.append(entry(9, 0, &["r/a"])).await.unwrap();
    let early = lease_limited(&journal, NOW + 99, room(2, 0), false).await;
    assert_eq!((actions(&early).as_str(), early.next_due), ("", Some(at(NOW + 100))), "it is not asked");
    let paused = lease_limited(&journal, NOW + 100, room(0, 300_001), false).await;
    assert_eq!((actions(&paused).as_str(), paused.next_due), ("", Some(at(NOW + 301))), "rounded up");
    let next = lease_limited(&journal, NOW + 301, room(1, 400_000), false).await;
    assert_eq!((actions(&next).as_str(), next.next_due), ("a", Some(at(NOW + 400))));
    let open = Room { in_all: 99, until: None };
    let reopened = lease_limited(&journal, NOW + 302, open, true).await;
    assert_eq!((actions(&reopened).as_str(), reopened.next_due), ("aaaaaaa", None));
    assert!(!reopened.has_left && !paused.has_left, "what is there has room, or a time");
}

pub(crate) async fn a_lease_is_freed_by_release_and_by_a_restart(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    let leased = lease(&journal, NOW, 9, 9).await.deliveries.pop().unwrap();
    assert!(lease_all(&journal, NOW).await.is_empty());
    journal.release(&leased.id).await;
    assert_eq!(lease_all(&journal, NOW).await, ["r"]);
    journal.close().await;
    assert_eq!(lease_all(&place.open(), NOW).await, ["r"]);
}

pub(crate) async fn a_retry_comes_back_when_it_is_due(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    let leased = lease(&journal, NOW, 9, 9).await.deliveries.pop().unwrap();
    let retry = Outcome::Retry { due: at(NOW + 5000), error: "503".into() };
    settle(&journal, &leased, retry, NOW).await;
    let idle = lease(&journal, NOW + 4999, 9, 9).await;
    assert!(idle.deliveries.is_empty());
    assert_eq!(idle.next_due, Some(at(NOW + 5000)));
    let stored = state(&journal, &leased.id).await;
    assert_eq!((stored.state, stored.attempts, stored.due), (State::Pending, 1, Some(at(NOW + 5000))));
    assert_eq!(stored.message, "503");
    let again = lease(&journal, NOW + 5000, 9, 9).await.deliveries.pop().unwrap();
    assert_eq!((again.attempts, again.was_blocked), (1, false));
    settle(&journal, &again, Outcome::Dead { error: "410 Gone".into() }, NOW + 5001).await;
    let attempts = journal.attempts(&leased.id).await.unwrap();
    assert_eq!(attempts.iter().map(|it| it.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((attempts[0].duration, attempts[0].message.as_str()), (Duration::from_micros(1500), "said"));
    assert_eq!(attempts[1].generation, Some(3));
    assert_eq!(attempts[1].request.as_deref(), Some("{\"text\":\"t\""));
    let answer = attempts[1].answer.as_ref().expect("it is kept");
    assert_eq!((answer.status, answer.body.as_str(), answer.cut), (503, "sorry, \u{e9}", true));
    let dead = DeliveryFilter { state: Some(State::Dead), limit: 9, ..DeliveryFilter::default() };
    assert_eq!(journal.deliveries(dead).await.unwrap()[0].id, leased.id);
    assert_eq!(lease(&journal, NOW + DAY_MS, 9, 9).await.next_due, None);
}

pub(crate) async fn an_outcome_is_kept_with_its_effects_once(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/script"])).await.unwrap();
    let leased = lease(&journal, NOW, 9, 9).await.deliveries.pop().unwrap();
    let effect = |name: &str, after| Effect {
        name: name.into(),
        kind: "log".into(),
        after: Duration::from_secs(after),
        params: Params::Data(Json::object([("message", Json::from("{{ literally }}"))])),
    };
    let effects = vec![effect("log-1", 0), effect("log-2", 60)];
    let outcome = Outcome::Delivered(Receipt { effects, ..Receipt::of("2 effects") });
    settle(&journal, &leased, outcome.clone(), NOW).await;
    settle(&journal, &leased, outcome, NOW).await;
    assert_eq!(state(&journal, &leased.id).await.state, State::Delivered);
    let now = lease(&journal, NOW, 9, 9).await;
    assert_eq!(now.deliveries.iter().map(|it| &it.id).collect::<Vec<_>>(), [&leased.id.effect("log-1")]);
    assert_eq!(now.next_due, Some(at(NOW + 60_000)));
    let child = now.deliveries[0].effect.as_ref().expect("it is an effect's");
    assert_eq!((child.name.as_str(), child.kind.as_str()), ("log-1", "log"));
    assert_eq!(child.params.literal(), Some(Json::object([("message", Json::from("{{ literally }}"))])));
    settle(&journal, &now.deliveries[0], delivered(), NOW).await;
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.pending, counts.delivered), (1, 2));
}

pub(crate) async fn a_blocked_delivery_waits_for_healing_or_its_end(place: &dyn Place) {
    let journal = place.open();
    journal.append(blocked(entry(1, 0, &["a/x"]), NOW + DAY_MS)).await.unwrap();
    journal.append(blocked(entry(2, 0, &["b/x"]), NOW + DAY_MS)).await.unwrap();
    assert!(lease_all(&journal, NOW + 1000).await.is_empty());
    let which = Heal::Rules(BTreeSet::from(["a".to_owned(), "unknown".to_owned()]));
    assert_eq!(journal.heal(which, at(NOW + 2000)).await.unwrap(), 1);
    let healed = lease(&journal, NOW + 2000, 9, 9).await.deliveries.pop().expect("it is due");
    assert_eq!((healed.id.rule.as_str(), healed.was_blocked, healed.attempts), ("a", true, 0));
    settle(&journal, &healed, Outcome::Blocked { until: at(NOW + DAY_MS), error: "still".into() }, NOW).await;
    assert_eq!(journal.counts().await.unwrap().blocked, 2);
    assert_eq!(journal.heal(Heal::All, at(NOW + 3000)).await.unwrap(), 2);
    assert_eq!(lease_all(&journal, NOW + 3000).await, ["a", "b"]);
    journal.close().await;
    let journal = place.open();
    assert_eq!(lease_all(&journal, NOW + DAY_MS).await, ["a", "b"]);
}

pub(crate) async fn what_stays_blocked_is_leased_at_its_end(place: &dyn Place) {
    let journal = place.open();
    journal.append(blocked(entry(1, 0, &["a/x"]), NOW + DAY_MS)).await.unwrap();
    let leased = lease(&journal, NOW + DAY_MS, 9, 9).await.deliveries.pop().expect("it is due");
    assert!(leased.was_blocked);
    settle(&journal, &leased, Outcome::Skipped, NOW + DAY_MS).await;
    assert_eq!(state(&journal, &leased.id).await.state, State::Skipped);
}

pub(crate) async fn unrouted_events_are_routed_once(place: &dyn Place) {
    let journal = place.open();
    let events: Vec<_> = (1..4).map(|number| unrouted(entry(number, number.cast_signed(), &[]))).collect();
    for event in &events {
        journal.append(event.clone()).await.unwrap();
    }
    let waiting = journal.unrouted(2).await.unwrap();
    assert_eq!(
        waiting.iter().map(|it| it.event.id()).collect::<Vec<_>>(),
        [id_of(&events[0]), id_of(&events[1])]
    );
    assert_eq!(waiting[0].generation, None);
    let routed = |path: &str| Routing {
        generation: 9,
        rules: vec!["r".into()],
        deliveries: vec![delivery(id_of(&events[0]), path, NOW)],
        storms: Vec::new(),
    };
    journal.route(id_of(&events[0]), routed("r/a"), at(NOW)).await.unwrap();
    journal.route(id_of(&events[0]), routed("other/a"), at(NOW)).await.unwrap();
    assert_eq!(lease_all(&journal, NOW).await, ["r"]);
    assert_eq!(journal.unrouted(9).await.unwrap().len(), 2);
    assert_eq!(journal.counts().await.unwrap().unrouted, 2);
    assert_eq!(journal.event(id_of(&events[0])).await.unwrap().unwrap().generation, Some(9));
}

pub(crate) async fn generations_are_numbered_and_kept(place: &dyn Place) {
    let journal = place.open();
    let files = |text: &str| BTreeMap::from([("a.yaml".to_owned(), text.as_bytes().to_vec())]);
    assert_eq!(journal.newest_generation("/a").await.unwrap(), None);
    let first = journal.keep_generation("/a", &files("1"), at(NOW)).await.unwrap();
    assert_eq!(journal.keep_generation("/a", &files("1"), at(NOW + 1)).await.unwrap(), first);
    assert_eq!(journal.keep_generation("/a", &files("2"), at(NOW + 2)).await.unwrap(), first + 1);
    for number in 0..60 {
        journal.keep_generation("/a", &files(&format!("{}", number % 3)), at(NOW + 3)).await.unwrap();
    }
    journal.close().await;
    let newest = place.open().newest_generation("/a").await.unwrap().expect("one is kept");
    assert_eq!((newest.files, newest.number), (files("2"), first + 61));
}

pub(crate) async fn each_rule_directory_has_its_own_newest_generation(place: &dyn Place) {
    let journal = place.open();
    let files = |text: &str| BTreeMap::from([("a.yaml".to_owned(), text.as_bytes().to_vec())]);
    let first = journal.keep_generation("/a", &files("1"), at(NOW)).await.unwrap();
    assert_eq!(journal.newest_generation("/b").await.unwrap(), None);
    assert_eq!(journal.keep_generation("/b", &files("1"), at(NOW + 1)).await.unwrap(), first + 1);
    assert_eq!(journal.keep_generation("/a", &files("1"), at(NOW + 2)).await.unwrap(), first);
    assert_eq!(journal.keep_generation("/b", &files("2"), at(NOW + 3)).await.unwrap(), first + 2);
    journal.close().await;
    let journal = place.open();
    for (directory, number, text) in [("/a", first, "1"), ("/b", first + 2, "2")] {
        let newest = journal.newest_generation(directory).await.unwrap().expect("one is kept");
        assert_eq!((newest.number, newest.files), (number, files(text)), "{directory}");
    }
    let other = journal.generation(first + 1).await.unwrap().expect("it is found by its number alone");
    assert_eq!(other.loaded_at, at(NOW + 1));
}

pub(crate) async fn events_are_listed_newest_first_and_filtered(place: &dyn Place) {
    let journal = place.open();
    for number in 1..6 {
        journal.append(entry(number, number.cast_signed(), &[])).await.unwrap();
    }
    let numbers = |events: Vec<StoredEvent>| {
        events.iter().map(|it| (it.received_at.as_millisecond() - NOW).to_string()).collect::<String>()
    };
    let list = |filter: EventFilter| journal.events(EventFilter { limit: 3, ..filter });
    assert_eq!(numbers(list(EventFilter::default()).await.unwrap()), "543");
    let odd = EventFilter { kind: Some("t1".into()), ..EventFilter::default() };
    assert_eq!(numbers(list(odd).await.unwrap()), "531");
    let since = EventFilter { since: Some(at(NOW + 4)), ..EventFilter::default() };
    assert_eq!(numbers(list(since).await.unwrap()), "54");
    let before = EventFilter { before: Some(id_of(&entry(3, 3, &[]))), ..EventFilter::default() };
    assert_eq!(numbers(list(before).await.unwrap()), "21");
    let none = EventFilter { source: Some("other".into()), ..EventFilter::default() };
    assert_eq!(numbers(list(none).await.unwrap()), "");
}

pub(crate) async fn a_closed_journal_refuses(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    journal.close().await;
    journal.close().await;
    assert!(matches!(journal.append(entry(2, 0, &[])).await, Err(JournalError::Unavailable(_))));
    let capacity = Capacity::each(1, 1);
    assert!(matches!(journal.lease(at(NOW), capacity).await, Err(JournalError::Unavailable(_))));
}

pub(crate) async fn work_is_announced_after_the_commit(place: &dyn Place) {
    let journal = place.open();
    let work = journal.work();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    work.notified().await;
    assert_eq!(lease_all(&journal, NOW).await, ["r"]);
}
