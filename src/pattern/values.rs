//! Many scalars of which one must be equal: sorted, so that a look-up takes few comparisons.

use super::{Alternative, Test};
use crate::json::{Json, Number};

/// Strings and numbers, each in order and once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    pub strings: Box<[Box<str>]>,
    pub numbers: Box<[Number]>,
}

/// Up to this many values are compared one by one, which is as fast.
pub(super) const FEW: usize = 8;

impl Values {
    /// Whether one of these is equal to a value.
    pub fn contains(&self, value: &Json) -> bool {
        match value {
            Json::String(text) => self.strings.binary_search_by(|own| (**own).cmp(text)).is_ok(),
            Json::Number(number) => self.numbers.binary_search(number).is_ok(),
            _ => false,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.strings.len() + self.numbers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each of them, strings first.
    pub fn iter(&self) -> impl Iterator<Item = Json> {
        let strings = self.strings.iter().map(|text| Json::from(&**text));
        strings.chain(self.numbers.iter().cloned().map(Json::Number))
    }
}

/// Of other values than strings and numbers, nothing is kept.
impl FromIterator<Json> for Values {
    fn from_iter<I: IntoIterator<Item = Json>>(values: I) -> Self {
        let (mut strings, mut numbers) = (Vec::<Box<str>>::new(), Vec::new());
        for value in values {
            match value {
                Json::String(text) => strings.push(text.into()),
                Json::Number(number) => numbers.push(number),
                _ => {}
            }
        }
        strings.sort_unstable();
        strings.dedup();
        numbers.sort();
        numbers.dedup();
        Self { strings: strings.into(), numbers: numbers.into() }
    }
}

/// Puts many plain values among alternatives into one test.
pub(super) fn gather(alternatives: Vec<Alternative>) -> Vec<Alternative> {
    if alternatives.iter().filter(|alternative| is_plain(alternative)).count() <= FEW {
        return alternatives;
    }
    let (plain, rest): (Vec<_>, Vec<_>) = alternatives.into_iter().partition(is_plain);
    let values = plain.into_iter().flat_map(|alternative| alternative.0).filter_map(|test| match test {
        Test::Exact(value) => Some(value),
        _ => None,
    });
    let among = Alternative(vec![Test::Among(values.collect())]);
    std::iter::once(among).chain(rest).collect()
}

fn is_plain(alternative: &Alternative) -> bool {
    matches!(alternative.0.as_slice(), [Test::Exact(Json::String(_) | Json::Number(_))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scalar() -> impl Strategy<Value = Json> {
        prop_oneof![
            "[ab]{0,3}".prop_map(Json::from),
            (-3i64..30).prop_map(Json::from),
            prop::sample::select(vec!["1.0", "-0", "2e0", "0.5", "9007199254740993"])
                .prop_map(|text| Json::Number(Number::parse(text).expect(text))),
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
        ]
    }

    proptest! {
        #[test]
        fn gathered_values_match_as_a_list_of_them(
            list in prop::collection::vec(scalar(), 1..40),
            value in scalar(),
        ) {
            let alternatives = list.iter().map(|value| Alternative(vec![Test::Exact(value.clone())]));
            let found = gather(alternatives.collect()).iter().any(|it| it.matches(Some(&value)));
            prop_assert_eq!(found, list.contains(&value));
        }
    }

    #[test]
    fn a_long_list_becomes_one_sorted_test() {
        let list = (0..5000i64).rev().map(|number| Alternative(vec![Test::Exact(number.into())]));
        let gathered = gather(list.chain([Alternative(vec![Test::Exact(Json::Null)])]).collect());
        let [Alternative(among), Alternative(null)] = gathered.as_slice() else { panic!("{gathered:?}") };
        let [Test::Among(values)] = among.as_slice() else { panic!("{among:?}") };
        assert!(values.numbers.is_sorted() && values.len() == 5000 && !values.is_empty());
        assert_eq!(null, &[Test::Exact(Json::Null)]);
    }
}
