//! Storm control and order: what acts of many events, and what waits.

use super::*;

/// An event of the rule `r` with one action, held back by this control.
pub(crate) fn held_back(number: u64, ms: i64, key: &str, kind: StormKind) -> Entry {
    let mut entry = entry(number, ms, &["r/a"]);
    let storm = Storm { rule: "r".into(), key: key.into(), kind };
    entry.routing.as_mut().unwrap().storms.push(storm);
    entry
}

/// The numbers of the events whose deliveries are due, in order; leased and delivered.
async fn acting(journal: &Arc<dyn Journal>, now: i64) -> Vec<(String, Json)> {
    let mut acted = Vec::new();
    loop {
        let deliveries = lease(journal, now, 100, 100).await.deliveries;
        if deliveries.is_empty() {
            return acted;
        }
        for leased in deliveries {
            let body = String::from_utf8(leased.body.to_vec()).unwrap().replace("body ", "");
            acted.push((body, leased.event.get("window").cloned().unwrap_or(Json::Null)));
            settle(journal, &leased, delivered(), now).await;
        }
    }
}

fn names(acted: &[(String, Json)]) -> Vec<&str> {
    acted.iter().map(|(name, _)| name.as_str()).collect()
}

fn count(acted: &(String, Json)) -> i64 {
    acted.1.get("count").and_then(Json::as_number).and_then(|count| count.as_i64()).expect("a count")
}

/// The number of the first event of the window.
fn first(acted: &(String, Json)) -> String {
    acted.1.pointer("/first/payload/n").expect("its payload").to_string()
}

async fn suppressed(journal: &Arc<dyn Journal>) -> Vec<String> {
    let filter = DeliveryFilter { state: Some(State::Suppressed), limit: 100, ..DeliveryFilter::default() };
    journal.deliveries(filter).await.unwrap().into_iter().map(|it| it.message).collect()
}

pub(crate) async fn a_throttle_lets_the_first_act_also_after_a_restart(place: &dyn Place) {
    let journal = place.open();
    let throttled =
        |number, ms, key| held_back(number, ms, key, StormKind::Throttle { until: at(NOW + ms + 60_000) });
    journal.append(throttled(1, 0, "a")).await.unwrap();
    journal.append(throttled(2, 1000, "a")).await.unwrap();
    journal.append(throttled(3, 1000, "b")).await.unwrap();
    journal.close().await;
    let journal = place.open();
    journal.append(throttled(4, 59_999, "a")).await.unwrap();
    assert_eq!(names(&acting(&journal, NOW + 59_999).await), ["1", "3"]);
    assert_eq!(suppressed(&journal).await, ["throttled until 2025-11-24T16:01:00Z"; 2]);
    assert_eq!(journal.counts().await.unwrap().suppressed, 2);
    journal.append(throttled(5, 60_000, "a")).await.unwrap();
    let acted = acting(&journal, NOW + 60_000).await;
    assert_eq!((names(&acted), count(&acted[0])), (vec!["5"], 3), "with those that were held back");
}

pub(crate) async fn a_debounce_lets_the_last_act_when_it_is_quiet(place: &dyn Place) {
    let journal = place.open();
    let kind = StormKind::Debounce { quiet: Duration::from_secs(30), max: Duration::from_secs(60) };
    for (number, ms) in [(1, 0), (2, 20_000), (3, 40_000)] {
        journal.append(held_back(number, ms, "a", kind)).await.unwrap();
        assert!(acting(&journal, NOW + ms).await.is_empty());
    }
    assert!(acting(&journal, NOW + 59_999).await.is_empty());
    let acted = acting(&journal, NOW + 60_000).await;
    assert_eq!(
        (names(&acted), count(&acted[0]), first(&acted[0])),
        (vec!["3"], 3, "1.50".into()),
        "at the latest"
    );
    assert_eq!(suppressed(&journal).await.len(), 2);
    journal.append(held_back(4, 61_000, "a", kind)).await.unwrap();
    let acted = acting(&journal, NOW + 91_000).await;
    assert_eq!((names(&acted), count(&acted[0])), (vec!["4"], 1));
}

