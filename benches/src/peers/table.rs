//! What each step of each peer cost and stored, over all rounds.

use super::peer::{Kind, Sheet};
use super::rounds::{Failed, Run};
use super::spread::Spread;
use serde::Serialize;

/// Days that are backed up.
pub const DAYS: usize = 3;

/// What is done; in each round each step once, by one peer after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Step {
    /// Backing up on this day; the first is day 0.
    Day(usize),
    /// Restoring the last day.
    Restore,
}

impl Step {
    /// All of them, in their order.
    pub fn all() -> impl Iterator<Item = Step> {
        (0..DAYS).map(Step::Day).chain([Step::Restore])
    }

    /// The step in words.
    pub fn words(self) -> String {
        match self {
            Step::Day(0) => "first full".to_owned(),
            Step::Day(day) => format!("day {day}"),
            Step::Restore => "restore".to_owned(),
        }
    }
}

/// One step of one peer: what its rounds say.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was done.
    pub step: Step,
    /// Who did it.
    pub peer: Sheet,
    /// Bytes of the files.
    pub input: u64,
    /// Seconds until everything was on the disk.
    pub wall: Spread,
    /// CPU seconds.
    pub cpu: Spread,
    /// Most bytes of memory in any round.
    pub peak: u64,
    /// Bytes by which the repository grew.
    pub added: Spread,
    /// Bytes of the peer's cache afterwards.
    pub cache: Spread,
    /// The rounds, in their order.
    pub rounds: Vec<Run>,
}

impl Row {
    /// Of the rounds of one step of one peer; `None` of no round.
    pub fn of(step: Step, peer: Sheet, rounds: Vec<Run>) -> Option<Row> {
        let spread = |number: fn(&Run) -> f64| Spread::of(rounds.iter().map(number));
        Some(Row {
            step,
            peer,
            input: rounds.first()?.input,
            wall: spread(|run| run.cost.wall)?,
            cpu: spread(|run| run.cost.cpu)?,
            peak: rounds.iter().map(|run| run.cost.peak).max()?,
            added: spread(|run| run.added as f64)?,
            cache: spread(|run| run.cache as f64)?,
            rounds,
        })
    }

    /// CPU seconds for 10^9 bytes, the median.
    pub fn cpu_per_gigabyte(&self) -> f64 {
        self.cpu.median / self.input as f64 * 1e9
    }
}

/// What all peers did with one input.
#[derive(Debug, Serialize)]
pub struct Table {
    /// What the input is.
    pub input: String,
    /// Whether it is judged.
    pub judged: bool,
    /// Step by step.
    pub rows: Vec<Row>,
    /// Rounds of peers that do not count.
    pub failures: Vec<Failed>,
}

impl Table {
    /// Of the runs of all rounds, in any order of steps and peers.
    pub fn new(input: String, judged: bool, peers: &[Sheet], runs: &[Run], failures: Vec<Failed>) -> Table {
        let row = |step: Step, peer: &Sheet| {
            let of_both = runs.iter().filter(|run| run.step == step && run.peer == peer.name);
            Row::of(step, peer.clone(), of_both.cloned().collect())
        };
        let rows =
            Step::all().flat_map(|step| peers.iter().filter_map(move |peer| row(step, peer))).collect();
        Table { input, judged, rows, failures }
    }

    /// The row of reel.
    pub fn reel(&self, step: Step) -> Option<&Row> {
        self.rows.iter().find(|row| row.step == step && row.peer.kind == Kind::Reel)
    }

    /// Whether a round of a peer failed.
    pub fn failed(&self, peer: &str) -> bool {
        self.failures.iter().any(|failure| failure.peer == peer)
    }
}
