//! Taking secrets out of texts that others wrote: error answers, library messages.

use crate::json::Json;
use crate::secret::Secret;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A shorter value would blot out ordinary words and protect nothing.
const MIN_CHARS: usize = 4;

/// `text` with each secret, also percent-encoded or escaped for JSON, replaced by its name.
pub(super) fn redact(text: &str, secrets: &[(Secret, String)]) -> String {
    let long = |(secret, _): &&(Secret, String)| secret.expose().chars().count() >= MIN_CHARS;
    secrets.iter().filter(long).fold(text.to_owned(), |text, (secret, name)| {
        spellings(secret.expose()).iter().fold(text, |text, spelling| text.replace(spelling, name))
    })
}

/// The ways in which a value may come back, the longest first.
fn spellings(value: &str) -> Vec<String> {
    let json = Json::from(value).to_string();
    let encoded = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let component = super::escape::Escape::Url.text(value);
    let form = component.replace("%20", "+");
    let lower = component.to_lowercase();
    let mut spellings =
        vec![value.to_owned(), json[1..json.len() - 1].to_owned(), encoded, component, form, lower];
    spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    spellings.dedup();
    spellings
}
