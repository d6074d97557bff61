//! Asking before something is done that cannot be taken back.

use super::Verdict;
use clap::Args;
use std::io::{self, BufRead, IsTerminal, Write};

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Ask {
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
}

impl Ask {
    /// Asks on a terminal; where nobody can be asked, `--yes` has to say it. `Err` is how the
    /// command ends if it is not to be done.
    ///
    /// `what` is what would be done, as a sentence without its end.
    pub fn confirm(self, what: &str) -> Result<(), Verdict> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            eprintln!("{what}: --yes does it");
            return Err(Verdict::Usage);
        }
        eprint!("{what}: go on? [y/N] ");
        // An answer that cannot be read is none.
        let (mut answer, _) = (String::new(), io::stderr().flush());
        let read = io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && is_yes(&answer) {
            return Ok(());
        }
        eprintln!("nothing was done");
        Err(Verdict::Fine)
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// `1 event`, `2 events`.
pub(super) fn count(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(["y\n", " YES\r\n", "yes"].into_iter().all(is_yes));
        assert!(!["", "\n", "n\n", "yesterday\n", "ok"].into_iter().any(is_yes));
    }
}
