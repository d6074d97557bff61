//! What would go out beside what was expected to.

use super::{Expected, Going, Observed, Sent};
use crate::json::Json;
use crate::rules::RuleSet;
use crate::rules::report::suggestion;

impl Observed {
    /// What differs from what was expected.
    pub(super) fn compare(mut self, rules: &RuleSet, expected: &[Expected]) -> Result<(), String> {
        let taken = pair(expected, &self.sent);
        let mut lines = std::mem::take(&mut self.notes);
        let unmatched = |index: &usize| !taken.contains(&Some(*index));
        let mut left: Vec<usize> = (0..self.sent.len()).filter(unmatched).collect();
        for (wanted, _) in expected.iter().zip(&taken).filter(|(_, taken)| taken.is_none()) {
            match left.iter().position(|index| self.sent[*index].going == wanted.going) {
                Some(position) => {
                    let near = &self.sent[left.remove(position)];
                    lines.push(near_miss(wanted, near));
                }
                None => lines.push(missing(rules, &wanted.going)),
            }
        }
        if taken.contains(&None) {
            lines.append(&mut self.endings);
        }
        let unexpected = left.into_iter().map(|index| &self.sent[index]).filter(|sent| !sent.optional);
        lines.extend(unexpected.map(|sent| format!("unexpected: {} {}", sent.going, sent.params)));
        if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
    }
}

/// Gives each expectation something sent that fits it, as many as possible (augmenting paths: an
/// expectation that fits several gives way to one that fits only what it took).
fn pair(expected: &[Expected], sent: &[Sent]) -> Vec<Option<usize>> {
    let mut owner = vec![None; sent.len()];
    for index in 0..expected.len() {
        claim(index, expected, sent, &mut owner, &mut vec![false; sent.len()]);
    }
    let position = |index| owner.iter().position(|owner| *owner == Some(index));
    (0..expected.len()).map(position).collect()
}

fn claim(
    index: usize,
    expected: &[Expected],
    sent: &[Sent],
    owner: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for candidate in 0..sent.len() {
        if tried[candidate] || !fits(&expected[index], &sent[candidate]) {
            continue;
        }
        tried[candidate] = true;
        if owner[candidate].is_none_or(|other| claim(other, expected, sent, owner, tried)) {
            owner[candidate] = Some(index);
            return true;
        }
    }
    false
}

fn fits(expected: &Expected, sent: &Sent) -> bool {
    expected.going == sent.going && difference(&expected.params, Some(&sent.params), "params").is_none()
}

/// The first place where `got` does not hold what is wanted.
fn difference(wanted: &Json, got: Option<&Json>, place: &str) -> Option<String> {
    match (wanted, got) {
        (Json::Object(members), Some(Json::Object(_))) => members.iter().find_map(|(key, value)| {
            difference(value, got.and_then(|got| got.get(key)), &format!("{place}.{key}"))
        }),
        (Json::Array(items), Some(Json::Array(others))) if items.len() == others.len() => {
            items.iter().zip(others).enumerate().find_map(|(index, (item, other))| {
                difference(item, Some(other), &format!("{place}[{index}]"))
            })
        }
        (_, Some(got)) if wanted == got => None,
        (_, Some(got)) => Some(format!("{place}: wanted {wanted}, got {got}")),
        (_, None) => Some(format!("{place}: wanted {wanted}, got nothing")),
    }
}

fn near_miss(wanted: &Expected, got: &Sent) -> String {
    let difference = difference(&wanted.params, Some(&got.params), "params");
    // Equal parameters mean that the same was expected more often than it was sent.
    let difference = difference.unwrap_or_else(|| "it goes out fewer times than expected".to_owned());
    format!("different: {}: {difference}", wanted.going)
}

fn missing(rules: &RuleSet, going: &Going) -> String {
    let names = || rules.rules.iter().map(|rule| rule.name.as_str());
    if names().all(|name| name != going.rule) && rules.off.iter().all(|off| off.rule != going.rule) {
        return format!("missing: {going}; there is no such rule: {}", suggestion(&going.rule, names()));
    }
    match rules.off.iter().find(|off| off.rule == going.rule) {
        Some(off) => format!("missing: {going}; the rule is off: {}", off.why),
        None => format!("missing: {going}"),
    }
}