pub(crate) async fn what_has_begun_is_not_debounced_away(place: &dyn Place) {
    let journal = place.open();
    let kind = StormKind::Debounce { quiet: Duration::from_secs(30), max: Duration::from_secs(600) };
    journal.append(held_back(1, 0, "a", kind)).await.unwrap();
    // The dispatcher's clock may be ahead of the time at which an event was received.
    let begun = lease(&journal, NOW + 30_000, 9, 9).await.deliveries.pop().expect("it is due");
    journal.append(held_back(2, 29_000, "a", kind)).await.unwrap();
    settle(&journal, &begun, delivered(), NOW + 30_000).await;
    let acted = acting(&journal, NOW + 59_000).await;
    assert_eq!((names(&acted), count(&acted[0])), (vec!["2"], 1), "both act");
}

pub(crate) async fn a_threshold_acts_once_on_the_nth_within_the_time(place: &dyn Place) {
    let journal = place.open();
    let kind = StormKind::Threshold { count: 3, within: Duration::from_secs(60) };
    // The first is too old when the fourth comes: it is the second to fourth that count.
    for (number, ms) in [(1, 0), (2, 40_000), (3, 70_000), (4, 80_000), (5, 90_000), (6, 139_000)] {
        journal.append(held_back(number, ms, "a", kind)).await.unwrap();
    }
    let acted = acting(&journal, NOW + 139_000).await;
    assert_eq!((names(&acted), count(&acted[0]), first(&acted[0])), (vec!["4"], 3, "2.50".into()));
    for (number, ms) in [(7, 140_000), (8, 141_000), (9, 142_000)] {
        assert!(acting(&journal, NOW + ms).await.is_empty());
        journal.append(held_back(number, ms, "a", kind)).await.unwrap();
    }
    let acted = acting(&journal, NOW + 142_000).await;
    assert_eq!((names(&acted), first(&acted[0])), (vec!["9"], "7.50".into()), "it counts anew");
}

pub(crate) async fn a_collection_is_one_delivery_of_all_also_after_a_restart(place: &dyn Place) {
    let journal = place.open();
    let collected = |number, ms, max| {
        held_back(number, ms, "a", StormKind::Collect { until: at(NOW + ms + 60_000), max })
    };
    for (number, ms) in [(1, 0), (2, 1000), (3, 59_999)] {
        journal.append(collected(number, ms, 100)).await.unwrap();
    }
    journal.close().await;
    let journal = place.open();
    assert!(acting(&journal, NOW + 59_999).await.is_empty());
    // What is collected stays until it is delivered, however old it is.
    let trim = Trim {
        now: at(NOW + 9 * DAY_MS),
        before: at(NOW + 8 * DAY_MS),
        size_bytes: 0,
        limit: 9,
        afresh: true,
    };
    assert_eq!(journal.trim(trim).await.unwrap(), 0);
    let acted = acting(&journal, NOW + 60_000).await;
    let events = acted[0].1.get("events").and_then(Json::as_array).expect("all of them");
    let numbers: Vec<_> =
        events.iter().map(|event| event.pointer("/payload/n").unwrap().to_string()).collect();
    assert_eq!((names(&acted), numbers), (vec!["1"], vec!["1.50".into(), "2.50".into(), "3.50".into()]));
    assert_eq!(journal.trim(trim).await.unwrap(), 3);
    // A full one is due at once, and the next begins another.
    for (number, ms) in [(11, 100_000), (12, 100_001), (13, 100_002)] {
        journal.append(collected(number, ms, 2)).await.unwrap();
    }
    let acted = acting(&journal, NOW + 100_002).await;
    assert_eq!((names(&acted), count(&acted[0])), (vec!["11"], 2));
    assert_eq!(names(&acting(&journal, NOW + 160_002).await), ["13"]);
}

pub(crate) async fn what_comes_after_a_collection_has_begun_begins_another(place: &dyn Place) {
    let journal = place.open();
    let kind = StormKind::Collect { until: at(NOW + 60_000), max: 100 };
    journal.append(held_back(1, 0, "a", kind)).await.unwrap();
    let begun = lease(&journal, NOW + 60_000, 9, 9).await.deliveries.pop().expect("it is due");
    journal.append(held_back(2, 59_000, "a", kind)).await.unwrap();
    settle(&journal, &begun, Outcome::Retry { due: at(NOW + 61_000), error: "503".into() }, NOW + 60_000)
        .await;
    journal.append(held_back(3, 59_500, "a", kind)).await.unwrap();
    let acted = acting(&journal, NOW + 61_000).await;
    assert_eq!(names(&acted), ["2", "1"], "nothing is lost, nothing in both");
    assert_eq!((count(&acted[0]), count(&acted[1])), (2, 1));
}

