//! What an operator does by hand: try again, cancel, replay.

use super::*;

fn like(filter: DeliveryFilter) -> Chosen {
    Chosen::Like(filter)
}

fn all() -> Chosen {
    like(DeliveryFilter::default())
}

fn of_rule(rule: &str) -> DeliveryFilter {
    DeliveryFilter { rule: Some(rule.into()), ..DeliveryFilter::default() }
}

/// Leases what is due and settles all of it as dead.
async fn die(journal: &Arc<dyn Journal>, now: i64) -> Vec<Leased> {
    let leased = lease(journal, now, 9999, 9999).await.deliveries;
    for leased in &leased {
        settle(journal, leased, Outcome::Dead { error: "410 Gone".into() }, now).await;
    }
    leased
}

pub(crate) async fn a_dead_delivery_is_tried_again_with_all_of_its_time(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/script"])).await.unwrap();
    let first = die(&journal, NOW).await.pop().expect("it was due");
    assert_eq!((first.counted_from, first.earlier_attempts), (at(NOW), 0));
    let later = NOW + 3 * DAY_MS;
    let chosen = Chosen::These(vec![first.id.clone()]);
    assert_eq!(journal.retry(chosen.clone(), at(later)).await.unwrap(), 1);
    assert_eq!(journal.retry(chosen, at(later)).await.unwrap(), 0, "it is not dead any more");
    let stored = state(&journal, &first.id).await;
    assert_eq!((stored.state, stored.due, stored.attempts), (State::Pending, Some(at(later)), 1));
    assert_eq!(stored.message, "410 Gone", "why it was dead is still told");
    journal.close().await;
    let journal = place.open();
    let again = lease(&journal, later, 9, 9).await.deliveries.pop().expect("it is due");
    assert_eq!(again.id, first.id);
    assert_eq!((again.attempts, again.earlier_attempts, again.counted_from), (1, 1, at(later)));
    assert_eq!(again.received_at, at(NOW));
    let effect = Effect {
        name: "log-1".into(),
        kind: "log".into(),
        after: Duration::ZERO,
        params: Params::Data(Json::Null),
    };
    let outcome = Outcome::Delivered(Receipt { effects: vec![effect], ..Receipt::of("1 effect") });
    settle(&journal, &again, outcome, later).await;
    let numbers: Vec<_> = journal.attempts(&first.id).await.unwrap().iter().map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2]);
    let effect = lease(&journal, later, 9, 9).await.deliveries.pop().expect("it is due");
    assert_eq!((effect.counted_from, effect.earlier_attempts), (at(later), 0), "as much time as its parent");
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.dead, counts.pending, counts.delivered), (0, 1, 1));
}

pub(crate) async fn what_died_unattempted_has_its_conditions_asked_again(place: &dyn Place) {
    let journal = place.open();
    journal.append(blocked(entry(1, 0, &["r/a"]), NOW + 5)).await.unwrap();
    let leased = lease(&journal, NOW + 5, 9, 9).await.deliveries.pop().expect("its time is over");
    let (id, outcome) = (leased.id.clone(), Outcome::Dead { error: "no such field".into() });
    journal
        .settle([Settlement { id, outcome, attempt: None, derived: vec![], now: at(NOW + 5) }].into())
        .await
        .unwrap();
    journal.append(entry(2, 6, &["r/a"])).await.unwrap();
    die(&journal, NOW + 6).await;
    assert_eq!(journal.retry(all(), at(NOW + 7)).await.unwrap(), 2);
    let again = lease(&journal, NOW + 7, 9, 9).await.deliveries;
    let mut told: Vec<_> = again.iter().map(|it| (it.attempts, it.was_blocked)).collect();
    told.sort_unstable();
    assert_eq!(told, [(0, true), (1, false)]);
}

pub(crate) async fn only_dead_deliveries_are_tried_again(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["dead/a", "other/a"])).await.unwrap();
    journal.append(entry(2, 5, &["dead/a", "dead/b"])).await.unwrap();
    die(&journal, NOW + 5).await;
    journal.append(blocked(entry(3, 6, &["dead/a"]), NOW + DAY_MS)).await.unwrap();
    journal.append(entry(4, 7, &["dead/a"])).await.unwrap();
    let none = [
        DeliveryFilter { state: Some(State::Blocked), ..DeliveryFilter::default() },
        of_rule("nobody"),
        DeliveryFilter { since: Some(at(NOW + 6)), ..of_rule("dead") },
        DeliveryFilter { event: Some(id_of(&entry(4, 7, &[]))), ..DeliveryFilter::default() },
        DeliveryFilter { event: Some(id_of(&entry(9, 7, &[]))), ..DeliveryFilter::default() },
    ];
    for filter in none {
        assert_eq!(journal.retry(like(filter.clone()), at(NOW + 9)).await.unwrap(), 0, "{filter:?}");
    }
    let unknown = Chosen::These(vec![format!("{}/no/a", id_of(&entry(1, 0, &[]))).parse().unwrap()]);
    assert_eq!(journal.retry(unknown, at(NOW + 9)).await.unwrap(), 0);
    let b = DeliveryFilter { action: Some("b".into()), ..of_rule("dead") };
    assert_eq!(journal.retry(like(b), at(NOW + 9)).await.unwrap(), 1);
    let of_first = DeliveryFilter { event: Some(id_of(&entry(1, 0, &[]))), ..of_rule("dead") };
    assert_eq!(journal.retry(like(of_first), at(NOW + 9)).await.unwrap(), 1);
    let recent =
        DeliveryFilter { since: Some(at(NOW + 5)), state: Some(State::Dead), ..DeliveryFilter::default() };
    assert_eq!(journal.retry(like(recent), at(NOW + 9)).await.unwrap(), 1);
    assert_eq!(journal.retry(all(), at(NOW + 9)).await.unwrap(), 1);
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.dead, counts.pending, counts.blocked), (0, 5, 1));
    assert_eq!(lease_all(&journal, NOW + 9).await, ["dead", "dead", "dead", "dead", "other"]);
}

