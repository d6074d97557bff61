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
    assert_eq!(replay(), json!({"accepted": 0, "duplicates": 2, "still_refused": 1}));

    let listed = home.ok(&["events", "--refused"]);
    assert!(listed.contains("the signature does not match"), "{listed}");
    assert_eq!(home.ok(&["events", "--refused", "--json", "--limit", "2"]).lines().count(), 2);
    assert_eq!(home.run(&["replay", "--refused"]).status.code(), Some(2), "it wants --yes");
    server.stop();
    let said = home.ok(&["replay", "--refused", "--yes"]);
    assert!(said.starts_with("0 accepted and routed, 2 had come again meanwhile, 1 still refused"), "{said}");
}
