//! What is printed at the end.

use crate::options::Options;
use crate::subject::Figures;
use crate::work::Work;

/// A work, and what each of its rounds came to.
pub struct Row {
    pub work: Work,
    pub rounds: Vec<Figures>,
}

impl Row {
    /// In the middle of all rounds.
    pub fn median(&self, value: impl Fn(&Figures) -> f64) -> f64 {
        median(self.rounds.iter().map(value).collect())
    }
}

pub fn print(rows: &[Row], Options { load, rounds, .. }: &Options) {
    println!(
        "\n{} connections, {rounds} rounds of {:?}, server on core 0, load on core 1",
        load.connections, load.duration
    );
    println!(
        "{:<56} {:>12} {:>14} {:>14} {:>20} {:>10}",
        "work", "requests/s", "of the first", "CPU µs/event", "commits/1000 events", "peak MB"
    );
    for row in rows {
        // Taken round by round, because machines drift.
        let ratios = row.rounds.iter().zip(&rows[0].rounds).map(|(own, first)| own.rate / first.rate);
        println!(
            "{:<56} {:>12.0} {:>14.3} {:>14.1} {:>20.0} {:>10.0}",
            row.work.name(),
            row.median(|it| it.rate),
            median(ratios.collect()),
            row.median(|it| it.cpu_us),
            row.median(|it| it.commits),
            row.median(|it| it.peak_mb)
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
