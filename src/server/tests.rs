//! The loop over real sockets; waits end by events, never by a fixed sleep.

use super::*;
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    limits: watch::Sender<ServerLimits>,
    /// One permit lets one request through.
    gate: Arc<Semaphore>,
    /// Has a permit for each request that has reached the handler.
    arrived: Arc<Semaphore>,
}

/// Limits that no test runs into by itself.
fn limits() -> ServerLimits {
    ServerLimits {
        connections: 100,
        per_address: 100,
        header_timeout: LONG,
        body_timeout: LONG,
        idle_timeout: LONG,
    }
}

/// Answers each request with `ok` once the gate lets it.
async fn start(limits: ServerLimits, open: usize) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (gate, arrived) = (Arc::new(Semaphore::new(open)), Arc::new(Semaphore::new(0)));
    let (gate_in, arrived_in) = (gate.clone(), arrived.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (gate, arrived) = (gate_in.clone(), arrived_in.clone());
        async move {
            arrived.add_permits(1);
            gate.acquire().await.expect("the gate is never closed").forget();
            request.into_body().collect().await?;
            Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from_static(b"ok"))))
        }
    });
    let shutdown = CancellationToken::new();
    let (limits, limits_rx) = watch::channel(limits);
    let task = tokio::spawn(serve(listener, service, limits_rx, shutdown.clone()));
    Server { address, shutdown, task, limits, gate, arrived }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// All that comes until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut out = Vec::new();
    // A reset is an end as well.
    let _ =
        tokio::time::timeout(LONG, stream.read_to_end(&mut out)).await.expect("the server closes in time");
    String::from_utf8(out).unwrap()
}

/// Reads one answer.
async fn answer(stream: &mut TcpStream) -> String {
    let mut out = Vec::new();
    while !out.ends_with(b"\r\n\r\nok") {
        let byte = tokio::time::timeout(LONG, stream.read_u8()).await.expect("an answer in time");
        out.push(byte.expect("an answer"));
    }
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn a_silent_connection_and_a_slow_header_are_closed() {
    let server = start(ServerLimits { header_timeout: SHORT, ..limits() }, 0).await;
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut slow).await, "");
}

#[tokio::test]
async fn a_header_s_time_does_not_start_anew_with_each_byte() {
    let server = start(ServerLimits { header_timeout: SHORT, ..limits() }, 0).await;
    let (mut read, mut write) = server.connect().await.into_split();
    let drip = tokio::spawn(async move {
        let mut every = tokio::time::interval(SHORT / 10);
        write.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
        while write.write_all(b"x").await.is_ok() {
            every.tick().await;
        }
    });
    let mut out = Vec::new();
    let _ = tokio::time::timeout(LONG, read.read_to_end(&mut out)).await.expect("closed while it drips");
    drip.abort();
    assert!(out.is_empty());
}

#[tokio::test]
async fn a_kept_alive_connection_may_idle_longer_than_a_header_may_take_and_then_is_closed() {
    let limits = ServerLimits { header_timeout: SHORT, idle_timeout: SHORT * 8, ..limits() };
    let server = start(limits, 10).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(GET).await.unwrap();
        answer(&mut stream).await;
        let early = tokio::time::timeout(SHORT * 2, stream.read_u8()).await;
        assert!(early.is_err(), "closed while it may idle");
    }
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_second_request_s_header_has_its_time_limit_too() {
    let server = start(ServerLimits { header_timeout: SHORT, ..limits() }, 10).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    answer(&mut stream).await;
    stream.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_handler_may_take_longer_than_a_header() {
    let server = start(ServerLimits { header_timeout: SHORT, idle_timeout: SHORT, ..limits() }, 0).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    let early = tokio::time::timeout(SHORT * 3, stream.read_u8()).await;
    assert!(early.is_err(), "closed while it is handled");
    server.gate.add_permits(1);
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn an_address_beyond_its_cap_is_closed_and_has_room_again_when_one_ends() {
    let server = start(ServerLimits { per_address: 2, ..limits() }, 100).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(GET).await.unwrap();
        answer(stream).await;
    }
    assert_eq!(rest(&mut server.connect().await).await, "");
    drop(first);
    // The server learns of the end in its own time.
    let served = async {
        loop {
            let mut next = server.connect().await;
            let mut byte = [0];
            if next.write_all(GET).await.is_ok() && matches!(next.read(&mut byte).await, Ok(1)) {
                return;
            }
        }
    };
    tokio::time::timeout(LONG, served).await.expect("room again");
}

#[tokio::test]
async fn beyond_the_overall_cap_a_connection_waits_for_its_turn() {
    let server = start(ServerLimits { connections: 1, ..limits() }, 100).await;
    let mut first = server.connect().await;
    first.write_all(GET).await.unwrap();
    answer(&mut first).await;
    let mut second = server.connect().await;
    second.write_all(GET).await.unwrap();
    assert!(tokio::time::timeout(SHORT, second.read_u8()).await.is_err(), "served beyond the cap");
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_raised_cap_lets_those_in_that_wait() {
    let server = start(ServerLimits { connections: 1, ..limits() }, 100).await;
    let mut first = server.connect().await;
    first.write_all(GET).await.unwrap();
    answer(&mut first).await;
    let mut second = server.connect().await;
    second.write_all(GET).await.unwrap();
    server.limits.send_replace(limits());
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_drain_closes_idle_connections_at_once_and_lets_requests_finish() {
    let server = start(limits(), 1).await;
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    answer(&mut idle).await;
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(GET).await.unwrap();
    server.arrived.acquire_many(2).await.unwrap().forget();
    server.shutdown.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
    assert!(!server.task.is_finished());
    server.gate.add_permits(1);
    let last = rest(&mut busy).await;
    assert!(last.starts_with("HTTP/1.1 200 OK") && last.ends_with("ok"), "{last}");
    assert!(last.contains("connection: close"), "{last}");
    tokio::time::timeout(LONG, server.task).await.expect("drained").unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let server = start(limits(), 0).await;
    let (mut read, mut write) = server.connect().await.into_split();
    let flood = tokio::spawn(async move {
        let mut sent = write.write_all(b"GET / HTTP/1.1\r\n").await;
        while sent.is_ok() {
            sent = write.write_all(b"x-filler: 0123456789012345678901234567890123456789\r\n").await;
        }
    });
    let mut out = Vec::new();
    let _ = tokio::time::timeout(LONG, read.read_to_end(&mut out)).await.expect("closed");
    flood.await.unwrap();
    let answer = String::from_utf8_lossy(&out);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

/// Never ends, but says something now and then.
struct Endless(tokio::time::Interval);

impl Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_tick(cx).map(|_| Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"x")))))
    }
}

#[tokio::test]
async fn an_answer_may_go_on_longer_than_a_client_may_idle() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = service_fn(|_: Request<Incoming>| async {
        let body = Endless(tokio::time::interval(SHORT / 4));
        Ok::<_, hyper::Error>(Response::new(body))
    });
    let (_limits, limits) = watch::channel(ServerLimits { idle_timeout: SHORT, ..limits() });
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(listener, service, limits, shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    let mut seen = Vec::new();
    // Five times as long as the limit.
    while seen.iter().filter(|byte| **byte == b'x').count() < 20 {
        let byte = tokio::time::timeout(LONG, stream.read_u8()).await.expect("it goes on");
        seen.push(byte.expect("it goes on"));
    }
    task.abort();
}
