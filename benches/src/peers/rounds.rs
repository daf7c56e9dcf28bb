//! Rounds: in each of them every peer does all steps in a fresh repository, in an order of its own.

use super::disk::{self, Disk};
use super::inputs::Source;
use super::order::turned;
use super::peer::{Kind, Peer, Place};
use super::process::Cost;
use super::table::{DAYS, Step, Table};
use crate::Result;
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// One step of one peer in one round.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The round, from 1.
    pub round: usize,
    /// What was done.
    #[serde(skip)]
    pub step: Step,
    /// Who did it.
    #[serde(skip)]
    pub peer: &'static str,
    /// Bytes of the files.
    pub input: u64,
    /// What it took.
    pub cost: Cost,
    /// Bytes by which the repository grew.
    pub added: u64,
    /// Bytes of the peer's cache afterwards.
    pub cache: u64,
}

/// A round in which a peer failed. None of its steps of that round counts.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    /// The round, from 1.
    pub round: usize,
    /// The peer.
    pub peer: &'static str,
    /// What it was doing.
    pub step: Step,
    /// What went wrong.
    pub error: String,
}

/// What a peer did in a round.
type Outcome = std::result::Result<Vec<Run>, Failed>;

/// What all rounds have in common.
pub struct Rounds<'a> {
    /// Where everything is done.
    pub folder: &'a Path,
    /// Its file system.
    pub disk: &'a Disk,
    /// Who takes part.
    pub peers: &'a [Box<dyn Peer>],
    /// How many there are.
    pub rounds: usize,
}

impl Rounds<'_> {
    /// All rounds with one input. Repositories of a round are deleted at its end.
    pub fn run(&self, source: &Source) -> Result<Table> {
        let (mut runs, mut failures) = (Vec::new(), Vec::new());
        for round in 1..=self.rounds {
            let (name, started) =
                (format!("{}, round {round} of {}", source.name(), self.rounds), Instant::now());
            for outcome in self.round(source, round, &name)? {
                match outcome {
                    Ok(all) => runs.extend(all),
                    Err(failure) => failures.push(failure),
                }
            }
            eprintln!("{name}: {:.0} s", started.elapsed().as_secs_f64());
        }
        let sheets: Vec<_> = self.peers.iter().map(|peer| peer.sheet()).collect();
        Ok(Table::new(source.name(), source.judged(), &sheets, &runs, failures))
    }

    /// One round, step by step, so that all peers see the same files and one moment of the machine. Gives what each of them
    /// did.
    fn round(&self, source: &Source, round: usize, name: &str) -> Result<Vec<Outcome>> {
        let folder = self.folder.join("round");
        fs::create_dir(&folder)?;
        let mut input = source.open(&folder)?;
        let place = |peer: usize| Place::new(folder.join(format!("peer{peer}")), input.folder());
        let order = turned(self.peers.len(), round - 1);
        let places: Vec<_> = order.iter().map(|&peer| (&*self.peers[peer], place(peer))).collect();
        let mut outcomes: Vec<Outcome> = vec![Ok(Vec::new()); places.len()];
        for step in Step::all() {
            if let Step::Day(_) = step {
                input.advance()?;
            }
            for ((peer, place), outcome) in places.iter().zip(&mut outcomes) {
                let Ok(runs) = outcome else { continue };
                let who = peer.sheet().name;
                match self.step(round, step, *peer, place) {
                    Ok(run) => {
                        eprintln!(
                            "{name}, {}, {who}: {:.2} s, CPU {:.2} s, {:.1} MB stored",
                            step.words(),
                            run.cost.wall,
                            run.cost.cpu,
                            run.added as f64 / 1e6
                        );
                        runs.push(run);
                    }
                    Err(error) => {
                        let error = error.to_string();
                        eprintln!("{name}, {}, {who}: FAILED: {error}", step.words());
                        *outcome = Err(Failed { round, peer: who, step, error });
                    }
                }
            }
        }
        fs::remove_dir_all(&folder)?;
        Ok(outcomes)
    }

    fn step(&self, round: usize, step: Step, peer: &dyn Peer, place: &Place) -> Result<Run> {
        let pipeline = match step {
            Step::Day(day) => {
                if day == 0 {
                    prepare(peer, place)?;
                }
                peer.back_up(place, day)
            }
            Step::Restore => {
                fs::create_dir(place.restored())?;
                peer.restore(place, DAYS - 1)
            }
        };
        let before = disk::bytes(&place.repository())?;
        self.disk.settle(&[place.input(), place.home()])?;
        let cost = pipeline.measure()?;
        if step == Step::Restore {
            if peer.sheet().kind != Kind::Disk {
                disk::compare(place.input(), &place.restored())?;
            }
            fs::remove_dir_all(place.restored())?;
        }
        Ok(Run {
            round,
            step,
            peer: peer.sheet().name,
            input: disk::bytes(place.input())?,
            cost,
            added: disk::bytes(&place.repository())?.saturating_sub(before),
            cache: disk::bytes(&place.cache())?,
        })
    }
}

/// Makes the folders of a peer and its empty repository.
fn prepare(peer: &dyn Peer, place: &Place) -> Result<()> {
    fs::create_dir_all(place.cache())?;
    for pipeline in peer.prepare(place) {
        pipeline.measure()?;
    }
    Ok(fs::create_dir_all(place.repository())?)
}
