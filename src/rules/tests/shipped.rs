//! The starter rules and every recipe load without a word and pass their own tests.

use super::{lines, load, settings, with_resolver};
use crate::rules::{Settings, expect, read_tree};
use crate::secret::Placeholders;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn shipped() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = root.join("examples").read_dir().expect("the recipes are beside the sources");
    let mut dirs: Vec<_> = examples.map(|entry| entry.expect("it can be listed").path()).collect();
    dirs.sort();
    assert_eq!(dirs.len(), 7, "{dirs:?}");
    dirs.push(root.join("rules"));
    dirs
}

fn dry() -> Settings {
    Settings { assume_required: true, ..with_resolver(Arc::new(Placeholders)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shipped_loads_without_a_word_and_passes_its_tests() {
    for dir in shipped() {
        let tree = read_tree(&dir).expect("it can be read");
        let loaded = load(&tree, &dry());
        assert_eq!(lines(&loaded), [""; 0], "{}", dir.display());
        let results = expect::run_tests(&tree, &loaded.rules.expect("there is no error")).await;
        assert!(!results.is_empty(), "{} has no tests", dir.display());
        for result in results {
            let place = format!("{}/{}:{}: {}", dir.display(), result.file, result.line, result.name);
            assert_eq!(result.failure, None, "{place}");
        }
    }
}

#[test]
fn the_starter_rules_work_without_any_account() {
    let tree = read_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).expect("it can be read");
    let loaded = load(&tree, &settings(&[]));
    let shown = lines(&loaded);
    assert!(shown.len() == 1 && shown[0].contains("SLACK_WEBHOOK_URL is not set"), "{shown:#?}");
    let rules = loaded.rules.expect("a note is no error");
    assert_eq!(
        rules.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(),
        ["finished", "stopped"]
    );
    assert_eq!(rules.off.len(), 1);
}