pub(crate) async fn many_are_tried_again_in_steps(place: &dyn Place) {
    let journal = place.open();
    let entries = (0..700).map(|number| journal.append(entry(number, 0, &["r/a", "s/a"])));
    futures_util::future::try_join_all(entries).await.unwrap();
    let ids: Vec<_> = die(&journal, NOW).await.into_iter().map(|leased| leased.id).collect();
    assert_eq!(ids.len(), 1400);
    assert_eq!(journal.retry(like(of_rule("r")), at(NOW + 1)).await.unwrap(), 700);
    assert_eq!(journal.retry(Chosen::These(ids), at(NOW + 1)).await.unwrap(), 700);
    assert_eq!(lease(&journal, NOW + 1, 9999, 9999).await.deliveries.len(), 1400);
}

pub(crate) async fn what_is_cancelled_is_dead_and_what_is_under_way_goes_on(place: &dyn Place) {
    let journal = place.open();
    for number in 0..3 {
        journal.append(entry(number, number.cast_signed(), &["r/a", "s/a"])).await.unwrap();
    }
    journal.append(blocked(entry(3, 3, &["r/a"]), NOW + DAY_MS)).await.unwrap();
    let under_way = lease(&journal, NOW, 1, 1).await.deliveries.pop().expect("it is due");
    assert_eq!(under_way.id.rule, "r");
    let cancelled = journal.cancel(all(), at(NOW + 10)).await.unwrap();
    assert_eq!(cancelled, Cancelled { cancelled: 6, under_way: 1 });
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.dead, counts.pending, counts.blocked), (6, 1, 0));
    let dead = DeliveryFilter { state: Some(State::Dead), limit: 99, ..DeliveryFilter::default() };
    let dead = journal.deliveries(dead).await.unwrap();
    assert!(
        dead.iter()
            .all(|it| (it.message.as_str(), it.due, it.updated_at) == ("cancelled", None, at(NOW + 10)))
    );
    assert!(lease(&journal, NOW + 10, 9, 9).await.deliveries.is_empty());
    let these = Chosen::These(vec![under_way.id.clone(), dead[0].id.clone()]);
    let again = journal.cancel(these, at(NOW + 11)).await.unwrap();
    assert_eq!(again, Cancelled { cancelled: 0, under_way: 1 });
    settle(&journal, &under_way, delivered(), NOW + 12).await;
    assert_eq!(state(&journal, &under_way.id).await.state, State::Delivered);
    assert_eq!(journal.retry(all(), at(NOW + 13)).await.unwrap(), 6, "it can be undone");
    assert_eq!(lease(&journal, NOW + 13, 9, 9).await.deliveries.len(), 6);
}

pub(crate) async fn cancelling_keeps_to_what_was_asked_for(place: &dyn Place) {
    let journal = place.open();
    let entries = (0..600).map(|number| journal.append(entry(number, 0, &["r/a", "r/b", "s/a"])));
    futures_util::future::try_join_all(entries).await.unwrap();
    journal.append(entry(600, 5, &["r/a"])).await.unwrap();
    journal.append(blocked(entry(601, 5, &["r/a"]), NOW + DAY_MS)).await.unwrap();
    let count = async |filter: DeliveryFilter, now: i64| {
        journal.cancel(like(filter), at(now)).await.unwrap().cancelled
    };
    assert_eq!(count(DeliveryFilter { since: Some(at(NOW + 5)), ..of_rule("s") }, NOW + 9).await, 0);
    assert_eq!(count(of_rule("r"), NOW - 1).await, 0, "what was received later is none of it");
    let blocked = DeliveryFilter { state: Some(State::Blocked), ..DeliveryFilter::default() };
    assert_eq!(count(blocked, NOW + 9).await, 1);
    let b = DeliveryFilter { action: Some("b".into()), ..of_rule("r") };
    assert_eq!(count(b, NOW + 9).await, 600);
    let recent = DeliveryFilter { since: Some(at(NOW + 5)), ..DeliveryFilter::default() };
    assert_eq!(count(recent, NOW + 9).await, 1);
    let of_one = DeliveryFilter { event: Some(id_of(&entry(7, 0, &[]))), ..of_rule("s") };
    assert_eq!(count(of_one, NOW + 9).await, 1);
    assert_eq!(journal.counts().await.unwrap().pending, 1199);
    assert_eq!(count(DeliveryFilter::default(), NOW + 9).await, 1199);
    assert_eq!(journal.counts().await.unwrap().dead, 1802);
}

