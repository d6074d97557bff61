//! State between events, and the events that an outcome brings about.

use super::*;
use crate::kv::{Changes, Expiry, Read, Write};
use std::collections::BTreeMap;

fn writing(reads: Vec<Read>, writes: &[(&str, Write)]) -> Outcome {
    let writes: BTreeMap<_, _> =
        writes.iter().map(|(key, write)| ((*key).to_owned(), write.clone())).collect();
    let changes = Changes { namespace: "n".into(), reads, writes };
    Outcome::Delivered(Receipt { changes: Some(changes), ..Receipt::of("done") })
}

fn set(json: &str, expiry: Expiry) -> Write {
    Write::Set { json: json.into(), expiry }
}

fn read(key: &str, json: Option<&str>) -> Read {
    Read::Key(key.into(), json.map(str::to_owned))
}

fn settlement(leased: &Leased, outcome: Outcome, now: i64) -> Settlement {
    Settlement { id: leased.id.clone(), outcome, attempt: None, derived: Vec::new(), now: at(now) }
}

async fn try_settle(journal: &Arc<dyn Journal>, leased: &Leased, outcome: Outcome, now: i64) -> Settled {
    let settled = journal.settle([settlement(leased, outcome, now)].into()).await.unwrap();
    settled[0]
}

async fn value(journal: &Arc<dyn Journal>, key: &str, now: i64) -> Option<String> {
    journal.kv_get("n", key, at(now)).await.unwrap().map(|value| value.json)
}

/// Two deliveries, leased.
async fn two(journal: &Arc<dyn Journal>) -> [Leased; 2] {
    journal.append(entry(1, 0, &["r/a", "s/a"])).await.unwrap();
    lease(journal, NOW, 9, 9).await.deliveries.try_into().expect("two are due")
}

pub(crate) async fn state_is_kept_with_the_outcome_once_also_after_a_restart(place: &dyn Place) {
    let journal = place.open();
    let [first, second] = two(&journal).await;
    let outcome =
        writing(vec![read("a", None)], &[("a", set("1", Expiry::Never)), ("b", set("[2]", Expiry::Never))]);
    assert_eq!(try_settle(&journal, &first, outcome.clone(), NOW).await, Settled::Kept);
    assert_eq!(
        try_settle(&journal, &first, outcome, NOW).await,
        Settled::Kept,
        "repeated, it changes nothing"
    );
    let outcome =
        writing(vec![read("a", Some("1"))], &[("a", set("2", Expiry::Never)), ("b", Write::Delete)]);
    assert_eq!(try_settle(&journal, &second, outcome, NOW).await, Settled::Kept);
    journal.close().await;
    let journal = place.open();
    assert_eq!(
        (value(&journal, "a", NOW).await.as_deref(), value(&journal, "b", NOW).await),
        (Some("2"), None)
    );
    let sizes = journal.kv_sizes().await.unwrap();
    assert_eq!((sizes[0].namespace.as_str(), sizes[0].keys, sizes[0].bytes), ("n", 1, 2));
    assert_eq!(journal.kv_bytes("n").await.unwrap(), 2);
    assert_eq!(journal.kv_get("other", "a", at(NOW)).await.unwrap(), None);
}

pub(crate) async fn a_run_whose_reads_have_changed_is_not_kept(place: &dyn Place) {
    let journal = place.open();
    let [first, second] = two(&journal).await;
    try_settle(&journal, &first, writing(vec![], &[("a/1", set("1", Expiry::Never))]), NOW).await;
    for stale in [
        read("a/1", None),
        read("a/1", Some("2")),
        Read::Prefix("a/".into(), vec![]),
        Read::Prefix("a/".into(), vec!["a/1".into(), "a/2".into()]),
        Read::Prefix("".into(), vec!["a/2".into()]),
    ] {
        let outcome = writing(vec![stale.clone()], &[("b", set("1", Expiry::Never))]);
        assert_eq!(try_settle(&journal, &second, outcome, NOW).await, Settled::Conflict, "{stale:?}");
        assert_eq!(value(&journal, "b", NOW).await, None, "nothing of it was kept");
    }
    assert!(lease(&journal, NOW, 9, 9).await.deliveries.is_empty(), "the lease goes on");
    let fresh =
        vec![read("a/1", Some("1")), read("a/2", None), Read::Prefix("a/".into(), vec!["a/1".into()])];
    let outcome = writing(fresh, &[("b", set("1", Expiry::Never))]);
    assert_eq!(try_settle(&journal, &second, outcome, NOW).await, Settled::Kept);
}

