//! Rules are edited while the server runs, in all the ways in which people save files.

use crate::support::{Home, event, eventually};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

fn writing(file: &str) -> String {
    format!(
        "rules: [{{name: all, match: any, actions: [{{file: {{path: {file}, text: '{{{{ payload.task_id }}}}'}}}}]}}]"
    )
}

#[test]
fn a_saved_rule_is_live_and_a_broken_one_changes_nothing() {
    let home = Home::with_rules(&writing("a.txt"));
    let server = home.start();
    let first = server.status()["generation"].as_u64().expect("a generation");
    home.save("rules/rules.yaml", &writing("b.txt"));
    let second = server.wait_for_generation(first);
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the new rule acts", || home.lines("b.txt").first().cloned());

    home.save("rules/rules.yaml", "rules: [{name: all, match: any, actions: [{flie: {path: c.txt}}]}]");
    let status = server.wait_for("the refusal", |status| status["reload"]["ok"] == json!(false));
    assert_eq!(status["generation"], json!(second));
    let found = &status["reload"]["diagnostics"][0];
    assert_eq!((&found["file"], &found["line"]), (&json!("rules.yaml"), &json!(1)));
    assert!(found.to_string().contains("file"), "a suggestion: {found}");
    server.accept(&event("t-2", "finished", json!({})));
    eventually("the old rule still acts", || home.lines("b.txt").get(1).cloned());
    assert!(server.get("/metrics").body.contains("hookyard_reloads_total{result=\"bad\"} 1"));
}

#[test]
fn a_script_is_reloaded_like_a_rule() {
    let home = Home::with_rules("rules: [{name: react, match: any, actions: [{script: lib/react.rhai}]}]");
    let script = |file: &str| {
        format!("fn on_event(event) {{ file(#{{path: \"{file}\", text: event.payload.task_id}}); }}")
    };
    home.write("rules/lib/react.rhai", &script("a.txt"));
    let server = home.start();
    let first = server.status()["generation"].as_u64().expect("a generation");
    home.save("rules/lib/react.rhai", &script("b.txt"));
    server.wait_for_generation(first);
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the new script acts", || home.lines("b.txt").first().cloned());
}

#[test]
fn a_checkout_of_fifty_files_is_taken_as_one() {
    let home = Home::with_rules(&writing("a.txt"));
    let server = home.start();
    let first = server.status()["generation"].as_u64().expect("a generation");
    for number in 0..50 {
        home.write(
            &format!("rules/team-{number}/rules.yaml"),
            &format!("rules: [{{name: r{number}, match: {{metadata: {{team: t{number}}}}}, actions: [{{file: {{path: t{number}.txt}}}}]}}]"),
        );
    }
    let status = server
        .wait_for("all rules", |status| status["rules"].as_array().is_some_and(|rules| rules.len() == 51));
    let generation = status["generation"].as_u64().expect("a generation");
    assert!(generation <= first + 3, "{} generations for one checkout", generation - first);
}

#[test]
fn a_config_maps_data_swap_is_seen() {
    let home = Home::with_rules(&writing("a.txt"));
    fs::remove_file(home.path("rules/rules.yaml")).expect("the file is there");
    home.write("rules/..v1/rules.yaml", &writing("v1.txt"));
    symlink("..v1", home.path("rules/..data")).expect("a link can be made");
    symlink("..data/rules.yaml", home.path("rules/rules.yaml")).expect("a link can be made");
    let server = home.start();
    let first = server.status()["generation"].as_u64().expect("a generation");
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the first version acts", || home.lines("v1.txt").first().cloned());

    home.write("rules/..v2/rules.yaml", &writing("v2.txt"));
    symlink("..v2", home.path("rules/..data_tmp")).expect("a link can be made");
    fs::rename(home.path("rules/..data_tmp"), home.path("rules/..data")).expect("a link can be renamed");
    fs::remove_dir_all(home.path("rules/..v1")).expect("the old version can go");
    server.wait_for_generation(first);
    server.accept(&event("t-2", "finished", json!({})));
    eventually("the second version acts", || home.lines("v2.txt").first().cloned());
}