pub(crate) async fn a_replay_has_ids_and_a_time_of_its_own(place: &dyn Place) {
    let journal = place.open();
    let first = entry(1, 0, &["r/a"]);
    let id = id_of(&first);
    journal.append(first.clone()).await.unwrap();
    die(&journal, NOW).await;
    let later = NOW + 3 * DAY_MS;
    let again = |generation, paths: &[&str]| Routing {
        generation,
        rules: paths.iter().map(|path| path.split('/').next().unwrap().to_owned()).collect(),
        deliveries: paths.iter().map(|path| delivery(id, path, later)).collect(),
        storms: Vec::new(),
    };
    assert_eq!(journal.replay(id, again(7, &["r/a", "s/b"]), at(later)).await.unwrap(), Some(2));
    assert_eq!(journal.replay(id, again(8, &[]), at(later + 1)).await.unwrap(), Some(3), "nothing matched");
    journal.close().await;
    let journal = place.open();
    assert_eq!(journal.replay(id, again(9, &["r/a"]), at(later + 2)).await.unwrap(), Some(4));
    let leased = lease(&journal, later, 9, 9).await.deliveries;
    let mut ids: Vec<_> = leased.iter().map(|leased| leased.id.to_string()).collect();
    ids.sort();
    assert_eq!(ids, [format!("{id}~2/r/a"), format!("{id}~2/s/b"), format!("{id}~4/r/a")]);
    assert!(
        leased.iter().all(|it| it.attempts == 0 && it.counted_from >= at(later) && it.received_at == at(NOW))
    );
    assert_eq!(leased[0].body, first.received.body);
    let replays = journal.replays(id).await.unwrap();
    let told: Vec<_> = replays.iter().map(|it| (it.number, it.generation, it.rules.join(" "))).collect();
    assert_eq!(told, [(2, 7, "r s".to_owned()), (3, 8, String::new()), (4, 9, "r".to_owned())]);
    assert_eq!((replays[0].at, replays[2].at), (at(later), at(later + 2)));
    let stored = journal.event(id).await.unwrap().expect("it is kept");
    assert_eq!((stored.generation, stored.rules), (Some(3), vec!["r".to_owned()]), "what was is what was");
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.events, counts.dead, counts.pending), (1, 1, 3));
    for leased in &leased {
        settle(&journal, leased, delivered(), later).await;
    }
    assert_eq!(
        journal
            .trim(Trim { now: at(later), before: at(later), size_bytes: u64::MAX, limit: 9, afresh: true })
            .await
            .unwrap(),
        1
    );
    assert_eq!(journal.replays(id).await.unwrap(), []);
    assert_eq!(journal.replay(id, again(9, &["r/a"]), at(later)).await.unwrap(), None, "it is gone");
}

pub(crate) async fn what_was_refused_first_has_its_time_from_when_it_was_taken(place: &dyn Place) {
    let journal = place.open();
    let later = NOW + 3 * DAY_MS;
    let taken = Taken { at: at(later), refused: "no".into() };
    let entry = Entry { taken: Some(taken.clone()), ..entry(1, 0, &["r/a", "r/b"]) };
    let id = id_of(&entry);
    journal.append(entry.clone()).await.unwrap();
    assert_eq!(journal.append(entry).await.unwrap(), Appended::Duplicate(id));
    journal.close().await;
    let journal = place.open();
    let stored = journal.event(id).await.unwrap().expect("it is kept");
    assert_eq!((stored.taken, stored.received_at), (Some(taken), at(NOW)));
    let leased = lease(&journal, later, 9, 9).await.deliveries;
    assert_eq!(leased.len(), 2);
    assert!(leased.iter().all(|it| it.counted_from == at(later) && it.received_at == at(NOW)));
}

pub(crate) async fn what_was_never_routed_is_not_replayed(place: &dyn Place) {
    let journal = place.open();
    let waiting = unrouted(entry(1, 0, &[]));
    let id = id_of(&waiting);
    journal.append(waiting).await.unwrap();
    let routing = Routing {
        generation: 7,
        rules: vec!["r".into()],
        deliveries: vec![delivery(id, "r/a", NOW)],
        storms: vec![],
    };
    assert_eq!(journal.replay(id, routing, at(NOW)).await.unwrap(), None);
    assert_eq!(journal.unrouted(9).await.unwrap().len(), 1);
    assert!(lease_all(&journal, NOW).await.is_empty());
}
