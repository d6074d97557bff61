//! The body of an answer, which tells its connection when it is over.

use super::timed::Phase;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// While it lasts, nothing is expected of the client: an answer may go on for ever.
pub(super) struct Answered<B> {
    body: B,
    phase: Phase,
}

impl<B> Answered<B> {
    pub(super) fn new(body: B, phase: Phase) -> Self {
        Self { body, phase }
    }
}

impl<B: Body + Unpin> Body for Answered<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// hyper drops it when it has taken all of it, or when the client is gone.
impl<B> Drop for Answered<B> {
    fn drop(&mut self) {
        self.phase.answered();
    }
}
