//! `docs/patterns.md`: it is current, and what it shows is so.

use super::*;

const PAGE: &str = include_str!("../../../docs/patterns.md");

#[test]
fn the_part_made_from_the_table_is_current() {
    let (begin, end) = ("<!-- operators -->\n", "<!-- end of operators -->\n");
    let part = PAGE.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(part, _)| part);
    assert!(
        part == Some(&format!("\n{}\n", reference())),
        "put what `hookyard kinds --markdown` prints between the marks of docs/patterns.md"
    );
}

/// The texts behind a mark on the lines of an example.
fn marked<'a>(block: &'a str, mark: &str) -> Vec<&'a str> {
    block.lines().filter_map(|line| line.strip_prefix(mark)).collect()
}

#[test]
fn each_example_does_what_the_page_says() {
    let blocks = PAGE.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let (mut shown, mut events) = (0, 0);
    for block in blocks {
        let (matches, differs) = (marked(block, "# matches "), marked(block, "# but not "));
        let refused = marked(block, "# refused: ");
        shown += 1;
        events += matches.len() + differs.len();
        assert!(!matches.is_empty() || !refused.is_empty(), "the example shows nothing: {block}");
        match Pattern::compile(&node(block)) {
            Ok((pattern, _)) => {
                assert!(refused.is_empty(), "{block}");
                matches
                    .iter()
                    .for_each(|event| assert!(pattern.matches(&document(event)), "{block}: {event}"));
                differs
                    .iter()
                    .for_each(|event| assert!(!pattern.matches(&document(event)), "{block}: {event}"));
            }
            Err(problems) => {
                let said = problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>();
                assert_eq!(said, refused, "{block}");
            }
        }
    }
    assert!(shown > 30 && events > 80, "only {shown} examples with {events} events were found");
}
