//! Values with units as they stand in YAML: `5s`, `1MiB`; and numbers that may come as text,
//! because a reference always yields text.

use crate::duration;
use crate::secret::Secret;
use serde::de::{Deserialize, Deserializer, Error};
use std::str::FromStr;
use std::time::Duration;

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text)
        .map_err(|error| D::Error::custom(format!("`{text}` is no duration such as 5s, 10m or 24h: {error}")))
}

pub(super) fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = scalar(deserializer)?;
    let size = bytesize::ByteSize::from_str(&text);
    size.map(|size| size.as_u64())
        .map_err(|_| D::Error::custom(format!("`{text}` is no size such as 512KiB, 1MiB or 10GiB")))
}

pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = scalar(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("`{text}` is no whole number")))
}

pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = number(deserializer)?;
    usize::try_from(number).map_err(|_| D::Error::custom(format!("{number} is too large")))
}

pub(super) fn optional_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    count(deserializer).map(Some)
}

pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

/// A text, or a number as its text.
fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Number(u64),
        Text(String),
    }
    match Scalar::deserialize(deserializer) {
        Ok(Scalar::Number(number)) => Ok(number.to_string()),
        Ok(Scalar::Text(text)) => Ok(text),
        Err(_) => Err(D::Error::custom("a whole number, or a size as text, is expected")),
    }
}
