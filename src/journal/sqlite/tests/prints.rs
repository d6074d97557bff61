//! Deduplication against a model, with hardly any memory.

use super::*;
use std::collections::HashMap;

const DAY_MS: i64 = 86_400_000;

/// Numbers come again before and after their window is over, memory holds a tenth of them, and the
/// journal is opened anew now and then.
#[tokio::test]
async fn twins_are_found_for_exactly_their_window_wherever_their_prints_are() {
    let dir = Dir::new();
    let options = Options { prints_in_memory: 20, ..Options::default() };
    let mut random = fastrand::Rng::with_seed(7);
    let mut journal = dir.open_with(options.clone()).unwrap();
    let mut kept: HashMap<u64, (EventId, i64)> = HashMap::new();
    let (mut ms, mut duplicates) = (0, 0);
    for step in 0..1500 {
        ms += random.i64(1..DAY_MS / 200);
        let event = entry(random.u64(0..300), ms, &[]);
        let number = u64::from_le_bytes(event.received.fingerprint[..8].try_into().unwrap());
        let twin = kept.get(&number).filter(|(_, received)| *received >= ms - DAY_MS);
        let expected = twin.map_or(Appended::New(id_of(&event)), |(id, _)| Appended::Duplicate(*id));
        assert_eq!(journal.append(event.clone()).await.unwrap(), expected, "step {step}, number {number}");
        match expected {
            Appended::New(id) => drop(kept.insert(number, (id, ms))),
            Appended::Duplicate(_) => duplicates += 1,
        }
        if random.u8(..) == 0 {
            journal.close().await;
            journal = dir.open_with(options.clone()).unwrap();
        }
    }
    assert!((200..1200).contains(&duplicates), "both are tried: {duplicates}");
    let old = size::number(&dir, "SELECT count(*) FROM old_prints");
    let recent = size::number(&dir, "SELECT sum(length(pairs)) / 16 FROM recent_prints");
    assert!(recent <= 20, "{recent}");
    assert!(old < 500, "what is over goes: {old}");
}

/// As an older version left it: more prints than memory is to hold, and old ones that do not say until when.
#[tokio::test]
async fn what_an_older_version_left_is_found_and_goes_in_its_time() {
    let dir = Dir::new();
    let many = Options { prints_in_memory: 1000, ..Options::default() };
    let journal = dir.open_with(many).unwrap();
    for number in 0..60 {
        journal.append(entry(number, number.cast_signed(), &[])).await.unwrap();
    }
    journal.close().await;
    let few = Options { prints_in_memory: 20, ..Options::default() };
    let journal = dir.open_with(few.clone()).unwrap();
    journal.append(entry(60, 60, &[])).await.unwrap();
    journal.close().await;
    let connection = rusqlite::Connection::open(dir.path()).unwrap();
    connection.execute_batch("UPDATE old_prints SET until = NULL").unwrap();
    drop(connection);
    let journal = dir.open_with(few).unwrap();
    for number in 0..61 {
        let first = Appended::Duplicate(id_of(&entry(number, number.cast_signed(), &[])));
        assert_eq!(journal.append(entry(number, 100, &[])).await.unwrap(), first, "{number}");
    }
    for number in 100..500u64 {
        journal.append(entry(number, 2 * DAY_MS + number.cast_signed(), &[])).await.unwrap();
    }
    assert_eq!(size::number(&dir, "SELECT count(*) FROM old_prints WHERE until IS NULL"), 0);
}

/// A rest longer than the window while a move is under way: the numbers of groups begin again.
#[tokio::test]
async fn a_rest_in_the_middle_of_a_move_forgets_nothing_that_comes_after_it() {
    let dir = Dir::new();
    let journal = dir.open_with(Options { prints_in_memory: 100, ..Options::default() }).unwrap();
    // A move of some 44 begins with the 88th, and goes on by 4 with each.
    for number in 0..90 {
        journal.append(entry(number, 0, &[])).await.unwrap();
    }
    let later = 2 * DAY_MS;
    for number in 100..160 {
        journal.append(entry(number, later, &[])).await.unwrap();
    }
    for number in 100..160 {
        let first = Appended::Duplicate(id_of(&entry(number, later, &[])));
        assert_eq!(journal.append(entry(number, later + 1, &[])).await.unwrap(), first, "{number}");
    }
}

/// In each round so much comes that some moves to the table, and then so little that all of it goes.
#[tokio::test]
async fn the_table_is_swept_again_after_it_was_empty() {
    let dir = Dir::new();
    let journal = dir.open_with(Options { prints_in_memory: 100, ..Options::default() }).unwrap();
    let old = || size::number(&dir, "SELECT count(*) FROM old_prints");
    for round in 0..3 {
        let ms = round * 3 * DAY_MS;
        for number in 0..130 {
            journal.append(entry(number, ms, &[])).await.unwrap();
        }
        assert!(old() > 20, "round {round}: {}", old());
        for minutes in 0..80i64 {
            let number = 1000 + minutes.cast_unsigned();
            journal.append(entry(number, ms + 2 * DAY_MS + 60_000 * minutes, &[])).await.unwrap();
        }
        assert_eq!(old(), 0, "round {round}");
    }
}