#[test]
fn a_directory_that_vanishes_or_is_empty_never_replaces_rules() {
    let home = Home::with_rules(&writing("a.txt"));
    let server = home.start();
    fs::rename(home.path("rules"), home.path("away")).expect("a directory can be renamed");
    let gone = |status: &serde_json::Value| status["reload"]["ok"] == json!(false);
    let status = server.wait_for("the missing directory is noticed", gone);
    assert_eq!(status["rules"], json!(["all"]));
    fs::create_dir(home.path("rules")).expect("a directory can be made");
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the rules still act", || home.lines("a.txt").first().cloned());

    let verdict = server.reload();
    assert_eq!(verdict.status, 200, "an empty directory is taken when somebody asks: {verdict:?}");
    assert_eq!(server.status()["rules"], json!([]));
    fs::remove_dir(home.path("rules")).expect("it is empty");
    fs::rename(home.path("away"), home.path("rules")).expect("a directory can be renamed");
    server.wait_for("the rules are back", |status| status["rules"] == json!(["all"]));
}

#[test]
fn a_start_with_broken_rules_serves_the_last_good_ones() {
    let home = Home::with_rules(&writing("a.txt"));
    assert!(home.start().stop().success());
    home.write("rules/rules.yaml", "rules: [");
    let server = home.start();
    let status = server.status();
    assert_eq!(status["reload"]["ok"], json!(false));
    assert_eq!(status["rules"], json!(["all"]));
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the last good rules act", || home.lines("a.txt").first().cloned());
}

#[test]
fn the_last_good_rules_are_those_of_the_same_directory() {
    let home = Home::with_rules(&writing("a.txt"));
    assert!(home.start().stop().success());
    home.write("rules/rules.yaml", "rules: [");
    home.write("other/rules.yaml", "rules: [");
    let start = |rules| home.start_as(home.command(&["serve", "--rules", rules]));
    let server = start("other");
    let status = server.status();
    assert_eq!((&status["generation"], &status["rules"]), (&json!(null), &json!([])), "{status}");
    assert_eq!(server.get("/readyz").status, 503);
    server.accept(&event("t-1", "finished", json!({})));
    assert!(server.stop().success());

    let server = start("./rules/");
    assert_eq!(server.status()["rules"], json!(["all"]));
    eventually("what waited is routed", || home.lines("a.txt").first().cloned());
    assert!(server.stop().success());
    fs::remove_dir_all(home.path("rules")).expect("the rules are there");
    assert_eq!(home.start().status()["rules"], json!(["all"]), "also of a directory that is missing");
}

#[test]
fn events_that_come_before_the_first_good_rules_wait_for_them() {
    for broken in [Some("rules: ["), None] {
        let home = Home::with_rules("");
        match broken {
            Some(text) => home.write("rules/rules.yaml", text),
            None => fs::remove_file(home.path("rules/rules.yaml")).expect("the file is there"),
        }
        let server = home.start();
        assert_eq!(server.get("/readyz").status, 503);
        server.accept(&event("early", "finished", json!({})));
        assert_eq!(server.status()["journal"]["unrouted"], json!(1));
        home.save("rules/rules.yaml", &writing("a.txt"));
        assert_eq!(eventually("the early event", || home.lines("a.txt").first().cloned()), "early");
        assert_eq!(server.get("/readyz").status, 200);
    }
}

#[test]
fn a_reload_that_is_asked_for_answers_with_the_verdict() {
    let home = Home::with_rules(&writing("a.txt"));
    let server = home.start();
    assert_eq!(server.reload().status, 200);
    home.write("rules/broken.yaml", "rules: [{name: all, match: any, actions: [{log: {}}]}]");
    let verdict = server.reload();
    assert_eq!(verdict.status, 422, "{verdict:?}");
    assert!(verdict.body.contains("broken.yaml"), "{verdict:?}");
    fs::remove_file(home.path("rules/broken.yaml")).expect("the file is there");
    server.signal("HUP");
    server.wait_for("the mended rules", |status| status["reload"]["ok"] == json!(true));
}