pub(crate) async fn outcomes_kept_together_each_have_a_verdict_of_their_own(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/a", "s/a", "t/a"])).await.unwrap();
    let leased = lease(&journal, NOW, 9, 9).await.deliveries;
    let retry = Outcome::Retry { due: at(NOW + 5), error: "503".into() };
    let outcomes = [
        writing(vec![], &[("a", set("1", Expiry::Never))]),
        // It has read what the one before it has just changed.
        writing(vec![read("a", None)], &[("a", set("2", Expiry::Never))]),
        retry,
    ];
    let settlements: Vec<_> =
        leased.iter().zip(outcomes).map(|(leased, outcome)| settlement(leased, outcome, NOW)).collect();
    let settled = journal.settle(settlements.into()).await.unwrap();
    assert_eq!(settled, [Settled::Kept, Settled::Conflict, Settled::Kept]);
    assert_eq!(value(&journal, "a", NOW).await.as_deref(), Some("1"));
    let again = lease(&journal, NOW + 5, 9, 9).await.deliveries;
    let again: Vec<_> = again.iter().map(|leased| &leased.id).collect();
    assert_eq!(again, [&leased[2].id], "the first has ended, and the lease of the second goes on");
}

pub(crate) async fn two_of_one_group_cannot_both_have_seen_the_same(place: &dyn Place) {
    let journal = place.open();
    let [first, second] = two(&journal).await;
    let outcome = || writing(vec![read("a", None)], &[("a", set("1", Expiry::Never))]);
    let settled = tokio::join!(
        try_settle(&journal, &first, outcome(), NOW),
        try_settle(&journal, &second, outcome(), NOW)
    );
    assert!(
        matches!(settled, (Settled::Kept, Settled::Conflict) | (Settled::Conflict, Settled::Kept)),
        "{settled:?}"
    );
}

pub(crate) async fn values_expire_and_are_removed(place: &dyn Place) {
    let journal = place.open();
    let [first, second] = two(&journal).await;
    let minute = set("1", Expiry::After(Duration::from_secs(60)));
    try_settle(&journal, &first, writing(vec![], &[("a", minute), ("b", set("2", Expiry::Never))]), NOW)
        .await;
    assert_eq!(value(&journal, "a", NOW + 59_999).await.as_deref(), Some("1"));
    assert_eq!(value(&journal, "a", NOW + 60_000).await, None);
    let listed = async |now| {
        let found = journal.kv_list("n", "", 9, at(now)).await.unwrap();
        found.into_iter().map(|entry| (entry.key, entry.value.expires)).collect::<Vec<_>>()
    };
    assert_eq!(listed(NOW).await, [("a".into(), Some(at(NOW + 60_000))), ("b".into(), None)]);
    assert_eq!(listed(NOW + 60_000).await, [("b".into(), None)]);
    let later = writing(vec![read("a", None)], &[("c", set("3", Expiry::At(at(NOW + 90_000))))]);
    assert_eq!(try_settle(&journal, &second, later, NOW + 60_000).await, Settled::Kept);
    assert_eq!(journal.kv_sizes().await.unwrap()[0].keys, 2, "what had expired is gone");
}

pub(crate) async fn keys_are_listed_by_prefix_in_order(place: &dyn Place) {
    let journal = place.open();
    let keys = ["a", "a/1", "a/2", "a/\u{10ffff}x", "a0", "b", "é", "é1"];
    let set = |key: &&str| ((*key).to_owned(), set("1", Expiry::Never));
    let changes = Changes { namespace: "n".into(), reads: vec![], writes: keys.iter().map(set).collect() };
    journal.change(changes, at(NOW)).await.unwrap();
    for prefix in ["", "a", "a/", "a/\u{10ffff}", "é", "x"] {
        let found = journal.kv_list("n", prefix, 99, at(NOW)).await.unwrap();
        let found: Vec<_> = found.iter().map(|entry| entry.key.as_str()).collect();
        let wanted: Vec<_> = keys.iter().copied().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(found, wanted, "{prefix:?}");
    }
    assert_eq!(journal.kv_list("n", "a", 2, at(NOW)).await.unwrap().len(), 2);
}

