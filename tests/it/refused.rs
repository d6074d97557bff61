//! Refused requests: kept for inspection, and verified again when the secret is mended.

use crate::support::{Home, event, eventually, http, sender, signed};
use serde_json::json;

#[test]
fn what_was_refused_for_a_wrong_secret_is_routed_when_it_is_mended() {
    let home = Home::with_rules(
        "rules: [{name: r, match: {source: browser-use}, actions: [{file: {path: in.txt, text: '{{ payload.task_id }}'}}]}]",
    );
    home.configure("sources: {browser-use: {preset: browser-use, secrets: [\"${file:secret.txt}\"]}}\n");
    home.write("secret.txt", "the wrong one");
    let server = home.start();
    for task in ["t-1", "t-2"] {
        let body = event(task, "finished", json!({})).to_string();
        let answer = sender::post(server.hooks, &signed(&body), body.as_bytes()).expect("the server answers");
        assert_eq!(answer.status, 403);
    }
    let garbage =
        http::request(server.hooks, "POST", "/hooks/browser-use", &[], b"{\"no\":1").expect("an answer");
    assert_eq!(garbage.status, 400);
    let kept = eventually("they are kept", || {
        let kept = server.get("/api/refused").json();
        (kept["refused"].as_array().expect("a list").len() == 3).then_some(kept)
    });
    assert!(
        kept["refused"][0]["reason"].as_str().expect("a sentence").contains("cannot be verified"),
        "{kept}"
    );
    assert_eq!(kept["refused"][2]["reason"], json!("the signature does not match"));
    assert!(kept["refused"][2]["body"].as_str().expect("its body").contains("t-1"), "{kept}");
    let listed = |query: &str| server.get(&format!("/api/refused?{query}"));
    assert_eq!(listed("limit=1").json()["refused"].as_array().expect("a list").len(), 1);
    assert_eq!(listed("source=browser-use").json()["refused"].as_array().expect("a list").len(), 3);
    assert_eq!(listed("source=other").json()["refused"], json!([]));
    assert_eq!((listed("limt=1").status, listed("limit=0").status), (400, 400));
    assert_eq!(
        server.get("/api/generations?limit=1").json()["generations"].as_array().expect("a list").len(),
        1
    );
    assert_eq!(server.get("/api/generations?limit=none").status, 400);
    assert!(!kept.to_string().contains("signature\":"), "nothing that could be replayed elsewhere: {kept}");

    home.write("secret.txt", crate::support::SECRET);
    assert_eq!(server.reload().status, 200);
    let replay =
        || http::request(server.admin, "POST", "/api/refused/replay", &[], b"").expect("an answer").json();
    assert_eq!(replay(), json!({"accepted": 2, "duplicates": 0, "still_refused": 1}));
    eventually("both are routed", || {
        let mut lines = home.lines("in.txt");
        lines.sort();
        (lines == ["t-1", "t-2"]).then_some(())
    });
    let metrics = server.get("/metrics").body;
    for counted in [
        "hookyard_received_total{source=\"browser-use\"} 2",
        "hookyard_matched_total{source=\"browser-use\"} 2",
        "hookyard_verified_total{source=\"browser-use\",form=\"python\",secret=\"0\"} 2",
    ] {
        assert!(metrics.lines().any(|line| line == counted), "{counted} is not in\n{metrics}");
    }
    let events = server.get("/api/events").json();
    let id = events["events"][0]["id"].as_str().expect("an id");
    // The line is written before the outcome is kept.
    let told = eventually("the attempt is kept", || {
        let told = server.get(&format!("/api/events/{id}")).json();
        (told["deliveries"][0]["state"] == json!("delivered")).then_some(told)
    });
    let timeline = told["timeline"].as_array().expect("a timeline");
    let words: Vec<_> = timeline.iter().map(|moment| moment["what"].as_str().expect("a word")).collect();
    assert_eq!(words, ["received", "refused", "verified", "matched", "attempted"], "{told}");
    assert_eq!(timeline[1]["message"], json!("the signature does not match"));
    assert_ne!(timeline[2]["at"], timeline[0]["at"]);
    assert_eq!(timeline[4]["generation"], told["timeline"][3]["generation"]);
    assert_eq!(timeline[4]["request"]["path"], json!("in.txt"), "what it was made with: {told}");
    let told = home.ok(&["events", id]);
    assert!(told.contains("refused first: the signature does not match; verified again by hand"), "{told}");
    assert_eq!(replay(), json!({"accepted": 0, "duplicates": 2, "still_refused": 1}));

    let listed = home.ok(&["events", "--refused"]);
    assert!(listed.contains("the signature does not match"), "{listed}");
    assert_eq!(home.ok(&["events", "--refused", "--json", "--limit", "2"]).lines().count(), 2);
    assert_eq!(home.run(&["replay", "--refused"]).status.code(), Some(2), "it wants --yes");
    server.stop();
    let said = home.ok(&["replay", "--refused", "--yes"]);
    assert!(said.starts_with("0 accepted and routed, 2 had come again meanwhile, 1 still refused"), "{said}");
}

#[test]
fn what_its_header_condemns_is_kept_without_a_body() {
    let home = Home::with_rules("rules: [{name: r, match: any, actions: [{log: {}}]}]");
    let server = home.start();
    let path = "/hooks/browser-use";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answers = [
        http::request(server.hooks, "GET", path, &[], b""),
        http::request(server.hooks, "POST", path, &form, b"a=b"),
        http::request(server.hooks, "POST", path, &[], &vec![b' '; (1 << 20) + 1]),
    ];
    assert_eq!(answers.map(|answer| answer.expect("an answer").status), [405, 415, 413]);
    let kept = eventually("they are kept", || {
        let kept = server.get("/api/refused").json();
        (kept["refused"].as_array().expect("a list").len() == 3).then_some(kept)
    });
    for (number, status) in [(0, 413), (1, 415), (2, 405)] {
        assert_eq!(kept["refused"][number]["status"], json!(status), "{kept}");
        assert_eq!(kept["refused"][number]["body"], json!(null), "{kept}");
    }
    let replay =
        http::request(server.admin, "POST", "/api/refused/replay", &[], b"").expect("an answer").json();
    assert_eq!(replay, json!({"accepted": 0, "duplicates": 0, "still_refused": 3}));
}
