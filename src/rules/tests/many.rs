//! Many rules at once.

use super::workload::{updates, wanted, yaml};
use super::{event, rules};

#[test]
fn an_event_finds_the_same_among_many_rules_as_by_looking_at_each() {
    let mut matches = 0;
    for count in [10, 100, 1_000] {
        let wanted = wanted(count);
        let set = rules(&yaml(&wanted));
        for update in updates(count, 200) {
            let expected = wanted.iter().enumerate().filter(|(_, rule)| update.is_wanted_by(rule));
            let expected: Vec<_> = expected.map(|(index, _)| format!("r{index}")).collect();
            assert_eq!(set.matching(&event(&update.json())), expected, "{}", update.json());
            matches += expected.len();
        }
    }
    assert!(matches > 300, "{matches}");
}

#[test]
fn equal_actions_of_many_rules_are_one() {
    let set = rules(&yaml(&wanted(10)));
    let first = &set.rules[0].actions[0];
    assert!(set.rules.iter().all(|rule| std::sync::Arc::ptr_eq(&rule.actions[0], first)));
}
