//! Lanes as their receivers meet them: how fast, and how they are left alone while they do not work.

use crate::support::faulty::{Fault, Faulty};
use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const DOWN: Fault = Fault::Says("HTTP/1.1 503 Down\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndown");
const PAUSE: Duration = Duration::from_millis(200);
const EVENTS: usize = 10;

/// A rule `post` with this action, in a lane that is paused after three failures; and one that is told.
fn pausing(action: &str, url: &str) -> Home {
    Home::with_rules(&format!(
        "
vars: {{url: '{url}'}}
rules:
  - name: post
    match: {{source: browser-use}}
    retry: {{first: 10ms, max: 10ms}}
    pause: {{after: 3, first: 200ms, max: 200ms}}
    concurrency: 1
    actions: [{action}]
  - name: told
    match: {{source: hookyard}}
    actions: [{{file: {{path: told.txt, text: '{{{{ type }}}} {{{{ payload.lane }}}} {{{{ payload.why | default(\"\") }}}}'}}}}]
"
    ))
}

fn pending(home: &Home) -> Vec<Value> {
    let listed = home.ok(&["deliveries", "--pending", "--rule", "post", "--json"]);
    listed.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
}

/// A receiver that is down for a while: asked three times, then by one delivery at a time, and by all
/// as soon as it works.
fn is_left_alone_while_down(home: &Home, server: &Faulty, lane: &str, why: &str) {
    let hookyard = home.start();
    let started = Instant::now();
    for number in 0..EVENTS {
        hookyard.accept(&event(&format!("t-{number}"), "finished", json!({})));
    }
    let told = eventually("it is told", || home.lines("told.txt").first().cloned());
    assert!(told.starts_with(&format!("hookyard.lane.paused {lane} ")) && told.contains(why), "{told}");
    eventually("two look whether it works", || (server.asked() >= 5).then_some(()));
    let (asked, pauses) = (server.asked(), started.elapsed().as_millis() / PAUSE.as_millis() + 1);
    assert!(asked as u128 <= 3 + pauses, "asked {asked} times in {:?}", started.elapsed());
    let tried: u64 = pending(home).iter().map(|it| it["attempts"].as_u64().expect("a number")).sum();
    assert!(tried <= server.asked() as u64 + 1, "no attempt was burnt: {tried}");
    let gauge = |value: u8| {
        let (rule, action) = lane.split_once('/').expect("rule and action");
        let line = format!("hookyard_lane_paused{{rule=\"{rule}\",action=\"{action}\"}} {value}\n");
        hookyard.get("/metrics").body.contains(&line).then_some(())
    };
    eventually("the gauge of a paused lane", || gauge(1));

    server.mend();
    eventually("all are delivered", || pending(home).is_empty().then_some(()));
    let told = eventually("it is told again", || home.lines("told.txt").get(1).cloned());
    assert_eq!(told, format!("hookyard.lane.resumed {lane} "));
    eventually("the gauge of a lane at work", || gauge(0));
}

#[test]
fn a_receiver_that_is_down_is_left_alone_until_it_works() {
    let server = Faulty::start(DOWN);
    let home = pausing("{http: {url: '{{ vars.url }}'}}", &server.url());
    is_left_alone_while_down(&home, &server, "post/http", "503 Service Unavailable from 127.0.0.1: down");
}

#[test]
fn so_is_one_that_effects_go_to_although_their_script_works() {
    let server = Faulty::start(DOWN);
    let home = pausing("{script: send.rhai}", &server.url());
    home.write("rules/send.rhai", "fn on_event(event) { http(#{ url: vars.url }); }");
    is_left_alone_while_down(&home, &server, "post/script", "503 Service Unavailable from 127.0.0.1: down");
}

#[test]
fn so_is_one_that_scripts_cannot_reach() {
    let server = Faulty::start(Fault::Closes);
    let home = pausing("{script: ask.rhai}", &server.url());
    home.write("rules/ask.rhai", "fn on_event(event) { fetch(#{ url: vars.url }); }");
    is_left_alone_while_down(&home, &server, "post/script", "the connection broke to 127.0.0.1");
}

#[test]
fn a_saved_rule_is_tried_at_once_however_long_the_pause() {
    let (server, receiver) = (Faulty::start(Fault::Closes), Receiver::start());
    let rules = |url: &str| {
        format!(
            "rules: [{{name: post, match: any, retry: {{first: 10ms}}, pause: {{after: 1, first: 1h}}, actions: [{{http: {{url: '{url}'}}}}]}}]"
        )
    };
    let home = Home::with_rules(&rules(&server.url()));
    let hookyard = home.start();
    hookyard.accept(&event("t-1", "finished", json!({})));
    eventually("it is tried", || (server.asked() == 1).then_some(()));
    home.save("rules/rules.yaml", &rules(&receiver.url("/in")));
    receiver.wait_for(1);
    assert_eq!(server.asked(), 1);
}

#[test]
fn a_rate_spreads_what_is_more_than_a_seconds_worth() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&format!(
        "rules: [{{name: post, match: any, rate: 600/m, actions: [{{http: {{url: '{}'}}}}]}}]",
        receiver.url("/in")
    ));
    let hookyard = home.start();
    let started = Instant::now();
    for number in 0..14 {
        hookyard.accept(&event(&format!("t-{number}"), "finished", json!({})));
    }
    receiver.wait_for(14);
    // Ten at once, and the others a tenth of a second apart.
    assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
}