/// An event of the lane r/a whose deliveries wait for those before it with the same key.
fn ordered(number: u64, ms: i64, key: &str) -> Entry {
    let mut entry = entry(number, ms, &["r/a"]);
    for delivery in &mut entry.routing.as_mut().unwrap().deliveries {
        delivery.order = Some(key.to_owned());
    }
    entry
}

async fn next(journal: &Arc<dyn Journal>, now: i64) -> Vec<String> {
    let leased = lease(journal, now, 100, 100).await.deliveries;
    let mut ids: Vec<_> = leased
        .iter()
        .map(|it| format!("{}{}", String::from_utf8_lossy(&it.body), it.id.effects.join("/")))
        .collect();
    for leased in leased {
        journal.release(&leased.id).await;
    }
    ids.sort();
    ids
}

pub(crate) async fn deliveries_in_order_come_one_at_a_time_per_key_behind_the_effects(place: &dyn Place) {
    let journal = place.open();
    for (number, key) in [(1, "x"), (2, "x"), (3, "y"), (4, "x")] {
        journal.append(ordered(number, number as i64, key)).await.unwrap();
    }
    assert_eq!(next(&journal, NOW + 9).await, ["body 1", "body 3"]);
    let leased = lease(&journal, NOW + 9, 9, 9).await.deliveries;
    let one = leased.iter().find(|it| it.body == "body 1").expect("it is due");
    settle(&journal, one, Outcome::Retry { due: at(NOW + 5000), error: "503".into() }, NOW + 9).await;
    for other in leased.iter().filter(|it| it.body != "body 1") {
        settle(&journal, other, delivered(), NOW + 9).await;
    }
    assert!(next(&journal, NOW + 4999).await.is_empty(), "it holds its followers");
    journal.close().await;
    let journal = place.open();
    let one = lease(&journal, NOW + 5000, 9, 9).await.deliveries.pop().expect("it is due again");
    let effect = |name: &str| Effect {
        name: name.into(),
        kind: "log".into(),
        after: Duration::ZERO,
        params: Params::Data(Json::Null),
    };
    let effects = vec![effect("log-1"), effect("log-2")];
    settle(&journal, &one, Outcome::Delivered(Receipt { effects, ..Receipt::of("2 effects") }), NOW + 5000)
        .await;
    for wanted in ["body 1log-1", "body 1log-2", "body 2", "body 4"] {
        assert_eq!(next(&journal, NOW + 5000).await, [wanted]);
        let leased = lease(&journal, NOW + 5000, 9, 9).await.deliveries.pop().expect(wanted);
        settle(&journal, &leased, Outcome::Dead { error: "gone".into() }, NOW + 5000).await;
    }
    assert_eq!(journal.counts().await.unwrap().pending, 0);
}

/// A large body is kept after a small one that was received later.
pub(crate) async fn what_is_kept_late_waits_for_a_younger_one_that_is_under_way(place: &dyn Place) {
    let journal = place.open();
    journal.append(ordered(2, 2, "x")).await.unwrap();
    let young = lease(&journal, NOW + 9, 9, 9).await.deliveries.pop().expect("it is due");
    journal.append(ordered(1, 1, "x")).await.unwrap();
    journal.append(ordered(4, 4, "y")).await.unwrap();
    journal.append(ordered(3, 3, "y")).await.unwrap();
    assert_eq!(next(&journal, NOW + 9).await, ["body 3"], "the older goes first, beside none of its key");
    settle(&journal, &young, delivered(), NOW + 9).await;
    assert_eq!(next(&journal, NOW + 9).await, ["body 1", "body 3"]);
}

pub(crate) async fn who_waits_in_order_is_let_go_or_cancelled_too(place: &dyn Place) {
    let journal = place.open();
    for (number, key) in [(1, "x"), (2, "x"), (3, "y"), (4, "y")] {
        journal.append(ordered(number, number as i64, key)).await.unwrap();
    }
    let first = format!("{}/r/a", id_of(&ordered(1, 1, "x")));
    let cancelled = journal.cancel(Chosen::These(vec![first.parse().unwrap()]), at(NOW + 9)).await.unwrap();
    assert_eq!(cancelled.cancelled, 1);
    assert_eq!(next(&journal, NOW + 9).await, ["body 2", "body 3"]);
    let all = Chosen::Like(DeliveryFilter { rule: Some("r".into()), ..DeliveryFilter::default() });
    assert_eq!(journal.cancel(all, at(NOW + 9)).await.unwrap().cancelled, 3);
    assert!(next(&journal, NOW + 9).await.is_empty());
}

