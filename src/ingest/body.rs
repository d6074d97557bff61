//! Reading a body: capped in size and time, and counted against what all bodies may take.

use super::HookLimits;
use super::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What a request takes besides its body, in bytes: its header, its event, its place.
const OVERHEAD_BYTES: usize = 4096;

/// A body in memory. Its room is given back when this is dropped.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// Reads a whole body, chunked or not.
///
/// # Errors
/// It is too large (then the rest is read and dropped, within bounds, so that the client gets to
/// see the answer), too slow or broken, or there is no room.
pub(super) async fn read(
    mut body: Incoming,
    limits: HookLimits,
    in_flight: &Arc<Semaphore>,
) -> Result<Held, Refusal> {
    let limit_bytes = limits.body_bytes;
    let reading = async {
        let mut room: Option<OwnedSemaphorePermit> = None;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = next(&mut body).await {
            let chunk = chunk?;
            if bytes.len() + chunk.len() > limit_bytes {
                drop((bytes, room));
                drain(&mut body, limit_bytes).await;
                return Err(Refusal::TooLarge { limit_bytes });
            }
            match &mut room {
                Some(room) => room.merge(claim(in_flight, chunk.len())?),
                None => room = Some(claim(in_flight, OVERHEAD_BYTES + chunk.len())?),
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Held { bytes: bytes.freeze(), _room: room })
    };
    timeout(limits.body_timeout, reading).await.unwrap_or(Err(Refusal::Slow))
}

/// Reads and drops what comes of a body, up to its limit in bytes and time.
pub(super) async fn discard(mut body: Incoming, limits: HookLimits) {
    // Too slow or broken: then the answer goes out without the rest having been read.
    let _ = timeout(limits.body_timeout, drain(&mut body, limits.body_bytes)).await;
}

async fn drain(body: &mut Incoming, mut limit_bytes: usize) {
    while let Some(Ok(chunk)) = next(body).await {
        let Some(left) = limit_bytes.checked_sub(chunk.len()) else { return };
        limit_bytes = left;
    }
}

/// The next bytes; trailers are none.
async fn next(body: &mut Incoming) -> Option<Result<Bytes, Refusal>> {
    let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()).map_err(|error| broken(&error)))
}

fn claim(in_flight: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let bytes = u32::try_from(bytes).map_err(|_| Refusal::Overloaded)?;
    in_flight.clone().try_acquire_many_owned(bytes).map_err(|_| Refusal::Overloaded)
}

fn broken(error: &hyper::Error) -> Refusal {
    tracing::debug!(%error, "a body could not be read");
    Refusal::Broken
}
