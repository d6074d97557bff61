//! What the command line asks for.

use crate::load::Load;
use crate::work::Work;
use std::time::Duration;

pub struct Options {
    pub load: Load,
    pub rounds: u64,
    pub works: Vec<Work>,
}

impl Options {
    /// # Errors
    /// Says which flag or value is wrong.
    pub fn parse(arguments: Vec<String>) -> Result<Self, String> {
        let mut load =
            Load { connections: 128, duration: Duration::from_secs(5), warm_up: Duration::from_secs(1) };
        let (mut rounds, mut works) = (3, Work::ALL.to_vec());
        // `--bench` is added by Cargo.
        let mut arguments = arguments.into_iter().filter(|argument| argument != "--bench");
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("`{flag}` wants a value"))?;
            match flag.as_str() {
                "--connections" => load.connections = number(&flag, &value)? as usize,
                "--seconds" => load.duration = Duration::from_secs(number(&flag, &value)?),
                "--rounds" => rounds = number(&flag, &value)?,
                "--only" => works.retain(among(&value)?),
                "--skip" => {
                    let is_skipped = among(&value)?;
                    works.retain(|work| !is_skipped(work));
                }
                _ => return Err(format!("there is no flag `{flag}`")),
            }
        }
        Ok(Self { load, rounds, works })
    }
}

fn number(flag: &str, value: &str) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{flag}` wants a number from 1 on, not `{value}`"))
}

/// Whether a work is one of those that the list names.
fn among(list: &str) -> Result<impl Fn(&Work) -> bool, String> {
    let words = Work::ALL.map(Work::word);
    match list.split(',').find(|word| !words.contains(word)) {
        Some(word) => Err(format!("there is no row `{word}`; there are {}", words.join(", "))),
        None => Ok(move |work: &Work| list.split(',').any(|word| word == work.word())),
    }
}