#[test]
fn a_new_secret_is_taken_without_a_restart() {
    let home = Home::with_rules(&writing("a.txt"));
    home.configure("sources: {browser-use: {preset: browser-use, secrets: ['${LATER}']}}\n");
    let server = home.start();
    assert_eq!(server.send(&event("t-1", "finished", json!({}))).status, 503);
    home.save(".env", &format!("LATER={}\n", crate::support::SECRET));
    server.wait_for("the secret", |status| status["sources"][0]["state"] == json!("receiving"));
    server.accept(&event("t-1", "finished", json!({})));
}

#[test]
fn a_secret_is_changed_although_the_rules_are_broken() {
    let home = Home::with_rules(&writing("a.txt"));
    home.configure("sources: {browser-use: {preset: browser-use, secrets: ['${LATER}']}}\n");
    let server = home.start();
    eventually("the waiting source is named", || server.log().contains("browser-use waits").then_some(()));
    home.save("rules/rules.yaml", "rules: [");
    server.wait_for("the broken rules", |status| status["reload"]["ok"] == json!(false));
    home.save(".env", &format!("LATER={}\n", crate::support::SECRET));
    let status = server.wait_for("the secret", |status| status["sources"][0]["state"] == json!("receiving"));
    assert_eq!(status["rules"], json!(["all"]));
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the old rule acts", || home.lines("a.txt").first().cloned());
    assert_eq!(server.status()["reload"]["ok"], json!(false), "the rules are still broken");
}

#[test]
fn a_file_that_a_rule_refers_to_is_taken_when_it_comes() {
    let home = Home::with_rules(&writing("a.txt"));
    let server = home.start();
    home.save(
        "rules/rules.yaml",
        "rules: [{name: new, match: any, actions: [{http: {url: 'http://127.0.0.1:9/', auth: {bearer: '${file:token}'}}}]}]",
    );
    server.wait_for("the missing file", |status| status["reload"]["ok"] == json!(false));
    home.write("token", "t0ken");
    server.wait_for("the file", |status| status["rules"] == json!(["new"]));
}

#[test]
fn what_needs_a_restart_says_so() {
    let home = Home::with_rules(&writing("a.txt"));
    let server = home.start();
    home.write("hookyard.yaml", "listen: 127.0.0.1:1\nadmin: {listen: '127.0.0.1:0'}\nfiles: other/\n");
    let verdict = server.reload();
    assert_eq!(verdict.status, 200, "{verdict:?}");
    assert!(verdict.body.contains("listen has changed: it is used from the next start on"), "{verdict:?}");
    assert!(verdict.body.contains("files has changed"), "{verdict:?}");
    home.configure("");
    let verdict = server.reload();
    assert!(!verdict.body.contains("has changed"), "as it was at the start: {verdict:?}");
}

#[test]
fn a_reload_does_not_take_the_token_off_an_open_admin_side() {
    let home = Home::with_rules(&writing("a.txt"));
    home.write("hookyard.yaml", "listen: 127.0.0.1:0\nadmin: {listen: '0.0.0.0:0', token: t0ken}\n");
    let server = home.start();
    let ask = |method: &str, path: &str, authorization: &str| {
        let headers = [("authorization", authorization)];
        crate::support::http::request(server.admin, method, path, &headers, b"").expect("an answer")
    };
    home.configure("");
    let verdict = ask("POST", "/api/reload", "Bearer t0ken");
    assert_eq!(verdict.status, 422, "{verdict:?}");
    assert!(verdict.body.contains("admin.token"), "{verdict:?}");
    assert_eq!(ask("GET", "/api/status", "").status, 401);
}

#[test]
fn a_file_rewritten_in_place_is_never_served_half() {
    let many = |version: usize| {
        let rule = |number| {
            format!("  - {{name: v{version}-{number}, match: any, actions: [{{log: {{level: debug}}}}]}}\n")
        };
        format!("rules:\n{}", (0..300).map(rule).collect::<String>())
    };
    let home = Home::with_rules(&many(0));
    let server = home.start();
    for version in 1..=40 {
        home.write("rules/rules.yaml", &many(version));
    }
    server.wait_for("the last version", |status| status["rules"][0] == json!("v40-0"));
    for served in server.log().lines().filter(|line| line.contains("is served:")) {
        assert!(served.contains("300 rules"), "{served}");
    }
}

