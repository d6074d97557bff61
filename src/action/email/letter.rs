//! The mail itself: addresses read, headers and bodies encoded.
//!
//! Sources: RFC 5322 (messages), RFC 2045 to 2047 (MIME), RFC 3834 (automatic messages).

use crate::delivery::DeliveryId;
use crate::json::Json;
use lettre::address::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::{Message, address::Envelope};
use sha2::{Digest as _, Sha256};
use url::Host;

/// The parameters that name who gets the mail.
pub(super) const RECIPIENTS: [&str; 3] = ["to", "cc", "bcc"];
/// A server need not take more of one mail (RFC 5321 section 4.5.3.1.8).
const MAX_RECIPIENTS: usize = 100;
/// What is longer in a header is cut: no line may have more than 998 bytes, and one word is not
/// folded.
const MAX_HEADER_BYTES: usize = 500;

/// A mail, ready to be handed in.
pub(super) struct Letter {
    pub envelope: Envelope,
    pub bytes: Vec<u8>,
    /// Whether an address is more than ASCII; bodies and all other headers are encoded.
    pub utf8: bool,
}

/// Makes a mail of the parameters.
///
/// # Errors
/// What cannot be an address or a subject, with its parameter; nobody to write to.
pub(super) fn write(plain: &Json, id: &DeliveryId) -> Result<Letter, String> {
    let text = |name: &str| plain.get(name).and_then(Json::as_str);
    let from = named("from", mailbox(text("from").unwrap_or_default()))?;
    let message = Message::builder()
        .message_id(Some(message_id(id, from.email.domain())))
        .from(from)
        .subject(subject(text("subject").unwrap_or_default())?)
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    let message = addressed(message, plain)?;
    let message = match (text("text"), text("html")) {
        (Some(text), Some(html)) => message.multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, text))
                .singlepart(part(ContentType::TEXT_HTML, html)),
        ),
        (Some(text), None) => message.singlepart(part(ContentType::TEXT_PLAIN, text)),
        (None, Some(html)) => message.singlepart(part(ContentType::TEXT_HTML, html)),
        (None, None) => return Err("a mail without content: it has `text`, `html` or both".to_owned()),
    };
    let message = message.map_err(|error| format!("the mail cannot be written: {error}"))?;
    let (envelope, bytes) = (message.envelope().clone(), message.formatted());
    let more = |address: &Address| !address.to_string().is_ascii();
    let utf8 = !bytes.is_ascii() || envelope.to().iter().chain(envelope.from()).any(more);
    Ok(Letter { envelope, bytes, utf8 })
}

fn addressed(mut message: MessageBuilder, plain: &Json) -> Result<MessageBuilder, String> {
    let mut count = 0;
    for name in RECIPIENTS {
        for mailbox in mailboxes(name, plain)? {
            count += 1;
            message = match name {
                "to" => message.to(mailbox),
                "cc" => message.cc(mailbox),
                // It goes into the envelope, and not into the mail.
                _ => message.bcc(mailbox),
            };
        }
    }
    for mailbox in mailboxes("reply_to", plain)? {
        message = message.reply_to(mailbox);
    }
    match count {
        0 => Err("nobody is written to: `to`, `cc` and `bcc` are empty".to_owned()),
        1..=MAX_RECIPIENTS => Ok(message),
        _ => Err(format!("{count} addresses are written to, and one mail has at most {MAX_RECIPIENTS}")),
    }
}

/// The addresses of a parameter: one, or a list.
fn mailboxes(name: &str, plain: &Json) -> Result<Vec<Mailbox>, String> {
    let Some(value) = plain.get(name) else { return Ok(Vec::new()) };
    let items = value.as_array().unwrap_or(std::slice::from_ref(value));
    items.iter().map(|item| named(name, mailbox_of(item))).collect()
}

fn named<T>(name: &str, result: Result<T, String>) -> Result<T, String> {
    result.map_err(|error| format!("`{name}`: {error}"))
}

