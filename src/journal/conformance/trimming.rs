//! What trimming removes, and what is known of it afterwards.

use super::*;

/// How many events it removes.
async fn trim(journal: &Arc<dyn Journal>, now: i64, before: i64, size_bytes: u64) -> usize {
    let (now, before) = (at(now), at(before));
    journal.trim(Trim { now, before, size_bytes, limit: 100, afresh: true }).await.unwrap()
}

pub(crate) async fn trimming_spares_what_is_still_needed(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &[])).await.unwrap();
    journal.append(entry(2, 1, &["r/a"])).await.unwrap();
    journal.append(unrouted(entry(3, 2, &[]))).await.unwrap();
    journal.append(entry(4, 3, &[])).await.unwrap();
    journal.append(entry(5, 10, &[])).await.unwrap();
    let trim = async |now, before, size_bytes| trim(&journal, now, before, size_bytes).await;
    assert_eq!(trim(NOW + DAY_MS, NOW + 10, u64::MAX).await, 0, "a twin would be a duplicate");
    assert_eq!(trim(NOW + 2 * DAY_MS, NOW + 10, u64::MAX).await, 2);
    assert_eq!(trim(NOW + 2 * DAY_MS, NOW, 1).await, 1, "the journal is too large");
    let leased = lease(&journal, NOW + DAY_MS, 9, 9).await.deliveries.pop().unwrap();
    settle(&journal, &leased, delivered(), NOW + DAY_MS).await;
    assert_eq!(trim(NOW + 2 * DAY_MS, NOW + 10, u64::MAX).await, 1);
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.events, counts.unrouted, counts.delivered), (1, 1, 0));
    assert!(journal.attempts(&leased.id).await.unwrap().is_empty());
}

pub(crate) async fn what_the_size_removed_is_not_shown_and_its_twins_are_duplicates(place: &dyn Place) {
    let journal = place.open();
    let first = entry(1, 0, &["r/a"]);
    journal.append(first.clone()).await.unwrap();
    let leased = lease(&journal, NOW, 9, 9).await.deliveries.pop().unwrap();
    settle(&journal, &leased, delivered(), NOW).await;
    journal.append(entry(2, 0, &["r/a"])).await.unwrap();
    journal.append(unrouted(entry(3, 0, &[]))).await.unwrap();
    assert_eq!(trim(&journal, NOW + 1, NOW, u64::MAX).await, 0, "it is small enough");
    assert_eq!(trim(&journal, NOW + 1, NOW, 1).await, 1, "the others are still needed");
    let sibling = entry(4, 0, &["r/a"]);
    journal.append(sibling.clone()).await.unwrap();

    assert!(journal.event(id_of(&first)).await.unwrap().is_none());
    let listed = journal.events(EventFilter { limit: 9, ..EventFilter::default() }).await.unwrap();
    assert!(listed.len() == 3 && listed.iter().all(|it| it.event.id() != id_of(&first)));
    let of_first = DeliveryFilter { event: Some(id_of(&first)), limit: 9, ..DeliveryFilter::default() };
    assert!(journal.deliveries(of_first).await.unwrap().is_empty());
    assert!(journal.attempts(&leased.id).await.unwrap().is_empty());
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.events, counts.unrouted, counts.pending, counts.delivered), (3, 1, 2, 0));

    let is_twin_of = async |journal: &Arc<dyn Journal>, number, ms, of: &Entry| {
        let answer = journal.append(entry(number, ms, &["r/a"])).await.unwrap();
        assert_eq!(answer, Appended::Duplicate(id_of(of)), "{number} at {ms}");
    };
    is_twin_of(&journal, 1, 5, &first).await;
    journal.close().await;
    let journal = place.open();
    is_twin_of(&journal, 1, DAY_MS, &first).await;
    is_twin_of(&journal, 4, DAY_MS, &sibling).await;
    assert_eq!(trim(&journal, NOW + DAY_MS + 1, NOW, u64::MAX).await, 0);
    let late = entry(1, DAY_MS + 1, &[]);
    assert_eq!(journal.append(late.clone()).await.unwrap(), Appended::New(id_of(&late)));
    is_twin_of(&journal, 1, DAY_MS + 2, &late).await;
}
