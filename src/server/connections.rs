//! The connections that are open, counted in all and by address.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use tokio::task::{Id, JoinSet};

/// Open connections, each a task. Dropping it ends them.
#[derive(Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    addresses: HashMap<Id, IpAddr>,
    per_address: HashMap<IpAddr, usize>,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Runs a connection, unless its address has `limit` already.
    pub(super) fn spawn<F>(&mut self, ip: IpAddr, limit: usize, connection: F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = counted_as(ip);
        let count = self.per_address.entry(address).or_default();
        if *count >= limit {
            if *count == 0 {
                self.per_address.remove(&address);
            }
            return false;
        }
        *count += 1;
        let id = self.tasks.spawn(connection).id();
        self.addresses.insert(id, address);
        true
    }

    /// Waits until one has ended; at once if there is none. Cancel-safe.
    pub(super) async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "a connection's task failed");
                error.id()
            }
            None => return,
        };
        let address = self.addresses.remove(&id).expect("every task was entered when it was spawned");
        let count = self.per_address.get_mut(&address).expect("every open connection is counted");
        *count -= 1;
        if *count == 0 {
            self.per_address.remove(&address);
        }
    }
}

/// What an address is counted as: an IPv6 client has a whole /64 at its disposal.
fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_of_one_client_counts_as_one_address() {
        assert_eq!(counted_as(ip("2001:db8:1:2:3:4:5:6")), counted_as(ip("2001:db8:1:2:ffff::1")));
        assert_ne!(counted_as(ip("2001:db8:1:2::1")), counted_as(ip("2001:db8:1:3::1")));
        assert_eq!(counted_as(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_ne!(counted_as(ip("192.0.2.1")), counted_as(ip("192.0.2.2")));
    }

    #[tokio::test]
    async fn an_ended_connection_makes_room_and_leaves_no_trace_even_if_it_panicked() {
        let mut connections = Connections::default();
        assert!(connections.spawn(ip("192.0.2.1"), 1, async { panic!("as a bug would") }));
        assert!(!connections.spawn(ip("192.0.2.1"), 1, async {}));
        assert!(connections.spawn(ip("192.0.2.2"), 1, async {}));
        connections.ended().await;
        connections.ended().await;
        assert!(connections.is_empty() && connections.per_address.is_empty());
        assert!(connections.addresses.is_empty());
        assert!(connections.spawn(ip("192.0.2.1"), 1, async {}));
        assert!(!connections.spawn(ip("192.0.2.9"), 0, async {}));
    }
}
