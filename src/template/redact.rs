//! Taking secrets out of texts that others wrote: error answers, library messages.

use super::escape::Escape;
use crate::json::Json;
use crate::secret::Secret;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A shorter value would blot out ordinary words and protect nothing.
const MIN_CHARS: usize = 4;

/// `text` with each secret replaced by its name: as it is, percent-encoded, escaped for JSON, in
/// base64 (also within a longer text, as in basic authentication), with its line breaks folded.
/// The beginning of one at the end of `text`, where an answer was cut, goes too.
pub(crate) fn redact(text: &str, secrets: &[(Secret, String)]) -> String {
    let mut text = text.to_owned();
    for (secret, name) in secrets {
        let value = secret.expose();
        // No spelling is much shorter than the value, and most texts are: `200 OK`.
        if value.chars().count() < MIN_CHARS || text.len() * 2 < value.len() {
            continue;
        }
        for spelling in spellings(value) {
            text = text.replace(&spelling, name);
            cut_beginning(&mut text, &spelling, name);
        }
    }
    text
}

/// Replaces the beginning of `spelling` at the very end of `text`.
fn cut_beginning(text: &mut String, spelling: &str, name: &str) {
    let beginnings = spelling.char_indices().map(|(at, _)| &spelling[..at]).skip(MIN_CHARS);
    let cut = beginnings.filter(|beginning| text.ends_with(beginning)).last();
    if let Some(beginning) = cut {
        text.truncate(text.len() - beginning.len());
        text.push_str(name);
    }
}

/// The ways in which a value may come back, the longest first.
fn spellings(value: &str) -> Vec<String> {
    let json = Json::from(value).to_string();
    let encoded = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let component = Escape::Url.text(value);
    let form = component.replace("%20", "+");
    let lower = lower_escapes(&component);
    let folded = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut spellings =
        vec![value.to_owned(), json[1..json.len() - 1].to_owned(), encoded, component, form, lower, folded];
    spellings.extend(base64_cores(value));
    spellings.retain(|spelling| spelling.chars().count() >= MIN_CHARS);
    spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    spellings.dedup();
    spellings
}

/// Percent-encoding with lower-case digits: `%2f`.
fn lower_escapes(component: &str) -> String {
    let mut rest = 0;
    let lower = |c: char| {
        rest = if c == '%' { 3 } else { usize::saturating_sub(rest, 1) };
        if rest > 0 { c.to_ascii_lowercase() } else { c }
    };
    component.chars().map(lower).collect()
}

/// What is the same in the base64 of every text that holds `value`, for each of the three places
/// where it may begin in a group of three bytes.
fn base64_cores(value: &str) -> impl Iterator<Item = String> {
    /// Fewer characters could stand in an ordinary word.
    const MIN_CORE: usize = 8;
    let core = |engine: &base64::engine::GeneralPurpose, before: usize| {
        let bytes = [&[0; 2][..before], value.as_bytes()].concat();
        let text = engine.encode(&bytes);
        // A character holds six bits; those at the edges also hold bits of the neighbours.
        let (begin, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        text.get(begin..end).unwrap_or_default().to_owned()
    };
    let engines = [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD];
    let cores: Vec<String> =
        engines.iter().flat_map(|engine| (0..3).map(|before| core(engine, before))).collect();
    cores.into_iter().filter(|core| core.len() >= MIN_CORE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_STANDARD;

    const VALUE: &str = "s3cr/t \"Vä lue\" 9";

    fn redacted(text: &str) -> String {
        redact(text, &[(Secret::new(VALUE), "${KEY}".to_owned())])
    }

    #[test]
    fn every_spelling_of_a_secret_is_its_name() {
        let json = Json::from(VALUE).to_string();
        let component = Escape::Url.text(VALUE);
        for spelling in [VALUE, &json[1..json.len() - 1], &component, &component.replace("%20", "+")] {
            assert_eq!(redacted(&format!("no: {spelling}!")), "no: ${KEY}!", "{spelling}");
        }
        assert_eq!(redacted("at %x s3cr%2ft%20%22V%c3%a4%20lue%22%209"), "at %x ${KEY}");
        assert_eq!(redacted("nothing secret here"), "nothing secret here");
    }

    #[test]
    fn base64_hides_no_secret_wherever_it_begins() {
        for user in ["", "u", "us", "use", "user:"] {
            let encoded = BASE64_STANDARD.encode(format!("{user}{VALUE}"));
            let shown = redacted(&format!("Basic {encoded} is wrong"));
            assert!(shown.contains("${KEY}") && shown.len() < 40, "{user}: {shown}");
        }
    }

    #[test]
    fn a_secret_that_is_cut_or_folded_onto_one_line_is_found() {
        assert_eq!(redacted("echo: s3cr/t \"V"), "echo: ${KEY}");
        assert_eq!(redacted("echo: s3c"), "echo: s3c");
        let pem = [(Secret::new("-----BEGIN\nabc\n-----END\n"), "${PEM}".to_owned())];
        assert_eq!(redact("got -----BEGIN abc -----END", &pem), "got ${PEM}");
    }
}
