//! Reading the record: pages, filters, counts, and watching.

use super::*;

fn texts(deliveries: &[StoredDelivery]) -> Vec<String> {
    let short = |it: &StoredDelivery| {
        let ms = it.id.event.0.timestamp_ms().cast_signed() - NOW;
        format!("{ms}{}", it.id.to_string().trim_start_matches(&it.id.event.to_string()))
    };
    deliveries.iter().map(short).collect()
}

/// All pages of so many, one after the other.
async fn pages(journal: &Arc<dyn Journal>, filter: &DeliveryFilter, limit: usize) -> Vec<String> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let filter = DeliveryFilter { before, limit, ..filter.clone() };
        let page = journal.deliveries(filter).await.unwrap();
        found.extend(texts(&page));
        before = page.last().map(|it| it.id.clone());
        if page.len() < limit {
            return found;
        }
    }
}

fn in_state(state: State) -> DeliveryFilter {
    DeliveryFilter { state: Some(state), ..DeliveryFilter::default() }
}

pub(crate) async fn deliveries_are_read_in_pages(place: &dyn Place) {
    let journal = place.open();
    for number in 0..4 {
        journal.append(entry(number, number.cast_signed(), &["r/a", "r/b", "s/a"])).await.unwrap();
    }
    let leased = lease(&journal, NOW + 1, 9, 9).await.deliveries;
    assert_eq!(leased.len(), 6);
    for leased in &leased {
        let outcome = Outcome::Dead { error: "no".into() };
        settle(&journal, leased, outcome, NOW + 9).await;
    }
    let whole = texts(&journal.deliveries(DeliveryFilter { limit: 99, ..Default::default() }).await.unwrap());
    assert_eq!(whole.len(), 12);
    assert!(whole[0].starts_with('3') && whole[11].starts_with('0'), "{whole:?}");
    for limit in [1, 2, 5, 12, 50] {
        assert_eq!(pages(&journal, &DeliveryFilter::default(), limit).await, whole, "{limit}");
        let dead: Vec<_> = whole[6..].to_vec();
        assert_eq!(pages(&journal, &in_state(State::Dead), limit).await, dead, "{limit}");
        assert_eq!(pages(&journal, &in_state(State::Pending), limit).await, whole[..6], "{limit}");
        let of_r: Vec<_> = whole.iter().filter(|text| text.contains("/r/")).cloned().collect();
        let filter = DeliveryFilter { rule: Some("r".into()), ..DeliveryFilter::default() };
        assert_eq!(pages(&journal, &filter, limit).await, of_r, "{limit}");
    }
    let gone: DeliveryId = format!("{}/gone/a", id_of(&entry(99, 2, &[]))).parse().unwrap();
    let filter = DeliveryFilter { before: Some(gone), limit: 99, ..DeliveryFilter::default() };
    assert_eq!(texts(&journal.deliveries(filter).await.unwrap()), whole[6..], "it stood where its event did");
}