/// An item of a list of addresses.
pub(super) fn mailbox_of(value: &Json) -> Result<Mailbox, String> {
    let wrong = || format!("an address is a text like `ops@example.com`, not a {}", value.kind());
    mailbox(value.as_str().ok_or_else(wrong)?)
}

/// Reads `ops@example.com` or `Operations <ops@example.com>`. All that stands before the last `<`
/// is a name, whatever it looks like: what an event fills in there is no address.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    if text.contains(char::is_control) {
        return Err("an address would have control characters in it".to_owned());
    }
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (unquoted(name.trim()), address),
        None => (String::new(), text),
    };
    match read_address(address) {
        Some(address) => Ok(Mailbox::new((!name.is_empty()).then(|| cut(&name)), address)),
        None if text.contains(',') => Err(format!("{} is not one address: write a list", shown(text))),
        None => Err(format!("{} is no address like `ops@example.com`", shown(text))),
    }
}

/// A name of a domain in other scripts is taken in its ASCII form, which every server knows.
fn read_address(text: &str) -> Option<Address> {
    let (user, domain) = text.rsplit_once('@')?;
    if domain.is_ascii() {
        return Address::new(user, domain).ok();
    }
    match Host::parse(domain).ok()? {
        Host::Domain(domain) => Address::new(user, domain).ok(),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// `"Doe, Jane"` is the name `Doe, Jane`.
fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\""),
        None => name.to_owned(),
    }
}

/// # Errors
/// Control characters: a line break would begin another header.
pub(super) fn subject(text: &str) -> Result<String, String> {
    if text.contains(char::is_control) {
        return Err("`subject`: it would have line breaks or other control characters in it".to_owned());
    }
    Ok(cut(text))
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_HEADER_BYTES {
        return text.to_owned();
    }
    format!("{}…", beginning(text, MAX_HEADER_BYTES))
}

/// The first so many bytes, or a few less, of whole characters.
pub(super) fn beginning(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

fn shown(text: &str) -> String {
    Json::from(cut(text)).to_string()
}

fn part(ty: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(ty).body(body(text))
}

/// Lines end in CRLF and in nothing else: to some servers a bare CR or LF is an end, too, and what
/// follows would be another mail ("SMTP smuggling").
fn body(text: &str) -> Body {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(control) {
        return Body::new(text);
    }
    // By itself `Body` takes ASCII for 7bit text, NUL too, which no server takes.
    let encoded = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable);
    encoded.unwrap_or_else(Body::new)
}

