//! Mails to a server on a real socket, in parameters as in YAML.

mod kit;

use super::*;
use crate::action::tests::{attempt, build, context, errors, json};
use crate::action::{Client, Consent};
use crate::json::Object;
use kit::{MailServer, Nature};

/// The parameters of a mail, with more or others.
fn params(server: &str, more: &str) -> Json {
    let usual = format!(
        r#"{{"server":"{server}","from":"Hook <hook@example.com>","to":"ops@example.com","subject":"s","text":"t"}}"#
    );
    let (Json::Object(mut all), Json::Object(more)) = (json(&usual), json(more)) else {
        panic!("parameters are maps")
    };
    more.into_iter().for_each(|(key, value)| drop(all.insert(key, value)));
    Json::Object(
        all.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k, v.clone())).collect::<Object>(),
    )
}

/// The action as it is built, but trusting a certificate.
fn trusting(certificate: &[u8]) -> Email {
    let root = Certificate::from_der(certificate.to_vec()).unwrap();
    Email { egress: Arc::clone(Client::new(Egress::default()).egress()), roots: vec![root] }
}

async fn deliver_as(action: &dyn Action, params: &Json, consent: Consent) -> Result<String, ActionError> {
    let (params, _) = build("email", params, &context()).unwrap();
    let attempt = Attempt { consent, ..attempt(&params) };
    action.deliver(&attempt).await.map(|receipt| attempt.params.redact(&receipt.line))
}

/// Delivers once over an unencrypted connection.
async fn deliver(server: &MailServer, more: &str) -> Result<String, ActionError> {
    let url = format!("smtp+plain://{}", server.address);
    let (_, action) = build("email", &params(&url, "{}"), &context()).unwrap();
    deliver_as(&*action, &params(&url, more), Consent::Author).await
}

#[tokio::test]
async fn a_mail_is_handed_in_and_the_answer_is_the_receipt() {
    let server = MailServer::start(Nature::default()).await;
    let more = r#"{"to":["a@x.example","B <b@x.example>"],"cc":"c@x.example","bcc":["d@x.example"],
                   "subject":"Prüfung {{ payload.n }}: ☃","text":"naïve ☃ {{ status }}"}"#;
    assert_eq!(deliver(&server, more).await.unwrap(), "250 2.0.0 queued as 42");
    let heard = &server.heard;
    assert_eq!(heard.told("MAIL "), ["FROM:<hook@example.com>"]);
    assert_eq!(heard.told("RCPT TO:"), ["<a@x.example>", "<b@x.example>", "<c@x.example>", "<d@x.example>"]);
    let mail = heard.mail().join("\n");
    assert!(mail.contains("To: a@x.example, B <b@x.example>\nCc: c@x.example\n"), "{mail}");
    assert!(
        mail.contains("Message-ID: <evt_01JDFV3M4X0000000000000000/rule/action@example.com>\n"),
        "{mail}"
    );
    assert!(mail.contains("Subject: =?utf-8?b?UHLDvGZ1bmc=?= 1.50: =?utf-8?b?4piD?=\n"), "{mail}");
    assert!(mail.contains("na=C3=AFve =E2=98=83 finished"), "{mail}");
    assert!(!mail.contains("d@x.example"), "nobody sees `bcc`: {mail}");
    assert_eq!(heard.lines().last().map(String::as_str), Some("QUIT"));
}

