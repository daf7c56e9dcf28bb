//! The same days for every peer: what each step cost and stored.

use super::disk::{self, Disk};
use super::inputs::Input;
use super::peer::{Kind, Peer, Place, Sheet};
use super::process::Cost;
use crate::Result;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// Days that are backed up.
pub const DAYS: usize = 3;

/// What is done; each step once, by one peer after the other.
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

/// One step of one peer.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was done.
    pub step: Step,
    /// Who did it.
    pub peer: Sheet,
    /// Bytes of the files.
    pub input: u64,
    /// What it took.
    pub cost: Cost,
    /// Bytes by which the repository grew.
    pub added: u64,
    /// Bytes of the peer's cache afterwards.
    pub cache: u64,
}

impl Row {
    /// CPU seconds for 10^9 bytes.
    pub fn cpu_per_gigabyte(&self) -> f64 {
        self.cost.cpu / self.input as f64 * 1e9
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
}

impl Table {
    /// Runs every peer below `folder`, day by day, so that all of them see the same files; then each restores the last day,
    /// which is compared with the input. Before each run the disk is settled and the input and everything that the peer
    /// keeps are out of the page cache.
    pub fn run(
        folder: &Path,
        disk: &Disk,
        name: String,
        judged: bool,
        mut input: Input,
        peers: &[Box<dyn Peer>],
    ) -> Result<Table> {
        let places: Vec<Place> =
            (0..peers.len()).map(|at| Place::new(folder.join(format!("peer{at}")), input.folder())).collect();
        let mut table = Table { input: name, judged, rows: Vec::new() };
        for day in 0..DAYS {
            input.advance()?;
            for (peer, place) in peers.iter().zip(&places) {
                if day == 0 {
                    fs::create_dir_all(place.cache())?;
                    for pipeline in peer.prepare(place) {
                        pipeline.measure()?;
                    }
                    fs::create_dir_all(place.repository())?;
                }
                table.step(disk, Step::Day(day), peer.as_ref(), place)?;
            }
        }
        for (peer, place) in peers.iter().zip(&places) {
            fs::create_dir(place.restored())?;
            table.step(disk, Step::Restore, peer.as_ref(), place)?;
            disk::compare(input.folder(), &place.restored())?;
            fs::remove_dir_all(place.home())?;
        }
        Ok(table)
    }

    fn step(&mut self, disk: &Disk, step: Step, peer: &dyn Peer, place: &Place) -> Result<()> {
        let before = disk::bytes(&place.repository())?;
        let pipeline = match step {
            Step::Day(day) => peer.back_up(place, day),
            Step::Restore => peer.restore(place, DAYS - 1),
        };
        disk.settle(&[place.input(), place.home()])?;
        let cost = pipeline.measure()?;
        let row = Row {
            step,
            peer: peer.sheet(),
            input: disk::bytes(place.input())?,
            cost,
            added: disk::bytes(&place.repository())?.saturating_sub(before),
            cache: disk::bytes(&place.cache())?,
        };
        eprintln!(
            "{}, {}, {}: {:.2} s, CPU {:.2} s, {:.1} MB stored",
            self.input,
            step.words(),
            row.peer.name,
            cost.wall,
            cost.cpu,
            row.added as f64 / 1e6
        );
        self.rows.push(row);
        Ok(())
    }

    /// The row of reel.
    pub fn reel(&self, step: Step) -> Option<&Row> {
        self.rows.iter().find(|row| row.step == step && row.peer.kind == Kind::Reel)
    }
}
