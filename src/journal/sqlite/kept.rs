//! An event as its row has it: the request that it is made of, or its document.

use super::codec;
use crate::event::{Event, EventId};
use crate::headers::Headers;
use crate::journal::JournalError;
use crate::json::{self, Json};
use crate::source::{self, Request};
use bytes::Bytes;
use rusqlite::{Result, Row};

/// The columns of [`Kept`], of `events e`, to be put together with the rest of a statement.
macro_rules! columns {
    () => {
        "e.id, e.source, e.received, e.preset, e.document, e.headers, e.body"
    };
}
pub(super) use columns;

/// How many they are.
pub const COUNT: usize = 7;

/// What an event's row has of it.
pub struct Kept {
    pub id: EventId,
    pub received: i64,
    pub headers: Headers,
    pub body: Bytes,
    source: String,
    /// Whose document follows from the rest; then it is empty here.
    preset: Option<String>,
    document: String,
}

impl Kept {
    /// Reads [`columns`], of which the first is that of this number.
    pub fn read(row: &Row<'_>, first: usize) -> Result<Self> {
        Ok(Self {
            id: codec::event_id(row.get(first)?),
            source: row.get(first + 1)?,
            received: row.get(first + 2)?,
            preset: row.get(first + 3)?,
            document: row.get(first + 4)?,
            headers: Headers::from_bytes(row.get::<_, Vec<u8>>(first + 5)?),
            body: row.get::<_, Vec<u8>>(first + 6)?.into(),
        })
    }

    /// What it takes in memory with its event, in bytes of text.
    pub fn bytes(&self) -> usize {
        let request = self.body.len() + self.headers.as_bytes().len();
        request + if self.preset.is_some() { request } else { self.document.len() }
    }

    /// The event, exactly as it was.
    ///
    /// # Errors
    /// [`JournalError::Unusable`] if it cannot be made: the file was changed from outside.
    pub fn event(&self) -> std::result::Result<Event, JournalError> {
        let Self { id, headers, source, .. } = self;
        let made = match &self.preset {
            Some(preset) => {
                let received_at = codec::time(self.received);
                source::read_back(preset, &Request { source, id: *id, received_at, headers }, &self.body)
            }
            None => match json::parse(self.document.as_bytes()) {
                Ok(Json::Object(document)) => Ok(Event::new(*id, document)),
                Ok(other) => Err(format!("it is a {}", other.kind())),
                Err(error) => Err(error.to_string()),
            },
        };
        made.map_err(|why| JournalError::Unusable(format!("the stored event {id} cannot be read: {why}")))
    }
}