/// The same over all attempts of a delivery, so that who gets a mail twice can tell: the
/// delivery's id, which has only characters that stand in a Message-ID.
fn message_id(id: &DeliveryId, domain: &str) -> String {
    let id = id.to_string();
    if id.len() > MAX_HEADER_BYTES {
        return format!("<{}@{domain}>", hex::encode(Sha256::digest(id)));
    }
    format!("<{id}@{domain}>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        let read = mailbox(text).expect(text);
        format!("{}|{}", read.name.unwrap_or_default(), read.email)
    }

    fn written(params: &str) -> Result<String, String> {
        let plain = crate::json::parse(params.as_bytes()).expect(params);
        let id = "evt_01JDFV3M4X0000000000000000~2/rule/action/email-1".parse().unwrap();
        write(&plain, &id).map(|letter| String::from_utf8(letter.bytes).unwrap())
    }

    #[test]
    fn an_address_is_bare_or_behind_a_name() {
        assert_eq!(read("ops@example.com"), "|ops@example.com");
        assert_eq!(read(" Ops Team <ops@example.com> "), "Ops Team|ops@example.com");
        assert_eq!(read("\"Doe, \\\"J\\\"\" <j@example.com>"), "Doe, \"J\"|j@example.com");
        assert_eq!(read("Müller, Jörg <j@bücher.example>"), "Müller, Jörg|j@xn--bcher-kva.example");
        assert_eq!(read("<a@[127.0.0.1]>"), "|a@[127.0.0.1]");
    }

    #[test]
    fn what_an_event_fills_into_a_name_is_no_address() {
        for name in ["evil@x.example", "<evil@x.example>", "a <evil@x.example>,", "\"", "a@b, c@d (", "\\"] {
            let read = mailbox(&format!("{name} <ops@example.com>")).expect(name);
            assert_eq!(read.email.to_string(), "ops@example.com", "{name}");
        }
        for local in ["evil@x.example ", "evil@x.example,a", "<evil@x.example>", "evil@x.example> <a", "a b"]
        {
            let read = mailbox(&format!("{local}@example.com"));
            assert!(read.is_err(), "{local}: {read:?}");
        }
    }

    #[test]
    fn what_is_not_one_address_is_refused() {
        for text in
            ["", "ops", "@example.com", "ops@", "a@b@c d", "a@exa mple", "<a@example.com", "a\0@x.example"]
        {
            assert!(mailbox(text).is_err(), "{text}");
        }
        assert!(mailbox("a@x.example, b@x.example").unwrap_err().ends_with("write a list"));
        assert!(mailbox("a@x.example\r\nBcc: b@x.example").unwrap_err().contains("control characters"));
    }

    #[test]
    fn a_mail_has_its_headers_and_both_bodies() {
        let mail = written(
            r#"{"from":"Hook <h@example.com>","to":["a@x.example","B <b@x.example>"],"cc":"c@x.example",
                "bcc":"d@x.example","reply_to":"r@x.example","subject":"Größe","text":"ö","html":"<b>ö</b>"}"#,
        )
        .unwrap();
        for line in [
            "Message-ID: <evt_01JDFV3M4X0000000000000000~2/rule/action/email-1@example.com>",
            "From: Hook <h@example.com>",
            "To: a@x.example, B <b@x.example>",
            "Cc: c@x.example",
            "Reply-To: r@x.example",
            "Subject: =?utf-8?b?R3LDtsOfZQ==?=",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(mail.lines().any(|found| found == line), "{line} in {mail}");
        }
        assert!(!mail.contains("d@x.example"), "{mail}");
        assert!(mail.contains("multipart/alternative") && mail.contains("\r\nDate: "), "{mail}");
    }

    #[test]
    fn nobody_and_everybody_get_no_mail() {
        let to = |to: &str| written(&format!(r#"{{"from":"h@x.example","to":{to},"subject":"","text":""}}"#));
        assert!(to("[]").unwrap_err().contains("nobody"));
        let many = vec![r#""a@x.example""#; MAX_RECIPIENTS + 1].join(",");
        assert!(to(&format!("[{many}]")).unwrap_err().contains("at most 100"));
        assert!(to("[5]").unwrap_err().starts_with("`to`: an address is a text"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever an event says: lines of at most 998 bytes, ended by CRLF only, no header more,
        /// no line that is a dot alone.
        #[test]
        fn no_text_breaks_out_of_its_place(
            subject in "\\PC{0,900}", name in "\\PC{0,900}",
            text in "(\\PC|[\r\n\0.]|\r\n\\.\r\n){0,300}", html in "(\\PC|[\r\n.]){0,100}",
        ) {
            let plain = Json::object([
                ("from", Json::from(format!("{name} <h@x.example>"))),
                ("to", "a@x.example".into()),
                ("subject", subject.into()),
                ("text", text.into()),
                ("html", html.into()),
            ]);
            let id = "evt_01JDFV3M4X0000000000000000/rule/action".parse().unwrap();
            let bytes = write(&plain, &id).unwrap().bytes;
            let mail = std::str::from_utf8(&bytes).unwrap();
            prop_assert!(mail.is_ascii() && !mail.contains('\0'));
            prop_assert!(!mail.replace("\r\n", "").contains(['\r', '\n']));
            prop_assert!(mail.split("\r\n").all(|line| line.len() <= 998));
            let (head, _) = mail.split_once("\r\n\r\n").unwrap();
            let names: Vec<_> = head
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split_once(':').map(|(name, _)| name))
                .collect();
            let known = ["Message-ID", "From", "Subject", "Auto-Submitted", "To", "MIME-Version", "Date", "Content-Type"];
            prop_assert!(names.iter().all(|name| name.is_some_and(|name| known.contains(&name))), "{head}");
        }
    }
}