#[test]
fn the_secret_of_the_built_in_configuration_is_not_readable_from_rules() {
    let home = Home::with_rules(
        "rules: [{name: leak, match: any, actions: [{log: {message: '${BROWSER_USE_SECRET}'}}]}]",
    );
    home.configure("");
    let output = home.run(&["check", "--env"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(why.contains("cannot be read from rules"), "{why}");
}

#[test]
fn a_secret_that_is_taken_away_is_gone_whatever_the_rules_are() {
    let home = Home::with_rules("rules: [");
    home.configure("sources: {browser-use: {preset: browser-use, secrets: ['${LATER}']}}\n");
    home.write(".env", &format!("LATER={}\n", crate::support::SECRET));
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({})));
    home.save(".env", "");
    server.wait_for("the secret is gone", |status| status["sources"][0]["state"] != json!("receiving"));
    assert_eq!(server.send(&event("t-2", "finished", json!({}))).status, 503);
}

#[test]
fn a_file_that_is_empty_for_a_moment_takes_no_rule_away() {
    let home = Home::with_rules(&writing("a.txt"));
    home.write(
        "rules/strays.yaml",
        "rules: [{name: strays, match: any, fallback: true, actions: [{log: {}}]}]",
    );
    let server = home.start();
    home.write("rules/rules.yaml", "");
    let status = server.wait_for("the refusal", |status| status["reload"]["ok"] == json!(false));
    assert_eq!(status["rules"], json!(["all", "strays"]));
    home.write("rules/rules.yaml", &writing("b.txt"));
    server.wait_for("the whole file", |status| status["reload"]["ok"] == json!(true));
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the rule acts", || home.lines("b.txt").first().cloned());
}

#[test]
fn under_load_no_request_fails_and_each_event_has_one_generation() {
    let home = Home::with_rules(&marked(0));
    let server = home.start();
    let stop = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let (server, stop) = (&server, &stop);
                scope.spawn(move || {
                    let mut sent = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let task = format!("t-{sender}-{}", sent.len());
                        server.accept(&event(&task, "finished", json!({})));
                        sent.push(task);
                    }
                    sent
                })
            })
            .collect();
        for version in 1..=10 {
            let before = server.status()["generation"].as_u64().expect("a generation");
            home.save("rules/rules.yaml", &marked(version));
            server.wait_for_generation(before);
        }
        stop.store(true, Ordering::Relaxed);
        senders.into_iter().flat_map(|sender| sender.join().expect("no request failed")).collect::<Vec<_>>()
    });
    // Each version has two rules, and one generation: an event routed by two generations, or by half
    // of one, would show it.
    let listed = home.ok(&["events", "--json", "--limit", "1000000"]);
    let mut versions = std::collections::BTreeMap::<u64, String>::new();
    let mut count = 0;
    for line in listed.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("a record is JSON");
        let rules: Vec<&str> =
            record["rules"].as_array().expect("a list").iter().filter_map(|rule| rule.as_str()).collect();
        let [a, b] = rules[..] else { panic!("not the two rules of one version: {record}") };
        let version = a.strip_suffix("-a").expect("the first of two");
        assert_eq!(b.strip_suffix("-b"), Some(version));
        let generation = record["generation"].as_u64().expect("a generation");
        assert_eq!(versions.entry(generation).or_insert_with(|| version.to_owned()), version);
        count += 1;
    }
    assert_eq!(count, sent.len());
    assert!(versions.len() > 3, "only {} generations routed anything", versions.len());
}

/// Two rules, whose names carry the version.
fn marked(version: usize) -> String {
    let rule = |half: &str| {
        format!("  - {{name: v{version}-{half}, match: any, actions: [{{log: {{level: debug}}}}]}}\n")
    };
    format!("rules:\n{}{}", rule("a"), rule("b"))
}
