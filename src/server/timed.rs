//! A stream that gives up on a client which is too slow for the phase its connection is in.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Waiting for a request's first byte.
const WAITING: u8 = 0;
/// From the first byte to the end of the header. Mostly that comes with the first byte, so the limit is
/// only set when there is more to wait for.
const HEADER: u8 = 1;
/// From there until the answer is over. Its limits are the handler's, and that of a client that does
/// not take it.
const HANDLING: u8 = 2;
/// The answer is over, and the wait for the next request begins as soon as it is flushed.
const ANSWERED: u8 = 3;

/// The phase of a connection, shared between its stream and its service. Both run in one task, so
/// no order between threads is needed.
#[derive(Clone)]
pub(super) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// A request's header is complete.
    pub(super) fn handling(&self) {
        self.set(HANDLING);
    }

    /// Its answer is all taken.
    pub(super) fn answered(&self) {
        self.set(ANSWERED);
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
    }
}

/// A stream whose reads and writes fail with `TimedOut` when the client is too slow.
pub(super) struct Timed<T> {
    inner: T,
    phase: Phase,
    header_timeout: Duration,
    idle_timeout: Duration,
    /// Ends the phase `WAITING` or `HEADER`, once it is set for it.
    read_limit: Pin<Box<Sleep>>,
    is_limited: bool,
    /// Runs while the client does not take what is written.
    write_limit: Option<Pin<Box<Sleep>>>,
}

impl<T> Timed<T> {
    /// A new connection: its first byte has to come within `header_timeout`.
    pub(super) fn new(inner: T, header_timeout: Duration, idle_timeout: Duration) -> Self {
        Self {
            inner,
            phase: Phase(Arc::new(AtomicU8::new(WAITING))),
            header_timeout,
            idle_timeout,
            read_limit: Box::pin(tokio::time::sleep(header_timeout)),
            // The first byte of a connection has the time of a header, not that of a rest.
            is_limited: true,
            write_limit: None,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.clone()
    }

    fn enter(&mut self, phase: u8) {
        self.phase.set(phase);
        self.is_limited = false;
    }

    /// Pending, or the end of the client's time for the phase that the connection is in.
    fn read_limit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limit = match self.phase.get() {
            WAITING => self.idle_timeout,
            HEADER => self.header_timeout,
            _ => return Poll::Pending,
        };
        if !self.is_limited {
            self.read_limit.as_mut().reset(Instant::now() + limit);
            self.is_limited = true;
        }
        self.read_limit.as_mut().poll(cx).map(|()| Err(timed_out("no whole header came in time")))
    }

    /// What a write came to, or the end of the client's time.
    fn or_write_limit<R>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.write_limit = None;
            return written;
        }
        let idle = self.idle_timeout;
        let limit = self.write_limit.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        limit.as_mut().poll(cx).map(|()| Err(timed_out("the client does not take its answer")))
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<T: AsyncRead + Unpin> AsyncRead for Timed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        let came = buf.filled().len() > before;
        if came && matches!(self.phase.get(), WAITING | ANSWERED) {
            self.enter(HEADER);
        }
        if read.is_ready() { read } else { self.read_limit(cx) }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Timed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.or_write_limit(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.or_write_limit(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        if flushed.is_ready() && self.phase.get() == ANSWERED {
            self.enter(WAITING);
            // To be woken: nothing may be read before something comes.
            let _ = self.read_limit(cx);
        }
        self.or_write_limit(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_client_that_does_not_take_its_answer_is_given_up() {
        let (ours, mut theirs) = duplex(16);
        let mut stream = Timed::new(ours, SHORT, SHORT);
        stream.write_all(&[b'x'; 16]).await.unwrap();
        theirs.read_exact(&mut [0; 16]).await.unwrap();
        let error = stream.write_all(&[b'x'; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn only_the_handler_may_take_its_time() {
        let (ours, mut theirs) = duplex(16);
        let mut stream = Timed::new(ours, SHORT, SHORT);
        theirs.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap();
        stream.phase().handling();
        assert!(tokio::time::timeout(SHORT * 3, stream.read_u8()).await.is_err(), "it timed out by itself");
        stream.phase().answered();
        stream.flush().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
