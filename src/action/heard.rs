//! What the other side answered to an attempt, for the record.

use super::client::Answer;
use crate::delivery::Answered;
use std::sync::{Mutex, PoisonError};

/// Where an action leaves the answer that it got. Beside its verdict, not in it, so that the answer
/// is kept whatever becomes of the attempt afterwards.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Option<Answered>>);

impl Heard {
    /// Keeps an answer; the last one is the attempt's.
    pub fn keep(&self, answer: &Answer) {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let answered = Answered { status: answer.status.as_u16(), body, cut: answer.truncated };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
    }

    /// What was kept, secrets not yet taken out.
    pub fn take(&self) -> Option<Answered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
