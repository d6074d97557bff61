//! The client that `http` deliveries are to be compared with: the same library, alone.

use crate::server::on_core_0;
use crate::subject::Figures;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// As many requests are under way as a lane has by default.
const CLIENT_CONCURRENCY: usize = 16;

/// Posts an event of the usual size again and again, and prints how many a second.
pub fn bare_client(url: &str, time: Duration) {
    rustls::crypto::ring::default_provider().install_default().expect("it is the first");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rate = runtime.block_on(async {
        let client = reqwest::Client::new();
        let started = Instant::now();
        let posting = (0..CLIENT_CONCURRENCY).map(|_| {
            let (client, url) = (client.clone(), url.to_owned());
            tokio::spawn(async move {
                let mut count = 0u64;
                while started.elapsed() < time {
                    let answer =
                        client.post(&url).body("x".repeat(600)).send().await.expect("it is answered");
                    assert!(answer.status().is_success());
                    answer.bytes().await.expect("the answer has a body");
                    count += 1;
                }
                count
            })
        });
        let mut all = 0;
        for task in posting.collect::<Vec<_>>() {
            all += task.await.expect("it does not panic");
        }
        all as f64 / started.elapsed().as_secs_f64()
    });
    println!("{rate}");
}

/// What it comes to on core 0, in a process of its own.
pub fn measured(receiver: SocketAddr, time: Duration) -> Figures {
    let own = std::env::current_exe().expect("this program has a path");
    let output = on_core_0(own)
        .args(["--bare-client", &format!("http://{receiver}/"), &time.as_secs().to_string()])
        .output()
        .expect("taskset and the client can be started");
    let text = String::from_utf8(output.stdout).expect("a number is text");
    let rate = text.trim().parse().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    Figures { rate, cpu_us: 1e6 / rate, peak_mb: 0.0, commits: 0.0 }
}
