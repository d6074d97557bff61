//! Journals with much in them, filled before a server is started on them.

use crate::home::Home;
use futures_util::future::try_join_all;
use hookyard::journal::sqlite::{Options, SqliteJournal};
use hookyard::journal::{Entry, Journal};
use tokio::runtime::Builder;

/// Appended at once.
const BATCH: usize = 2000;

/// Fills the journal of this directory, as the server would, and closes it.
pub fn fill(home: &Home, entries: impl Iterator<Item = Entry>) {
    let journal = SqliteJournal::open(&home.journal(), Options::default()).expect("it opens");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut entries = entries.peekable();
    while entries.peek().is_some() {
        let batch = entries.by_ref().take(BATCH).map(|entry| journal.append(entry));
        runtime.block_on(try_join_all(batch)).expect("they are kept");
    }
    runtime.block_on(journal.close());
}
