//! A fleet's worth of rules and of its events, always the same for the same numbers. The benchmark
//! of routing uses it too, so it knows nothing of this crate.
//!
//! Of the rules most are exact on type, status and team; some add a prefix, a range, a negation or
//! a wildcard. Teams grow with the rules, so an event matches about as many of them at any size.

use std::fmt::Write;

const STATUSES: [&str; 7] = ["initializing", "started", "paused", "stopped", "finished", "idle", "running"];

/// What a rule wants beside the type.
pub struct Wanted {
    pub status: &'static str,
    pub team: usize,
    pub more: More,
}

/// What it wants beside status and team.
pub enum More {
    Nothing,
    CampaignOf(usize),
    CostAbove(u32),
    /// Any status but the one that it names.
    OtherStatus,
    CampaignWith(usize, char),
}

/// What rules look at in an event.
pub struct Update {
    pub status: &'static str,
    pub team: usize,
    pub quarter: usize,
    pub letter: char,
    pub cost: u32,
    id: u128,
}

fn teams(rules: usize) -> usize {
    (rules / 10).max(10)
}

fn letter(random: &mut fastrand::Rng) -> char {
    random.char('a'..='h')
}

/// So many rules.
pub fn wanted(rules: usize) -> Vec<Wanted> {
    let random = &mut fastrand::Rng::with_seed(7);
    let one = |_| Wanted {
        status: STATUSES[random.usize(..STATUSES.len())],
        team: random.usize(..teams(rules)),
        more: match random.u32(..100) {
            0..60 => More::Nothing,
            60..80 => More::CampaignOf(random.usize(1..5)),
            80..90 => More::CostAbove(random.u32(..100)),
            90..95 => More::OtherStatus,
            _ => More::CampaignWith(random.usize(1..5), letter(random)),
        },
    };
    (0..rules).map(one).collect()
}

/// Events for so many rules.
pub fn updates(rules: usize, events: usize) -> Vec<Update> {
    let random = &mut fastrand::Rng::with_seed(8);
    let one = |_| Update {
        status: STATUSES[random.usize(..STATUSES.len())],
        team: random.usize(..teams(rules)),
        quarter: random.usize(1..5),
        letter: letter(random),
        cost: random.u32(..100),
        id: random.u128(..),
    };
    (0..events).map(one).collect()
}

/// A rules file; rule `N` is called `rN`.
pub fn yaml(rules: &[Wanted]) -> String {
    let mut text = "rules:\n".to_owned();
    for (index, Wanted { status, team, more }) in rules.iter().enumerate() {
        let (status, rest) = match more {
            More::Nothing => (format!("\"{status}\""), String::new()),
            More::CampaignOf(quarter) => {
                (format!("\"{status}\""), format!(r#", "campaign": [{{"prefix": "q{quarter}-"}}]"#))
            }
            More::CostAbove(cost) => {
                (format!("\"{status}\""), format!(r#", "cost": [{{"numeric": [">", {cost}]}}]"#))
            }
            More::OtherStatus => (format!(r#"{{"anything-but": ["{status}"]}}"#), String::new()),
            More::CampaignWith(quarter, letter) => (
                format!("\"{status}\""),
                format!(r#", "campaign": [{{"wildcard": "q{quarter}-{letter}*"}}]"#),
            ),
        };
        let fields = format!(
            r#"{{"type": ["agent.task.status_update"], "status": [{status}], "metadata": {{"team": ["team-{team}"]{rest}}}}}"#
        );
        writeln!(text, "  - {{name: r{index}, match: {fields}, actions: [{{log: {{}}}}]}}")
            .expect("a string takes any text");
    }
    text
}

impl Update {
    /// The event's document.
    pub fn json(&self) -> String {
        let Self { status, team, quarter, letter, cost, id } = self;
        let metadata =
            format!(r#"{{"campaign": "q{quarter}-{letter}{cost}", "team": "team-{team}", "cost": {cost}}}"#);
        format!(
            r#"{{"source": "browser-use", "type": "agent.task.status_update", "status": "{status}", "metadata": {metadata}, "timestamp": "2025-05-25T09:22:22.269116+00:00", "payload": {{"session_id": "{id:036x}", "task_id": "{:036x}", "status": "{status}", "metadata": {metadata}}}}}"#,
            !id
        )
    }

    /// Whether a rule wants it, by looking.
    pub fn is_wanted_by(&self, rule: &Wanted) -> bool {
        let (status, more) = match rule.more {
            More::Nothing => (true, true),
            More::CampaignOf(quarter) => (true, self.quarter == quarter),
            More::CostAbove(cost) => (true, self.cost > cost),
            More::OtherStatus => (false, true),
            More::CampaignWith(quarter, letter) => (true, (self.quarter, self.letter) == (quarter, letter)),
        };
        self.team == rule.team && (self.status == rule.status) == status && more
    }
}
