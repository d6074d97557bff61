//! What the tests drive: the program in a directory of its own, a sender that signs, a receiver.

pub mod faulty;
pub mod home;
pub mod http;
pub mod mail;
pub mod receiver;
pub mod sender;

pub use home::Home;
pub use receiver::Receiver;
pub use sender::{SECRET, event, signed};

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Only failing tests wait this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