/// One that is held back by this control and waits in order.
fn held_back_in_order(number: u64, ms: i64, storm: &str, order: &str, kind: StormKind) -> Entry {
    let mut entry = held_back(number, ms, storm, kind);
    for delivery in &mut entry.routing.as_mut().unwrap().deliveries {
        delivery.order = Some(order.to_owned());
    }
    entry
}

pub(crate) async fn what_is_debounced_away_lets_its_followers_go(place: &dyn Place) {
    let journal = place.open();
    let kind = StormKind::Debounce { quiet: Duration::from_secs(30), max: Duration::from_secs(600) };
    for (number, ms, storm) in [(1, 0, "a"), (2, 1000, "b"), (3, 2000, "a"), (4, 3000, "b"), (5, 4000, "a")] {
        journal.append(held_back_in_order(number, ms, storm, "x", kind)).await.unwrap();
    }
    assert_eq!(names(&acting(&journal, NOW + 40_000).await), ["4", "5"]);
    assert_eq!(suppressed(&journal).await.len(), 3);
    assert_eq!(journal.counts().await.unwrap().pending, 0);
}

pub(crate) async fn every_storm_control_keeps_the_order_too(place: &dyn Place) {
    let journal = place.open();
    let minute = Duration::from_secs(60);
    let kinds = |ms: i64| {
        [
            ("t", StormKind::Throttle { until: at(NOW + ms + 60_000) }),
            ("n", StormKind::Threshold { count: 2, within: minute }),
            ("c", StormKind::Collect { until: at(NOW + ms + 60_000), max: 100 }),
        ]
    };
    // The order's key is the same for all of them: the throttled acts at once, then the second of
    // those that are counted, then those that are collected.
    let mut number = 0;
    for ms in [0, 1000, 2000] {
        for (key, kind) in kinds(ms) {
            number += 1;
            journal.append(held_back_in_order(number, ms, key, "x", kind)).await.unwrap();
        }
    }
    assert_eq!(names(&acting(&journal, NOW + 2000).await), ["1"], "what is collected holds its followers");
    assert_eq!(names(&acting(&journal, NOW + 60_000).await), ["3", "5"]);
    assert_eq!(journal.counts().await.unwrap().pending, 0);
}

/// Leases the one delivery that is due, and settles it as dead.
async fn die(journal: &Arc<dyn Journal>, now: i64) {
    let leased = lease(journal, now, 9, 9).await.deliveries.pop().expect("it is due");
    settle(journal, &leased, Outcome::Dead { error: "410 Gone".into() }, now).await;
}

fn all() -> Chosen {
    Chosen::Like(DeliveryFilter::default())
}

pub(crate) async fn a_dead_delivery_keeps_its_window_for_a_retry(place: &dyn Place) {
    let journal = place.open();
    let throttle = |ms: i64| StormKind::Throttle { until: at(NOW + ms + 1000) };
    journal.append(held_back(1, 0, "theirs", throttle(0))).await.unwrap();
    die(&journal, NOW).await;
    let later = 3 * DAY_MS;
    journal.append(held_back(2, later, "ours", throttle(later))).await.unwrap();
    assert_eq!(first(&acting(&journal, NOW + later).await[0]), "2.50");
    assert_eq!(journal.retry(all(), at(NOW + later)).await.unwrap(), 1);
    let acted = acting(&journal, NOW + later).await;
    assert_eq!((names(&acted), first(&acted[0])), (vec!["1"], "1.50".into()), "not what another key saw");
}

