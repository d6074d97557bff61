//! Reading a body: capped in size and time, and counted against what all bodies may take.

use super::HookLimits;
use super::refusal::Refusal;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What a request takes besides its body, in bytes: its header, its event, its place.
const OVERHEAD_BYTES: u32 = 4096;

/// A body in memory. Its room is given back when this is dropped.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Reads a whole body, chunked or not.
///
/// # Errors
/// It is too large (then the rest is read and dropped, within bounds, so that the client gets to
/// see the answer), too slow or broken, or there is no room.
pub(super) async fn read<S, B>(
    body: S,
    limits: HookLimits,
    in_flight: &Arc<Semaphore>,
) -> Result<Held, Refusal>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let limit_bytes = limits.body_bytes;
    let reading = async {
        let mut body = pin!(body);
        let mut room = claim(in_flight, OVERHEAD_BYTES as usize)?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| broken(&error))?;
            if bytes.len() + chunk.remaining() > limit_bytes {
                drop((bytes, room));
                drain(body, limit_bytes).await;
                return Err(Refusal::TooLarge { limit_bytes });
            }
            room.merge(claim(in_flight, chunk.remaining())?);
            bytes.put(chunk);
        }
        Ok(Held { bytes: bytes.freeze(), _room: room })
    };
    timeout(limits.body_timeout, reading).await.unwrap_or(Err(Refusal::Slow))
}

/// Reads and drops what comes of a body, up to its limit in bytes and time.
pub(super) async fn discard<S, B>(body: S, limits: HookLimits)
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    // Too slow or broken: then the answer goes out without the rest having been read.
    let _ = timeout(limits.body_timeout, drain(pin!(body), limits.body_bytes)).await;
}

async fn drain<S, B>(mut body: S, mut limit_bytes: usize)
where
    S: Stream<Item = Result<B, warp::Error>> + Unpin,
    B: Buf,
{
    while let Some(Ok(chunk)) = body.next().await {
        let Some(left) = limit_bytes.checked_sub(chunk.remaining()) else { return };
        limit_bytes = left;
    }
}

fn claim(in_flight: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let bytes = u32::try_from(bytes).map_err(|_| Refusal::Overloaded)?;
    in_flight.clone().try_acquire_many_owned(bytes).map_err(|_| Refusal::Overloaded)
}

fn broken(error: &warp::Error) -> Refusal {
    tracing::debug!(%error, "a body could not be read");
    Refusal::Broken
}
