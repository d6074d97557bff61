//! The state of scripts as runs see it, and whose turn it is to change it.

use crate::dispatch::Clock;
use crate::journal::{Journal, JournalError};
use crate::kv::{Store, Unreadable, Value};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// What the journal has committed, as of the clock. It may still be on its way to the disk: the outcome of
/// whoever has read it is behind it there, and is not kept without it.
pub(super) struct Committed {
    pub journal: Arc<dyn Journal>,
    pub clock: Clock,
}

#[async_trait]
impl Store for Committed {
    async fn get(&self, namespace: &str, key: &str) -> Result<Option<Value>, Unreadable> {
        self.journal.kv_get(namespace, key, (self.clock)()).await.map_err(unreadable)
    }

    async fn list(&self, namespace: &str, prefix: &str, limit: usize) -> Result<Vec<String>, Unreadable> {
        let found = self.journal.kv_list(namespace, prefix, limit, (self.clock)()).await;
        Ok(found.map_err(unreadable)?.into_iter().map(|entry| entry.key).collect())
    }

    async fn bytes(&self, namespace: &str) -> Result<u64, Unreadable> {
        self.journal.kv_bytes(namespace).await.map_err(unreadable)
    }
}

fn unreadable(error: JournalError) -> Unreadable {
    Unreadable(error.to_string())
}

type Turns = RwLock<()>;

/// Whose turn it is: many runs may commit to a namespace at once and see whether they collide;
/// one that did has the namespace for itself when it runs again. First come, first served, so
/// that none starves.
#[derive(Default)]
pub(super) struct Namespaces(Mutex<HashMap<String, Weak<Turns>>>);

impl Namespaces {
    /// The right to commit beside others.
    pub async fn shared(&self, namespace: &str) -> OwnedRwLockReadGuard<()> {
        self.turns(namespace).read_owned().await
    }

    /// The right to run and commit alone.
    pub async fn alone(&self, namespace: &str) -> OwnedRwLockWriteGuard<()> {
        self.turns(namespace).write_owned().await
    }

    fn turns(&self, namespace: &str) -> Arc<Turns> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = known.get(namespace).and_then(Weak::upgrade) {
            return turns;
        }
        // Nobody waits for those any more.
        known.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Turns::default());
        known.insert(namespace.to_owned(), Arc::downgrade(&turns));
        turns
    }
}
