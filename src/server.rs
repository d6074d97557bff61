//! The connection loop under both listeners: caps, time limits, drain.
//!
//! warp serves without any of these, so its filters run here, as the hooks do, as a service on hyper's
//! HTTP/1 connections. Only HTTP/1: detecting the version has no time limit of its own, so a silent
//! client could hold its place for ever.

mod answer;
mod connections;
mod timed;

use answer::Answered;
use bytes::Bytes;
use connections::Connections;
use http::{Request, Response};
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use timed::Timed;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a connection may buffer of a request's header, and read at once of a body, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// The first and the longest pause after a failed `accept`.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// What clients may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at a time. Further ones wait in the kernel's queue.
    pub connections: usize,
    /// Connections at a time from one address (for IPv6, one /64). Further ones are closed.
    pub per_address: usize,
    /// From a request's first byte to the end of its header; also for the first byte of a new
    /// connection.
    pub header_timeout: Duration,
    /// From the end of the header to the end of the body. For whoever reads the body.
    pub body_timeout: Duration,
    /// From one request to the next, and for a client that does not take its answer.
    pub idle_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_address: 1_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
        }
    }
}

/// Serves until `shutdown`, then drains: accepts nothing more, closes idle connections at once,
/// lets requests under way finish, and returns when all connections are closed. How long that may
/// take is the caller's to bound. Changed limits hold for new connections.
///
/// Dropping the future closes all connections at once.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    mut limits: watch::Receiver<ServerLimits>,
    shutdown: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connections = Connections::default();
    loop {
        let now = *limits.borrow_and_update();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Ok(()) = limits.changed() => {}
            () = connections.ended(), if !connections.is_empty() => {}
            (stream, peer) = accept(&listener), if connections.len() < now.connections => {
                let serving = serve_connection(stream, service.clone(), now, shutdown.clone());
                if !connections.spawn(peer.ip(), now.per_address, serving) {
                    metrics::counter!("hookyard_connections_refused_total").increment(1);
                    tracing::debug!(%peer, "connection closed: limits.per_address is reached");
                }
            }
        }
    }
    drop(listener);
    while !connections.is_empty() {
        connections.ended().await;
    }
}

/// The next connection. A failure that is that connection's own is passed over; after another one
/// (no file descriptors left, say) it waits a little, so that the loop does not spin. Cancel-safe.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = ACCEPT_PAUSE;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_the_connection_s(&error) => {
                tracing::debug!(%error, "a connection was lost early")
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections, trying again in {pause:?}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}

fn is_the_connection_s(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn serve_connection<S, B>(
    stream: TcpStream,
    service: S,
    limits: ServerLimits,
    shutdown: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection was gone before its first request");
        return;
    }
    let stream = Timed::new(stream, limits.header_timeout, limits.idle_timeout);
    let phase = stream.phase();
    let service = service_fn(move |request| {
        phase.handling();
        let answer = service.call(request);
        let phase = phase.clone();
        async move {
            // A handler that fails has its connection closed.
            answer.await.map(|answer| answer.map(|body| Answered::new(body, phase)))
        }
    });
    let connection = http1::Builder::new()
        // hyper's own limit also runs while a kept-alive connection idles: `Timed` has both.
        .header_read_timeout(None)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
