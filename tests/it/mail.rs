//! The `email` action through the real program.

use crate::support::mail::MailServer;
use crate::support::{Home, event, eventually};
use serde_json::{Value, json};

#[test]
fn a_mail_is_sent_again_under_one_id_and_shows_no_secret() {
    let server = MailServer::start(&["451 try later, tok-5ecret"]);
    let home = Home::with_rules(&format!(
        "
retry: {{first: 20ms}}
rules:
  - name: tell
    match: any
    actions:
      - email:
          server: 'smtp+plain://{}'
          from: Hook <hook@example.com>
          to: [ops@example.com]
          bcc: audit@example.com
          subject: 'Task {{{{ payload.task_id }}}}'
          text: 'Key ${{API_TOKEN}}'
          html: '<p>{{{{ payload.task_id }}}}</p>'
",
        server.address
    ));
    let mut command = home.command(&["serve"]);
    command.env("API_TOKEN", "tok-5ecret");
    let hookyard = home.start_as(command);
    let id = hookyard.accept(&event("<t-1>", "finished", json!({})));

    let mails = server.wait_for(2);
    for mail in &mails {
        let message_id = format!("Message-ID: <{id}/tell/email@example.com>");
        for line in [
            "MAIL FROM:<hook@example.com>",
            "RCPT TO:<ops@example.com>",
            "RCPT TO:<audit@example.com>",
            &message_id,
            "Subject: Task <t-1>",
            "Key tok-5ecret",
            "<p>&lt;t-1&gt;</p>",
        ] {
            assert!(mail.lines().any(|found| found == line), "{line} in {mail}");
        }
    }
    let shown = eventually("the delivery", || {
        let shown = home.ok(&["events", &id, "--json"]);
        let event: Value = serde_json::from_str(&shown).expect("JSON");
        (event["deliveries"][0]["state"] == json!("delivered")).then_some(shown)
    });
    assert!(shown.contains("451 from 127.0.0.1: try later, ${API_TOKEN}"), "{shown}");
    assert!(shown.contains("250 queued"), "{shown}");
    assert!(!(shown + &hookyard.log()).contains("tok-5ecret"), "the secret is shown");
}