pub(crate) async fn deliveries_are_filtered_and_counted(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/a", "r/b", "s/a"])).await.unwrap();
    journal.append(blocked(entry(2, 5, &["r/a"]), NOW + DAY_MS)).await.unwrap();
    for number in 10..110 {
        journal.append(entry(number, 6, &["many/a"])).await.unwrap();
    }
    let leased = lease(&journal, NOW + 9, 999, 999).await.deliveries;
    for leased in leased.iter().filter(|leased| leased.id.rule == "many") {
        settle(&journal, leased, delivered(), NOW + 9).await;
    }
    let none = DeliveryFilter::default;
    let rule = |rule: &str| DeliveryFilter { rule: Some(rule.into()), ..none() };
    let event = |number, ms| Some(id_of(&entry(number, ms, &[])));
    for (filter, count) in [
        (none(), 104),
        (rule("r"), 3),
        (rule("nobody"), 0),
        (DeliveryFilter { action: Some("a".into()), ..rule("r") }, 2),
        (DeliveryFilter { action: Some("b".into()), ..none() }, 1),
        (in_state(State::Pending), 3),
        (in_state(State::Blocked), 1),
        (in_state(State::Delivered), 100),
        (in_state(State::Dead), 0),
        (DeliveryFilter { state: Some(State::Pending), ..rule("r") }, 2),
        (DeliveryFilter { state: Some(State::Blocked), ..rule("r") }, 1),
        (DeliveryFilter { state: Some(State::Blocked), ..rule("s") }, 0),
        (DeliveryFilter { since: Some(at(NOW + 5)), ..none() }, 101),
        (DeliveryFilter { since: Some(at(NOW + 5)), ..in_state(State::Pending) }, 0),
        (DeliveryFilter { event: event(1, 0), ..none() }, 3),
        (DeliveryFilter { event: event(1, 0), ..rule("s") }, 1),
        (DeliveryFilter { event: event(2, 5), ..in_state(State::Pending) }, 0),
        (DeliveryFilter { event: event(9, 9), ..none() }, 0),
    ] {
        assert_eq!(journal.count_deliveries(filter.clone()).await.unwrap(), count, "{filter:?}");
        let found = journal.deliveries(DeliveryFilter { limit: 999, ..filter.clone() }).await.unwrap();
        assert_eq!(found.len() as u64, count, "{filter:?}");
    }
    let found = journal.delivery(&leased[0].id).await.unwrap().expect("it is kept");
    assert_eq!(found.id, leased[0].id);
    let unknown: DeliveryId = format!("{}/r/c", leased[0].id.event).parse().unwrap();
    assert!(journal.delivery(&unknown).await.unwrap().is_none());
}

pub(crate) async fn events_are_found_by_what_matched_them(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 1, &["first/a", "second/a"])).await.unwrap();
    journal.append(entry(2, 2, &["second-best/a"])).await.unwrap();
    journal.append(entry(3, 3, &[])).await.unwrap();
    journal.append(unrouted(entry(4, 4, &[]))).await.unwrap();
    journal.append(entry(5, 5, &[])).await.unwrap();
    let find = async |filter: EventFilter| {
        let found = journal.events(EventFilter { limit: 9, ..filter }).await.unwrap();
        found.iter().map(|it| (it.received_at.as_millisecond() - NOW).to_string()).collect::<String>()
    };
    let none = EventFilter::default;
    let by = |rule: &str| EventFilter { rule: Some(rule.into()), ..none() };
    assert_eq!(find(none()).await, "54321");
    assert_eq!((find(by("second")).await, find(by("first")).await), ("1".into(), "1".into()));
    assert_eq!(find(by("first,second")).await, "", "a name is whole");
    let unmatched = || EventFilter { unmatched: true, ..none() };
    assert_eq!(find(unmatched()).await, "53", "what waits for rules is not unmatched");
    assert_eq!(find(EventFilter { until: Some(at(NOW + 3)), ..none() }).await, "21");
    let between = EventFilter { since: Some(at(NOW + 2)), until: Some(at(NOW + 4)), ..none() };
    assert_eq!(find(between).await, "32");
    let before = Some(id_of(&entry(3, 3, &[])));
    assert_eq!(find(EventFilter { until: Some(at(NOW + 9)), before, ..none() }).await, "21");
    let id = id_of(&entry(5, 5, &[]));
    let routing = |rules: &[&str]| Routing {
        generation: 4,
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        deliveries: vec![],
        storms: Vec::new(),
    };
    journal.replay(id, routing(&[]), at(NOW + 9)).await.unwrap();
    assert_eq!(find(unmatched()).await, "53", "the replay found none either");
    journal.replay(id, routing(&["late"]), at(NOW + 9)).await.unwrap();
    assert_eq!((find(unmatched()).await, find(by("late")).await), ("3".into(), "5".into()));
}

