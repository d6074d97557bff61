//! `/metrics` in Prometheus' text format: what each metric means, and the depth of the lanes.

use super::Admin;
use super::answer::respond;
use super::status::age_s;
use crate::journal::LaneDepth;
use http::{Response, StatusCode};
use jiff::Timestamp;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use std::fmt::Write;

const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the histograms of times, in seconds: from a commit to a slow receiver.
pub const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// So many lanes have lines of their own; the rest of them, the shallowest, are one.
const LANES: usize = 200;
/// What stands for their rule and action.
const OTHERS: &str = "(others)";

/// Tells the recorder what the metrics mean, but for those of the hook endpoints. Once, when it is
/// installed.
pub fn describe() {
    describe_counter!("hookyard_attempts_total", "Attempts made, by rule, action and outcome.");
    describe_counter!("hookyard_delivered_total", "Deliveries that have arrived.");
    describe_counter!("hookyard_retried_total", "Attempts that failed and are to be made again.");
    describe_counter!("hookyard_blocked_total", "Deliveries found to wait for their rule to be mended.");
    describe_counter!(
        "hookyard_dead_total",
        "Deliveries given up after an attempt, or when their time was over."
    );
    describe_counter!(
        "hookyard_suppressed_total",
        "Deliveries that a storm control of their rule held back."
    );
    describe_counter!("hookyard_lane_pauses_total", "Pauses of lanes whose destination did not answer.");
    describe_gauge!("hookyard_lane_paused", "1 while a lane is paused, by rule and action.");
    describe_counter!(
        "hookyard_refused_not_kept_total",
        "Refused requests that came too fast to be kept for inspection."
    );
    describe_gauge!("hookyard_journal_damaged", "1 if the check after an unclean stop found damage.");
    describe_counter!("hookyard_by_hand_total", "Deliveries retried, cancelled or made by a replay by hand.");
    describe_counter!(
        "hookyard_state_conflicts_total",
        "Script runs made again: another had changed what they read."
    );
    describe_counter!(
        "hookyard_connections_refused_total",
        "Connections closed because of limits.per_address."
    );
    describe_counter!("hookyard_reloads_total", "Changes on disk, by whether they could be served.");
    describe_gauge!("hookyard_generation", "Number of the generation that is served.");
    describe_gauge!("hookyard_reload_ok", "1 if what is on disk is what is served.");
    describe_gauge!("hookyard_deliveries", "Deliveries in the journal, by state.");
    describe_gauge!("hookyard_journal_events", "Events in the journal.");
    describe_gauge!("hookyard_journal_unrouted", "Events that wait for the first good rules.");
    describe_gauge!("hookyard_journal_bytes", Unit::Bytes, "Size of the journal.");
    describe_histogram!(
        "hookyard_commit_seconds",
        Unit::Seconds,
        "Time from the start of a commit of the journal until it was on the disk."
    );
    describe_histogram!(
        "hookyard_commit_group_size",
        "Writes committed together; outcomes that came together are one."
    );
    describe_histogram!(
        "hookyard_attempt_seconds",
        Unit::Seconds,
        "Time an attempt took, by rule and action."
    );
    describe_histogram!(
        "hookyard_delivery_seconds",
        Unit::Seconds,
        "Time from an event's receipt to its delivery, by source, rule and action."
    );
    describe_histogram!("hookyard_script_seconds", Unit::Seconds, "Time a script's run computed.");
}

impl Admin {
    /// Depths are read when they are asked for; everything else is counted as it happens.
    pub(super) async fn render_metrics(&self) -> Response<String> {
        match self.journal.counts().await {
            Ok(counts) => {
                for (state, count) in [
                    ("pending", counts.pending),
                    ("blocked", counts.blocked),
                    ("dead", counts.dead),
                    ("suppressed", counts.suppressed),
                ] {
                    gauge!("hookyard_deliveries", "state" => state).set(count as f64);
                }
                gauge!("hookyard_journal_events").set(counts.events as f64);
                gauge!("hookyard_journal_unrouted").set(counts.unrouted as f64);
                gauge!("hookyard_journal_bytes").set(counts.bytes as f64);
            }
            Err(problem) => tracing::warn!("the queue depths cannot be read: {problem}"),
        }
        let mut text = self.metrics.render();
        match self.journal.lanes().await {
            Ok(lanes) => write_lanes(lanes, Timestamp::now(), &mut text),
            Err(problem) => tracing::warn!("the depth of the lanes cannot be read: {problem}"),
        }
        respond(StatusCode::OK, TYPE, text)
    }
}

/// Written here and not by the recorder, which would show a lane that is empty now for ever.
fn write_lanes(mut lanes: Vec<LaneDepth>, now: Timestamp, out: &mut String) {
    lanes.sort_by_key(|lane| std::cmp::Reverse(lane.pending + lane.blocked));
    let rest = lanes.split_off(lanes.len().min(LANES));
    lanes.extend(
        rest.into_iter()
            .reduce(|sum, lane| LaneDepth {
                pending: sum.pending + lane.pending,
                blocked: sum.blocked + lane.blocked,
                oldest: sum.oldest.min(lane.oldest),
                ..sum
            })
            .map(|sum| LaneDepth { rule: OTHERS.into(), action: OTHERS.into(), ..sum }),
    );
    head("hookyard_lane_deliveries", "Open deliveries by rule, action and state.", out);
    for lane in &lanes {
        for (state, count) in [("pending", lane.pending), ("blocked", lane.blocked)] {
            sample("hookyard_lane_deliveries", lane, &format!(",state=\"{state}\""), count, out);
        }
    }
    head(
        "hookyard_lane_oldest_seconds",
        "Age of the oldest event with an open delivery, by rule and action.",
        out,
    );
    for lane in &lanes {
        sample("hookyard_lane_oldest_seconds", lane, "", age_s(lane.oldest, now), out);
    }
}

fn head(name: &str, help: &str, out: &mut String) {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge").expect("a string takes all");
}

/// Names of rules and actions have no character that would have to be escaped.
fn sample(name: &str, LaneDepth { rule, action, .. }: &LaneDepth, more: &str, value: u64, out: &mut String) {
    writeln!(out, "{name}{{rule=\"{rule}\",action=\"{action}\"{more}}} {value}").expect("a string takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(rule: &str, pending: u64, blocked: u64, oldest_s: i64) -> LaneDepth {
        let oldest = Timestamp::from_second(oldest_s).unwrap();
        LaneDepth { rule: rule.into(), action: "a".into(), pending, blocked, oldest }
    }

    #[test]
    fn the_deepest_lanes_are_named_and_the_rest_is_summed_up() {
        let mut lanes: Vec<_> = (0..LANES).map(|number| lane(&format!("r{number}"), 10, 0, 70)).collect();
        lanes.extend([lane("calm", 1, 2, 60), lane("calmer", 2, 0, 50), lane("busy", 500, 0, 90)]);
        let mut text = String::new();
        write_lanes(lanes, Timestamp::from_second(100).unwrap(), &mut text);
        for line in [
            "# TYPE hookyard_lane_deliveries gauge",
            "hookyard_lane_deliveries{rule=\"busy\",action=\"a\",state=\"pending\"} 500",
            "hookyard_lane_oldest_seconds{rule=\"busy\",action=\"a\"} 10",
            "hookyard_lane_deliveries{rule=\"(others)\",action=\"(others)\",state=\"pending\"} 13",
            "hookyard_lane_deliveries{rule=\"(others)\",action=\"(others)\",state=\"blocked\"} 2",
            "hookyard_lane_oldest_seconds{rule=\"(others)\",action=\"(others)\"} 50",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("calm"));
    }
}
