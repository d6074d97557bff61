//! `kill -9` under load: what was acknowledged is delivered.

use crate::support::{Home, Receiver, event, eventually, sender, signed};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often it is killed; `HOOKYARD_CRASH_ROUNDS` says otherwise, for a longer run.
const ROUNDS: usize = 30;

fn rounds() -> usize {
    let asked = std::env::var("HOOKYARD_CRASH_ROUNDS").ok();
    asked.map_or(ROUNDS, |rounds| rounds.parse().expect("HOOKYARD_CRASH_ROUNDS is a number"))
}

#[test]
fn every_acknowledged_event_is_delivered_after_kill_9() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&format!(
        "
vars: {{url: '{}'}}
retry: {{first: 50ms}}
rules:
  - name: post
    match: {{status: finished}}
    actions:
      - http: {{url: '{{{{ vars.url }}}}', json: {{task: '{{{{ payload.task_id }}}}'}}}}
      - file: {{path: all.txt, text: '{{{{ payload.task_id }}}}'}}
      - script: react.rhai
      - script: count.rhai
        name: count
  - name: digest
    match: {{status: finished}}
    collect: {{within: 200ms, max: 20}}
    actions: [{{file: {{path: digests.txt, text: '{{{{ id }}}} {{{{ window.count }}}} {{{{ window.events | length }}}}'}}}}]
  - name: calm
    match: {{status: finished}}
    throttle: {{per: '{{{{ source }}}}', within: 1h}}
    actions: [{{file: {{path: calm.txt, text: '{{{{ id }}}}'}}}}]
",
        receiver.url("/in")
    ));
    home.write(
        "rules/react.rhai",
        r#"fn on_event(event) { file(#{path: "effects.txt", text: event.payload.task_id}); http(#{url: vars.url, json: #{effect: event.payload.task_id}}); }"#,
    );
    home.write(
        "rules/count.rhai",
        r#"fn on_event(event) { let n = kv::incr("events", 1); file(#{path: "counts.txt", text: `${n}`}); }"#,
    );
    let acknowledged = Mutex::new(BTreeSet::new());
    for round in 0..rounds() {
        let server = home.start();
        let hooks = server.hooks;
        // At some moment: between the first answers and a backlog.
        let goal = 1 + round * 7919 % 53;
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (acknowledged, count) = (&acknowledged, &count);
                scope.spawn(move || {
                    for number in 0.. {
                        let task = format!("t-{round}-{thread}-{number}");
                        let body = event(&task, "finished", json!({})).to_string();
                        match sender::post(hooks, &signed(&body), body.as_bytes()) {
                            Ok(answer) if answer.status == 200 => {
                                acknowledged.lock().expect("no panic holds it").insert(task);
                                count.fetch_add(1, Ordering::Relaxed);
                            }
                            Ok(answer) => panic!("{answer:?}"),
                            // Killed: it was not acknowledged, so nothing is owed.
                            Err(_) => return,
                        }
                    }
                });
            }
            eventually("some events are acknowledged", || {
                (count.load(Ordering::Relaxed) >= goal).then_some(())
            });
            server.kill();
        });
    }
    let acknowledged = acknowledged.into_inner().expect("no panic held it");
    assert_none_is_delivered_unseen(&home, &receiver);
    let _server = home.start();
    let posted = |key: &str| -> BTreeSet<String> {
        receiver.seen().iter().filter_map(|request| Some(request.json()[key].as_str()?.to_owned())).collect()
    };
    let in_file = |path: &str| home.lines(path).into_iter().collect::<BTreeSet<_>>();
    eventually("all posts", || acknowledged.is_subset(&posted("task")).then_some(()));
    eventually("all posts of effects", || acknowledged.is_subset(&posted("effect")).then_some(()));
    eventually("all lines", || acknowledged.is_subset(&in_file("all.txt")).then_some(()));
    eventually("all lines of effects", || acknowledged.is_subset(&in_file("effects.txt")).then_some(()));

    // Each event was counted once, in an order: none twice, none not at all.
    let events = home.ok(&["events", "--json", "--limit", "1000000"]).lines().count();
    let counts: BTreeSet<_> = (1..=events).map(|n| n.to_string()).collect();
    eventually("all counts", || (in_file("counts.txt") == counts).then_some(()));
    assert_eq!(home.ok(&["kv", "get", "count", "events"]).trim(), events.to_string());

    // Each was collected once, and no collection lost one.
    let digests = || {
        let lines = in_file("digests.txt");
        let numbers = |line: &String| {
            let mut words = line.split(' ').skip(1).map(|word| word.parse::<usize>().expect("a number"));
            (words.next().expect("a count"), words.next().expect("a length"))
        };
        let (counts, lengths): (Vec<_>, Vec<_>) = lines.iter().map(numbers).unzip();
        (counts.iter().sum::<usize>(), lengths.iter().sum::<usize>())
    };
    eventually("all digests", || (digests() == (events, events)).then_some(()));

    // The first acted, whatever was killed since; all others were held back.
    eventually("the first", || (in_file("calm.txt").len() == 1).then_some(()));
    let listed = home.ok(&["deliveries", "--suppressed", "--rule", "calm", "--json", "--limit", "1000000"]);
    assert_eq!(listed.lines().count(), events - 1);

    assert_none_is_delivered_unseen(&home, &receiver);

    // What came twice came under the same key.
    let mut keys = BTreeMap::<String, BTreeSet<String>>::new();
    for request in receiver.seen() {
        let key = request.header("idempotency-key").expect("every request has one").to_owned();
        keys.entry(request.text()).or_default().insert(key);
    }
    for (body, keys) in keys {
        assert_eq!(keys.len(), 1, "{body} came under {keys:?}");
    }
}

/// What the journal has as delivered was seen by the receiver or stands in its file.
fn assert_none_is_delivered_unseen(home: &Home, receiver: &Receiver) {
    // First what is claimed, then what was seen: while the server runs, both grow.
    let exported = home.ok(&["journal", "export"]);
    let seen: BTreeSet<String> =
        receiver.seen().iter().filter_map(|it| Some(it.header("idempotency-key")?.to_owned())).collect();
    let lines = |path: &str| home.lines(path).into_iter().collect::<BTreeSet<_>>();
    let (all, effects, calm) = (lines("all.txt"), lines("effects.txt"), lines("calm.txt"));
    let digests: BTreeSet<_> =
        lines("digests.txt").iter().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    let mut delivered = 0;
    for record in exported.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
        let text =
            |pointer: &str| record.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned();
        let (event, task) = (text("/event/id"), text("/event/payload/task_id"));
        let deliveries = record["deliveries"].as_array().expect("a list");
        for delivery in deliveries.iter().filter(|delivery| delivery["state"] == json!("delivered")) {
            let id = delivery["id"].as_str().expect("an id");
            let is_seen = match id.strip_prefix(&event).expect("it begins with its event's") {
                "/post/http" | "/post/script/http-1" => seen.contains(id),
                "/post/file" => all.contains(&task),
                "/post/script/file-1" => effects.contains(&task),
                "/digest/file" => digests.contains(&event),
                "/calm/file" => calm.contains(&event),
                // Runs of scripts, and the numbers that these count.
                _ => continue,
            };
            assert!(is_seen, "{id} is delivered, and nobody has seen it");
            delivered += 1;
        }
    }
    assert!(delivered > 0, "the journal is no longer read");
}