pub(crate) async fn a_dead_collection_keeps_its_events_for_a_retry(place: &dyn Place) {
    let journal = place.open();
    let collect = |ms: i64| StormKind::Collect { until: at(NOW + ms + 1000), max: 9 };
    for (number, ms) in [(1, 0), (2, 1), (3, 2)] {
        journal.append(held_back(number, ms, "a", collect(0))).await.unwrap();
    }
    die(&journal, NOW + 1000).await;
    let later = 3 * DAY_MS;
    for (number, key) in [(11, "b"), (12, "c"), (13, "d")] {
        journal.append(held_back(number, later, key, collect(later))).await.unwrap();
    }
    assert_eq!(journal.retry(all(), at(NOW + later)).await.unwrap(), 1);
    let acted = acting(&journal, NOW + later).await;
    let events = acted[0].1.get("events").and_then(Json::as_array).map(|events| events.len());
    assert_eq!((names(&acted), count(&acted[0]), events), (vec!["1"], 3, Some(3)));
}

pub(crate) async fn who_is_retried_in_order_goes_one_at_a_time(place: &dyn Place) {
    let journal = place.open();
    for number in 1..=4 {
        journal.append(ordered(number, number as i64, "x")).await.unwrap();
    }
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(lease(&journal, NOW + 9, 9, 9).await.deliveries.pop().expect("it is due"));
        settle(&journal, ids.last().unwrap(), Outcome::Dead { error: "gone".into() }, NOW + 9).await;
    }
    let ids: Vec<_> = ids.into_iter().map(|leased| leased.id).collect();
    let retry = async |chosen: &[usize]| {
        let chosen = chosen.iter().map(|index| ids[*index].clone()).collect();
        journal.retry(Chosen::These(chosen), at(NOW + 10)).await.unwrap()
    };
    // The last of them is under way already, the first and the second come in any order.
    assert_eq!(retry(&[3]).await, 1);
    let under_way = lease(&journal, NOW + 10, 9, 9).await.deliveries.pop().expect("it is due");
    assert_eq!(retry(&[1, 0]).await, 2);
    journal.append(ordered(5, 10, "x")).await.unwrap();
    assert!(next(&journal, NOW + 10).await.is_empty(), "one at a time");
    let sixth = ordered(6, 10, "x");
    journal.append(sixth.clone()).await.unwrap();
    let sixth = Chosen::These(vec![format!("{}/r/a", id_of(&sixth)).parse().unwrap()]);
    assert_eq!(journal.cancel(sixth, at(NOW + 10)).await.unwrap().cancelled, 1);
    assert!(next(&journal, NOW + 10).await.is_empty(), "nobody waited for that one");
    settle(&journal, &under_way, delivered(), NOW + 10).await;
    assert_eq!(next(&journal, NOW + 10).await, ["body 1"]);
    let first = lease(&journal, NOW + 10, 9, 9).await.deliveries.pop().expect("it is due");
    settle(&journal, &first, delivered(), NOW + 10).await;
    assert_eq!(next(&journal, NOW + 10).await, ["body 2"]);
    let second = lease(&journal, NOW + 10, 9, 9).await.deliveries.pop().expect("it is due");
    settle(&journal, &second, Outcome::Retry { due: at(NOW + 500), error: "503".into() }, NOW + 10).await;
    assert_eq!(retry(&[2]).await, 1);
    for wanted in ["2", "3", "5"] {
        let leased = lease(&journal, NOW + 500, 9, 9).await.deliveries;
        let bodies: Vec<_> = leased.iter().map(|it| String::from_utf8_lossy(&it.body).into_owned()).collect();
        assert_eq!(bodies, [format!("body {wanted}")]);
        settle(&journal, &leased[0], delivered(), NOW + 500).await;
    }
}

pub(crate) async fn who_is_retried_goes_before_one_that_waits(place: &dyn Place) {
    let journal = place.open();
    journal.append(ordered(1, 1, "x")).await.unwrap();
    journal.append(ordered(2, 2, "x")).await.unwrap();
    die(&journal, NOW + 9).await;
    assert_eq!(next(&journal, NOW + 9).await, ["body 2"]);
    assert_eq!(journal.retry(all(), at(NOW + 9)).await.unwrap(), 1);
    assert_eq!(names(&acting(&journal, NOW + 9).await), ["1", "2"]);
}