fn derived(number: u128, root: EventId) -> Derived {
    let id = EventId::new(NOW.cast_unsigned(), (1 << 70) + number);
    let event = Event::own(id, at(NOW), "task.escalated", Json::object([("n", Json::from(1u32))]));
    let routing = Routing {
        generation: 3,
        rules: vec!["d".into()],
        deliveries: vec![delivery(id, "d/log", NOW)],
        storms: Vec::new(),
    };
    Derived { event, root, routing }
}

pub(crate) async fn derived_events_are_kept_with_the_outcome_and_counted(place: &dyn Place) {
    let journal = place.open();
    let first = entry(1, 0, &["r/a", "s/a"]);
    let root = id_of(&first);
    journal.append(first).await.unwrap();
    let leased = lease(&journal, NOW, 9, 9).await.deliveries;
    let settle = async |leased: &Leased, count: u128, from: u128| {
        let derived = (from..from + count).map(|number| derived(number, root)).collect();
        let settlement = Settlement { derived, ..settlement(leased, delivered(), NOW) };
        journal.settle([settlement].into()).await.unwrap()[0]
    };
    let most = MAX_DESCENDANTS as u128;
    assert_eq!(settle(&leased[0], most - 1, 0).await, Settled::Kept);
    assert_eq!(settle(&leased[0], 1, most + 5).await, Settled::Kept, "repeated, it changes nothing");
    assert_eq!(settle(&leased[1], 2, most).await, Settled::TooManyDescendants);
    assert_eq!(settle(&leased[1], 1, most).await, Settled::Kept);
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.events, counts.delivered, counts.pending), (most as u64 + 1, 2, most as u64));
    let stored = journal.event(derived(0, root).event.id()).await.unwrap().expect("it is kept");
    assert_eq!((stored.event.source(), stored.rules), ("hookyard", vec!["d".to_owned()]));
    let leased = lease(&journal, NOW, 1, 1).await.deliveries.pop().expect("its deliveries are due");
    assert_eq!(leased.body, Bytes::from_static(br#"{"n":1}"#));
    journal.announce(derived(2 * most, EventId::new(1, 1)), at(NOW)).await.unwrap();
    assert_eq!(journal.counts().await.unwrap().events, most as u64 + 2);
}

pub(crate) async fn effects_of_effects_come_to_an_end(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/a", "s/a"])).await.unwrap();
    let asking = |count: usize| {
        let effect = |number: usize| Effect {
            name: format!("note-{number}"),
            kind: "note".into(),
            after: Duration::ZERO,
            params: Params::Data(Json::Null),
        };
        let effects = (0..count).map(effect).collect();
        Outcome::Delivered(Receipt { effects, ..Receipt::of("many") })
    };
    let [first, _] = lease(&journal, NOW, 9, 9).await.deliveries.try_into().expect("two are due");
    let half = MAX_EFFECTS / 2;
    assert_eq!(try_settle(&journal, &first, asking(half), NOW).await, Settled::Kept);
    let effects = lease(&journal, NOW, 3, 9).await.deliveries;
    assert!(effects.iter().all(|effect| effect.id.effects.len() == 1), "{effects:?}");
    assert_eq!(try_settle(&journal, &effects[0], asking(half), NOW).await, Settled::Kept);
    assert_eq!(try_settle(&journal, &effects[1], asking(1), NOW).await, Settled::TooManyEffects);
    assert_eq!(journal.counts().await.unwrap().pending, MAX_EFFECTS as u64, "and the other rule's");
    assert_eq!(try_settle(&journal, &effects[1], asking(0), NOW).await, Settled::Kept, "the lease goes on");
}