#[tokio::test]
async fn a_text_never_ends_the_mail_or_begins_another() {
    let server = MailServer::start(Nature::default()).await;
    let text = r#"first\r\n.\r\nMAIL FROM:<evil@x.example>\n.\n\r.\r..two\u0000"#;
    deliver(&server, &format!(r#"{{"text":"{text}"}}"#)).await.unwrap();
    assert_eq!(server.heard.told("MAIL FROM:<hook").len(), 1);
    let mail = server.heard.mail();
    let body: Vec<_> = mail.iter().skip_while(|line| !line.is_empty()).skip(1).collect();
    assert_eq!(body[..6], ["first", ".", "MAIL FROM:<evil@x.example>", ".", "", "."]);
    assert_eq!(body[6..], ["..two=00", ""]);
}

#[tokio::test]
async fn what_an_event_says_makes_no_header_and_no_markup() {
    let server = MailServer::start(Nature::default()).await;
    for name in ["subject", "from", "to", "cc", "bcc", "reply_to"] {
        let more = format!(r#"{{"{name}":"{{{{ payload.evil }}}} <a@x.example>"}}"#);
        let refused = deliver(&server, &more).await;
        assert!(
            matches!(&refused, Err(ActionError::Blocked(error)) if error.contains("control") && error.contains(name)),
            "{name}: {refused:?}"
        );
    }
    assert_eq!(server.heard.lines(), [""; 0], "nothing was sent");
    let more = r#"{"text":null,"html":"<b title='{{ payload.evil }}'>{{ '<i>' | safe }}{{ \"'\" }}{{ payload.evil }}"}"#;
    deliver(&server, more).await.unwrap();
    let mail = server.heard.mail().join("\n").replace("=\n", "").replace("=3D", "=").replace("=0D", "");
    assert!(mail.contains("<b title='${KEY} {{ vars.key }} &lt;!channel&gt;"), "{mail}");
    assert!(mail.contains("'><i>&#39;${KEY}"), "{mail}");
}

#[tokio::test]
async fn answers_decide_what_becomes_of_a_delivery() {
    for (command, answer, expected) in [
        ("hello", "421 later", "down: 421 from 127.0.0.1: later"),
        ("hello", "554 no service", "down: 554 from 127.0.0.1: no service"),
        ("EHLO", "550 who", "down: 550 from 127.0.0.1: who"),
        ("MAIL", "550 no such sender", "dead: 550 from 127.0.0.1: no such sender"),
        ("MAIL", "421 closing", "down: 421 from 127.0.0.1: closing"),
        ("MAIL", "451 later", "retry: 451 from 127.0.0.1: later"),
        ("RCPT", "450 mailbox busy", "retry: 450 from 127.0.0.1: mailbox busy"),
        ("RCPT", "550-5.1.1 no\r\n550 such user", "dead: 550 from 127.0.0.1: 5.1.1 no such user"),
        ("DATA", "554 no", "dead: 554 from 127.0.0.1: no"),
        (".", "552 too large", "dead: 552 from 127.0.0.1: too large"),
        (".", "452 full", "retry: 452 from 127.0.0.1: full"),
        (".", "gibberish", "down: the connection broke to 127.0.0.1"),
    ] {
        let server = MailServer::start(Nature::default().answering(command, answer)).await;
        let shown = match deliver(&server, r#"{"to":["a@x.example","b@x.example"]}"#).await.unwrap_err() {
            ActionError::Retry { error, after: None } => format!("retry: {error}"),
            ActionError::Down(error) => format!("down: {error}"),
            ActionError::Refused(error) => format!("dead: {error}"),
            other => panic!("{command}: {other:?}"),
        };
        assert!(shown.starts_with(expected), "{command}: {shown}");
        assert_eq!(server.heard.told("<end of mail>").len(), usize::from(command == "."), "{command}");
    }
    for answer in ["530 5.7.0 authentication required", "535 no", "538 encryption required"] {
        let server = MailServer::start(Nature::default().answering("MAIL", answer)).await;
        let error = deliver(&server, "{}").await.unwrap_err();
        assert!(matches!(&error, ActionError::Blocked(error) if error.contains("`auth`")), "{error:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_no_end() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("smtp+plain://{gone}");
    let (_, action) = build("email", &params(&url, "{}"), &context()).unwrap();
    let error = deliver_as(&*action, &params(&url, "{}"), Consent::Author).await.unwrap_err();
    assert!(
        matches!(&error, ActionError::Down(error) if error.starts_with("cannot connect to 127.0.0.1: ")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_goodbye_that_fails_takes_nothing_from_the_verdict() {
    for (dot, expected) in [("250 fine", true), ("550 spam", false)] {
        let nature = Nature::default().answering(".", dot).answering("QUIT", "500 what");
        let server = MailServer::start(nature).await;
        let sent = deliver(&server, "{}").await;
        assert_eq!(sent.is_ok(), expected, "{sent:?}");
        assert!(expected || matches!(sent, Err(ActionError::Refused(_))), "{sent:?}");
    }
}

#[tokio::test]
async fn a_dropped_attempt_hangs_up_on_a_silent_server() {
    let mut server = MailServer::start(Nature::default().answering("MAIL", "")).await;
    {
        let mut attempt = Box::pin(deliver(&server, "{}"));
        while server.heard.told("MAIL ").is_empty() {
            assert!(futures_util::poll!(&mut attempt).is_pending(), "nothing was answered yet");
            tokio::task::yield_now().await;
        }
    }
    server.ended.recv().await.expect("the connection has ended");
}

const AUTH: &str = r#"{"auth":{"user":"hook","password":"${KEY}"}}"#;
/// `\0hook\0s3cr3t` in base64.
const PLAIN: &str = "PLAIN AGhvb2sAczNjcjN0";

#[tokio::test]
async fn a_password_goes_over_tls_of_either_sort() {
    for (scheme, implicit_tls) in [("smtps", true), ("smtp", false)] {
        let nature = Nature { implicit_tls, ..Nature::with(&["STARTTLS", "AUTH PLAIN LOGIN"]) };
        let server = MailServer::start(nature).await;
        let params = params(&format!("{scheme}://localhost:{}", server.address.port()), AUTH);
        let action = trusting(&server.certificate);
        let sent = deliver_as(&action, &params, Consent::Author).await;
        assert_eq!(sent.unwrap(), "250 2.0.0 queued as 42", "{scheme}");
        let lines = server.heard.lines();
        let at = |wanted: &str| lines.iter().position(|line| line.contains(wanted));
        assert!(at(PLAIN) > at("<encrypted>"), "{scheme}: {lines:?}");
        assert_eq!(at("<encrypted>").is_some(), !implicit_tls, "{lines:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_or_of_another_name_is_refused() {
    for (scheme, implicit_tls) in [("smtps", true), ("smtp", false)] {
        let nature = Nature { implicit_tls, ..Nature::with(&["STARTTLS", "AUTH PLAIN"]) };
        let server = MailServer::start(nature).await;
        let url = |host: &str| params(&format!("{scheme}://{host}:{}", server.address.port()), AUTH);
        let (_, untrusting) = build("email", &url("localhost"), &context()).unwrap();
        let unknown = deliver_as(&*untrusting, &url("localhost"), Consent::Author).await;
        let trusting = trusting(&server.certificate);
        let other_name = deliver_as(&trusting, &url("127.0.0.1"), Consent::Author).await;
        for refused in [unknown, other_name] {
            assert!(
                matches!(&refused, Err(ActionError::Down(error)) if error.contains("certificate")),
                "{scheme}: {refused:?}"
            );
        }
        assert!(server.heard.told("AUTH").is_empty() && server.heard.told("MAIL").is_empty());
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let server = MailServer::start(Nature::with(&["AUTH PLAIN"])).await;
    let params = params(&format!("smtp://localhost:{}", server.address.port()), AUTH);
    let action = trusting(&server.certificate);
    let refused = deliver_as(&action, &params, Consent::Author).await;
    assert!(
        matches!(&refused, Err(ActionError::Blocked(error)) if error.contains("`smtps://`")),
        "{refused:?}"
    );
    let lines = server.heard.lines();
    assert!(lines.iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{lines:?}");
}

#[tokio::test]
async fn credentials_that_are_refused_are_the_authors_to_mend_and_never_shown() {
    for (extensions, answer, blocked) in [
        ("AUTH PLAIN", "535 no: s3cr3t is wrong, so is AGhvb2sAczNjcjN0", true),
        ("AUTH PLAIN", "454 later", false),
        ("AUTH CRAM-MD5", "", true),
        ("HELP", "", true),
    ] {
        let nature = Nature { implicit_tls: true, ..Nature::with(&[extensions]).answering("AUTH", answer) };
        let server = MailServer::start(nature).await;
        let params = params(&format!("smtps://localhost:{}", server.address.port()), AUTH);
        let (compiled, _) = build("email", &params, &context()).unwrap();
        let attempt = attempt(&compiled);
        let error = trusting(&server.certificate).deliver(&attempt).await.unwrap_err();
        assert_eq!(matches!(error, ActionError::Blocked(_)), blocked, "{answer}: {error:?}");
        let shown = attempt.params.redact(&error.to_string());
        assert!(!shown.contains("s3cr3t") && !shown.contains("czNjcjN0"), "{shown}");
        assert!(!answer.starts_with("535") || shown.contains("${KEY} is wrong"), "{shown}");
        assert!(!format!("{:?}", attempt.params).contains("s3cr3t"));
        assert!(server.heard.told("MAIL").is_empty());
    }
}

#[tokio::test]
async fn an_address_in_other_scripts_wants_a_server_that_takes_it() {
    for (extensions, taken) in [(&[][..], false), (&["SMTPUTF8", "8BITMIME"][..], true)] {
        let server = MailServer::start(Nature::with(extensions)).await;
        let sent = deliver(&server, r#"{"to":[],"bcc":"jörg@bücher.example"}"#).await;
        assert_eq!(sent.is_ok(), taken, "{sent:?}");
        assert!(taken || matches!(sent, Err(ActionError::Refused(_))), "{sent:?}");
        let told = server.heard.told("RCPT TO:");
        assert_eq!(told, if taken { vec!["<jörg@xn--bcher-kva.example>"] } else { vec![] });
        assert!(!taken || server.heard.told("MAIL ")[0].ends_with("SMTPUTF8 BODY=8BITMIME"));
    }
}

#[tokio::test]
async fn a_server_that_a_script_chose_is_guarded() {
    let server = MailServer::start(Nature::default()).await;
    let port = server.address.port();
    let send = async |host: &str, consented: &[String], allow: &[&str]| {
        let allow = Json::Array(allow.iter().map(|net| Json::from(*net)).collect());
        let egress = crate::registry::parse::<Egress>(&Json::object([("allow", allow)])).unwrap();
        let params = params(&format!("smtp+plain://{host}:{port}"), "{}");
        let (_, action) = build("email", &params, &Context::new(egress, "unused")).unwrap();
        deliver_as(&*action, &params, Consent::Hosts(Arc::new(consented.iter().cloned().collect()))).await
    };
    for host in ["127.0.0.1", "LOCALHOST", "[::ffff:127.0.0.1]", "0x7f.1", "0.0.0.0"] {
        let refused = send(host, &["127.0.0.1:1".to_owned()], &[]).await;
        assert!(
            matches!(&refused, Err(ActionError::Blocked(error)) if error.contains("egress.allow")),
            "{host}: {refused:?}"
        );
    }
    assert!(send("127.0.0.1", &[format!("127.0.0.1:{port}")], &[]).await.is_ok());
    assert!(send("LocalHost.", &[format!("localhost:{port}")], &[]).await.is_ok());
    assert!(send("127.0.0.1", &[], &["127.0.0.0/8"]).await.is_ok());
    assert!(send("localhost", &[], &["localhost"]).await.is_ok());
    let always = send("169.254.169.254", &[format!("169.254.169.254:{port}")], &["0.0.0.0/0"]).await;
    assert!(matches!(always, Err(ActionError::Blocked(_))), "{always:?}");
}

#[test]
fn a_mail_server_in_vars_or_parameters_is_the_authors_consent() {
    let vars = json(
        r#"{"a":"smtps://Smtp.Example","b":"smtp://mail.internal:2525","c":"smtp+plain://10.0.0.1","d":"ftp://x"}"#,
    );
    let vars = crate::template::Vars::compile(&vars).unwrap();
    let hosts: Vec<_> = vars.hosts(&crate::secret::Placeholders).into_iter().collect();
    assert_eq!(hosts, ["10.0.0.1:25", "mail.internal:2525", "smtp.example:465"]);
}

#[test]
fn whatever_is_literal_is_checked_when_it_is_built() {
    for (more, expected) in [
        (r#"{"server":"https://smtp.example"}"#, "/server "),
        (r#"{"server":"{{ payload.n }}"}"#, "/server an event must not choose the host"),
        (r#"{"server":"smtps://{{ payload.n }}.example/"}"#, "/server an event must not choose the host"),
        (r#"{"server":"smtps://smtp.example/x"}"#, "/server "),
        (r#"{"from":"nobody"}"#, "/from "),
        (r#"{"to":["a@x.example",5]}"#, "/to/1 an address is a text"),
        (r#"{"to":{"a":1}}"#, "/to an address is a text"),
        (r#"{"to":"a@x.example, b@x.example"}"#, "/to "),
        (r#"{"cc":["{{ payload.n }}","b@"]}"#, "/cc/1 "),
        (r#"{"reply_to":"x"}"#, "/reply_to "),
        (r#"{"subject":"a\nb"}"#, "/subject "),
        (r#"{"text":null}"#, " a mail without content"),
        (r#"{"auth":{"user":"x"}}"#, "/auth `auth` has no `password`"),
        (r#"{"auth":{"user":"x","pasword":"y"}}"#, "/auth/pasword there is no `pasword`"),
        (r#"{"server":"smtp+plain://localhost","auth":{"user":"x","password":"y"}}"#, "/auth a password"),
        (r#"{"subject":null}"#, " `subject` is missing"),
    ] {
        let params = params("smtps://smtp.example", more).to_string();
        let errors = errors("email", &params);
        assert!(errors.iter().any(|error| error.starts_with(expected)), "{more}: {errors:?}");
    }
    let hidden =
        r#"{"server":"${SERVER}","auth":"{{ vars.key }}","to":["{{ payload.n }}"],"html":"{{ status }}"}"#;
    assert_eq!(errors("email", &params("smtps://x.example", hidden).to_string()), [""; 0]);
}