pub(crate) async fn what_is_blocked_holds_its_followers_and_heals_in_order(place: &dyn Place) {
    let journal = place.open();
    for number in [1, 2] {
        let until = NOW + DAY_MS + number as i64;
        journal.append(blocked(ordered(number, number as i64, "x"), until)).await.unwrap();
    }
    journal.append(ordered(3, 3, "x")).await.unwrap();
    journal.append(ordered(4, 4, "y")).await.unwrap();
    assert_eq!(names(&acting(&journal, NOW + 9).await), ["4"], "the key waits for its rule to be mended");
    assert_eq!(journal.heal(Heal::All, at(NOW + 10)).await.unwrap(), 2);
    for wanted in ["body 1", "body 2", "body 3"] {
        assert_eq!(next(&journal, NOW + 10).await, [wanted]);
        let leased = lease(&journal, NOW + 10, 9, 9).await.deliveries.pop().expect(wanted);
        assert_eq!(journal.heal(Heal::All, at(NOW + 11)).await.unwrap(), 0);
        settle(&journal, &leased, delivered(), NOW + 10).await;
    }
}

pub(crate) async fn what_stays_blocked_lets_its_followers_go_after_its_time(place: &dyn Place) {
    let journal = place.open();
    journal.append(blocked(ordered(1, 1, "x"), NOW + 5000)).await.unwrap();
    journal.append(ordered(2, 2, "x")).await.unwrap();
    assert!(next(&journal, NOW + 4999).await.is_empty());
    die(&journal, NOW + 5000).await;
    assert_eq!(names(&acting(&journal, NOW + 5000).await), ["2"]);
}

pub(crate) async fn a_full_collection_that_waited_in_order_is_due_at_once(place: &dyn Place) {
    let journal = place.open();
    journal.append(ordered(1, 0, "x")).await.unwrap();
    let kind = StormKind::Collect { until: at(NOW + DAY_MS), max: 2 };
    for number in [2, 3] {
        journal.append(held_back_in_order(number, number as i64, "a", "x", kind)).await.unwrap();
    }
    let acted = acting(&journal, NOW + 9).await;
    assert_eq!((names(&acted), count(&acted[1])), (vec!["1", "2"], 2));
}

pub(crate) async fn an_event_that_would_do_nothing_opens_no_window(place: &dyn Place) {
    let journal = place.open();
    let minute = Duration::from_secs(60);
    let idle = |number, key, kind| {
        let mut entry = held_back(number, 0, key, kind);
        entry.routing.as_mut().unwrap().deliveries.clear();
        entry
    };
    let throttle = StormKind::Throttle { until: at(NOW + 60_000) };
    let threshold = StormKind::Threshold { count: 2, within: minute };
    journal.append(idle(1, "t", throttle)).await.unwrap();
    journal.append(idle(2, "n", threshold)).await.unwrap();
    journal.append(blocked(held_back(3, 0, "t", throttle), NOW + DAY_MS)).await.unwrap();
    journal.append(held_back(4, 1, "t", throttle)).await.unwrap();
    journal.append(held_back(5, 1, "n", threshold)).await.unwrap();
    assert_eq!(names(&acting(&journal, NOW + 1).await), ["4"]);
    assert_eq!(suppressed(&journal).await, ["counted: 1 of 2"]);
}

pub(crate) async fn trimming_spares_what_a_dead_collection_holds(place: &dyn Place) {
    let journal = place.open();
    for number in [1, 2, 3] {
        let kind = StormKind::Collect { until: at(NOW + 1000), max: 9 };
        let mut entry = held_back(number, number as i64, "a", kind);
        if number == 1 {
            let other = delivery(id_of(&entry), "other/a", NOW + 9 * DAY_MS);
            entry.routing.as_mut().unwrap().deliveries.push(other);
        }
        journal.append(entry).await.unwrap();
    }
    die(&journal, NOW + 1001).await;
    let trim = Trim {
        now: at(NOW + 9 * DAY_MS),
        before: at(NOW + 8 * DAY_MS),
        size_bytes: u64::MAX,
        limit: 9,
        afresh: true,
    };
    assert_eq!(journal.trim(trim).await.unwrap(), 0, "the dead delivery's event has to stay");
    let other = DeliveryFilter { rule: Some("other".into()), ..DeliveryFilter::default() };
    journal.cancel(Chosen::Like(other), at(NOW + DAY_MS)).await.unwrap();
    let (mut removed, mut step) = (0, 1);
    while step > 0 {
        step = journal.trim(trim).await.unwrap();
        removed += step;
    }
    assert_eq!(removed, 3, "a dead delivery keeps no event for ever");
}