pub(crate) async fn generations_are_listed(place: &dyn Place) {
    let journal = place.open();
    assert_eq!(journal.generations().await.unwrap(), []);
    let files =
        |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect();
    let first = journal.keep_generation("/a", &files(&["x.yaml", "y.yaml"]), at(NOW)).await.unwrap();
    journal.keep_generation("/b", &files(&["x.yaml"]), at(NOW + 1)).await.unwrap();
    let brief = |number, directory: &str, ms, files| GenerationBrief {
        number,
        directory: directory.into(),
        loaded_at: at(ms),
        files,
    };
    let listed = journal.generations().await.unwrap();
    assert_eq!(listed, [brief(first + 1, "/b", NOW + 1, 1), brief(first, "/a", NOW, 2)]);
}

pub(crate) async fn the_depth_of_lanes_is_told(place: &dyn Place) {
    let journal = place.open();
    assert_eq!(journal.lanes().await.unwrap(), []);
    journal.append(entry(1, 0, &["r/a", "s/a"])).await.unwrap();
    journal.append(entry(2, 5, &["r/a", "r/b"])).await.unwrap();
    journal.append(blocked(entry(3, 7, &["r/b", "r/c"]), NOW + DAY_MS)).await.unwrap();
    for leased in lease(&journal, NOW, 9, 9).await.deliveries {
        settle(&journal, &leased, delivered(), NOW).await;
    }
    let mut lanes = journal.lanes().await.unwrap();
    lanes.sort_by(|a, b| (&a.rule, &a.action).cmp(&(&b.rule, &b.action)));
    let lane = |action: &str, pending, blocked, ms| LaneDepth {
        rule: "r".into(),
        action: action.into(),
        pending,
        blocked,
        oldest: at(NOW + ms),
    };
    assert_eq!(lanes, [lane("a", 1, 0, 5), lane("b", 1, 1, 5), lane("c", 0, 1, 7)]);
}

pub(crate) async fn who_watches_is_told_what_was_committed(place: &dyn Place) {
    let journal = place.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    let mut watching = journal.happenings();
    let second = entry(2, 0, &["r/a"]);
    journal.append(second.clone()).await.unwrap();
    journal.append(second.clone()).await.unwrap();
    let leased = lease(&journal, NOW, 9, 9).await.deliveries;
    settle(&journal, &leased[0], Outcome::Retry { due: at(NOW + 5), error: "503".into() }, NOW + 1).await;
    settle(&journal, &leased[1], Outcome::Dead { error: "410".into() }, NOW + 2).await;
    journal.retry(Chosen::These(vec![leased[1].id.clone()]), at(NOW + 3)).await.unwrap();
    journal.cancel(Chosen::Like(DeliveryFilter::default()), at(NOW + 4)).await.unwrap();
    let routing = Routing { generation: 5, rules: vec![], deliveries: vec![], storms: vec![] };
    journal.replay(id_of(&second), routing, at(NOW + 5)).await.unwrap();
    let mut told = Vec::new();
    while let Ok(happening) = watching.try_recv() {
        told.push((happening.at.as_millisecond() - NOW, happening.what.clone()));
    }
    let tried = |delivery: &DeliveryId, word, message: &str| What::Tried {
        delivery: delivery.clone(),
        word,
        attempt: 1,
        message: message.into(),
    };
    let received = What::Received {
        event: id_of(&second),
        source: "s".into(),
        kind: Some("t0".into()),
        status: Some("ok".into()),
        generation: Some(3),
        rules: vec!["r".into()],
    };
    assert_eq!(
        told,
        [
            (0, received),
            (1, tried(&leased[0].id, "retried", "503")),
            (2, tried(&leased[1].id, "dead", "410")),
            (3, What::MadePending { count: 1 }),
            (4, What::Cancelled { count: 2 }),
            (5, What::Replayed { event: id_of(&second), number: 2, generation: 5, rules: vec![] }),
        ]
    );
    assert!(matches!(watching.try_recv(), Err(broadcast::error::TryRecvError::Empty)));
}
