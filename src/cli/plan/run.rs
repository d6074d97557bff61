//! Going through the record: each event is routed and rehearsed.

use super::report::{Outcome, Report};
use crate::action::Answers;
use crate::journal::sqlite::SqliteHistory;
use crate::journal::{EventFilter, History, StoredEvent};
use crate::kv::{Store, Unreadable, Value};
use crate::rules::RuleSet;
use crate::rules::rehearse::Stage;
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;

/// Events read at once; each may be as large as a body.
const PAGE: usize = 50;

pub(super) struct Run<'a> {
    pub history: &'a SqliteHistory,
    pub rules: &'a RuleSet,
    pub now: Timestamp,
}

impl Run<'_> {
    /// All events of a filter, the newest first.
    pub async fn over(&self, mut filter: EventFilter, report: &mut Report<'_>) -> anyhow::Result<()> {
        filter.limit = PAGE;
        loop {
            let page = self.history.events(filter.clone()).await?;
            for stored in &page {
                self.event(stored, report).await?;
            }
            match page.last().filter(|_| page.len() == PAGE) {
                Some(last) => filter.before = Some(last.event.id()),
                None => return Ok(()),
            }
        }
    }

    async fn event(&self, stored: &StoredEvent, report: &mut Report<'_>) -> anyhow::Result<()> {
        let routing = self.rules.route(&stored.event, 0, self.now);
        report.event(&stored.rules, &routing.rules);
        let event = Arc::new(stored.event.clone());
        for delivery in routing.deliveries {
            let id = delivery.id.clone();
            if let Some(why) = delivery.blocked {
                report.delivery(&id, Outcome::Blocked(why))?;
                continue;
            }
            if routing.storms.iter().any(|storm| storm.rule == id.rule) {
                report.stormy(&id);
            }
            let (state, answers) = (Arc::new(Frozen(self.history.clone(), self.now)), Answers::unknown());
            let stage = Stage { state, answers };
            let rehearsed = self.rules.rehearse(&event, delivery.id, &stage).await;
            if stage.answers.were_wanted() {
                report.delivery(&id, Outcome::Unknown)?;
            } else {
                report.delivery(&id, Outcome::Rehearsed(rehearsed))?;
            }
        }
        Ok(())
    }
}

/// The state of scripts as the journal has it now.
struct Frozen(SqliteHistory, Timestamp);

#[async_trait]
impl Store for Frozen {
    async fn get(&self, namespace: &str, key: &str) -> Result<Option<Value>, Unreadable> {
        self.0.kv_get(namespace, key, self.1).await.map_err(|error| Unreadable(error.to_string()))
    }

    async fn list(&self, namespace: &str, prefix: &str, limit: usize) -> Result<Vec<String>, Unreadable> {
        let found = self.0.kv_list(namespace, prefix, limit, self.1).await;
        let found = found.map_err(|error| Unreadable(error.to_string()))?;
        Ok(found.into_iter().map(|entry| entry.key).collect())
    }

    async fn bytes(&self, namespace: &str) -> Result<u64, Unreadable> {
        self.0.kv_bytes(namespace).await.map_err(|error| Unreadable(error.to_string()))
    }
}
