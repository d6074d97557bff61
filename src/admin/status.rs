//! `/api/status`, `/api/rules` and `POST /api/reload`: what is served, and why it is not another.

use super::Admin;
use super::answer::{error, json, unavailable};
use crate::dispatch::LaneStatus;
use crate::journal::LaneDepth;
use crate::json::Json;
use crate::operate::counts_json;
use crate::rules::{Off, Rule};
use crate::source::Source;
use http::{Response, StatusCode};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::oneshot;

/// So many of the deepest lanes are named.
const LANES: usize = 100;

impl Admin {
    pub(super) async fn status(&self) -> Response<String> {
        let (counts, lanes) = match tokio::try_join!(self.journal.counts(), self.journal.lanes()) {
            Ok(found) => found,
            Err(problem) => return unavailable(&problem),
        };
        let serving = self.current.serving.borrow().clone();
        let rules = serving.as_ref().map_or(&[][..], |serving| &serving.rules.rules);
        let off = serving.as_ref().map_or(&[][..], |serving| &serving.rules.off);
        let sources = Arc::clone(&self.current.sources.borrow());
        let ready = self.hooks.ready();
        let body = Json::object([
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("started_at", self.started_at.to_string().into()),
            ("ready", ready.is_ok().into()),
            ("not_ready", ready.err().map(|why| why.to_string()).into()),
            ("generation", serving.as_ref().map(|serving| serving.number).into()),
            ("rules", Json::Array(rules.iter().map(|rule| rule.name.as_str().into()).collect())),
            ("rules_off", Json::Array(off.iter().map(off_json).collect())),
            ("sources", Json::Array(sources.iter().map(|source| source_json(source)).collect())),
            ("reload", self.current.verdict.borrow().to_json()),
            ("journal", Json::Object(counts_json(&counts))),
            ("lanes", deepest(lanes, Timestamp::now())),
            (
                "lanes_held",
                Json::Array(self.lanes.snapshot(Timestamp::now()).iter().map(held_json).collect()),
            ),
        ]);
        json(StatusCode::OK, &body)
    }

    /// Every rule that is loaded, those that are off too.
    pub(super) fn rules(&self) -> Response<String> {
        let serving = self.current.serving.borrow().clone();
        let on = serving.iter().flat_map(|serving| &serving.rules.rules).map(rule_json);
        let off = serving.iter().flat_map(|serving| &serving.rules.off).map(|off| {
            Json::object([
                ("name", off.rule.as_str().into()),
                ("file", Json::from(&*off.file)),
                ("on", false.into()),
                ("why", off.why.as_str().into()),
            ])
        });
        let body = Json::object([
            ("generation", serving.as_ref().map(|serving| serving.number).into()),
            ("rules", Json::Array(on.chain(off).collect())),
        ]);
        json(StatusCode::OK, &body)
    }

    pub(super) async fn reload(&self) -> Response<String> {
        let (answer, verdict) = oneshot::channel();
        let gone = || error(StatusCode::SERVICE_UNAVAILABLE, "hookyard is stopping");
        if self.reloads.send(answer).await.is_err() {
            return gone();
        }
        match verdict.await {
            Ok(verdict) => {
                let status = if verdict.ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
                json(status, &verdict.to_json())
            }
            Err(_) => gone(),
        }
    }
}

fn rule_json(rule: &Rule) -> Json {
    let actions = rule.actions.iter().map(|action| {
        Json::object([("name", Json::from(action.name.as_str())), ("kind", action.kind.as_str().into())])
    });
    Json::object([
        ("name", rule.name.as_str().into()),
        ("file", Json::from(&*rule.file)),
        ("on", true.into()),
        ("description", rule.description.as_deref().map(str::to_owned).into()),
        ("actions", Json::Array(actions.collect())),
    ])
}

/// A lane that is paused or keeps to a rate.
fn held_json(lane: &LaneStatus) -> Json {
    Json::object([
        ("rule", Json::from(lane.rule.as_str())),
        ("action", lane.action.as_str().into()),
        ("state", lane.state.name().into()),
        ("paused_until", lane.paused_until.map(|until| until.to_string()).into()),
        ("why", lane.why.clone().into()),
        ("rate", lane.rate.map(|rate| rate.to_string()).into()),
    ])
}

fn off_json(off: &Off) -> Json {
    Json::object([("name", off.rule.as_str().into()), ("why", off.why.as_str().into())])
}

fn source_json(source: &Source) -> Json {
    Json::object([
        ("name", source.name().into()),
        ("path", source.path().into()),
        ("state", if source.is_waiting() { "waiting for its secret" } else { "receiving" }.into()),
    ])
}

/// The lanes with the most open deliveries, the deepest first.
fn deepest(mut lanes: Vec<LaneDepth>, now: Timestamp) -> Json {
    lanes.sort_by_key(|lane| std::cmp::Reverse(lane.pending + lane.blocked));
    lanes.truncate(LANES);
    let lane = |lane: &LaneDepth| {
        Json::object([
            ("rule", lane.rule.as_str().into()),
            ("action", lane.action.as_str().into()),
            ("pending", lane.pending.into()),
            ("blocked", lane.blocked.into()),
            ("oldest_s", Json::from(age_s(lane.oldest, now))),
        ])
    };
    Json::Array(lanes.iter().map(lane).collect())
}

/// How long ago it was, in seconds.
pub(super) fn age_s(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(then).as_secs()).unwrap_or(0)
}
