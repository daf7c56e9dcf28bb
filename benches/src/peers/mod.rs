//! reel beside other programs that back up: the same files, the same three days and a restore, each program a process of its
//! own with its settings printed.
//!
//! Everything is done in some rounds, in fresh repositories and in another order each time; the medians count.
//!
//! A step is measured from the start of the program to the moment when the disk holds all that it wrote (`syncfs` at the end,
//! for everyone). Before it the disk is settled; the input, the repository and the caches are cold, the programs themselves are
//! not. CPU seconds and peak memory are those that the system counted for the program and what it started. What was restored
//! is compared with the input, outside the time.

pub mod alone;
pub mod disk;
pub mod inputs;
pub mod judge;
pub mod month;
pub mod order;
pub mod peer;
pub mod process;
pub mod report;
pub mod rounds;
pub mod spread;
pub mod table;

mod borg;
mod bupstash;
mod casync;
mod reel;
mod restic;
mod rustic;
mod tar;

use crate::Result;
use disk::Disk;
use inputs::Source;
use peer::Found;
use report::Report;
use rounds::Rounds;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use table::Table;

/// Rounds, unless the caller says how many.
const ROUNDS: usize = 3;

/// What is run.
#[derive(Debug, Default)]
pub struct Options {
    /// Bytes of the generated stores, the smallest first; 1 GiB and 4 GiB if there are none.
    pub sizes: Vec<u64>,
    /// Where the packed mail store of the samples is, if it shall be run too.
    pub mailstore: Option<PathBuf>,
    /// How many rounds; 3 if it is not said.
    pub rounds: Option<NonZero<usize>>,
    /// The programs that run beside reel; all that are found if there are none.
    pub only: Vec<String>,
    /// Print JSON.
    pub json: bool,
}

/// Runs everything in `folder` and prints it; gives whether reel reached all that it must. `folder` needs twelve times the
/// largest size.
pub fn run(folder: &Path, options: &Options) -> Result<bool> {
    let sizes = if options.sizes.is_empty() { &[1 << 30, 4 << 30] } else { &options.sizes[..] };
    let Found { peers, left_out } = Found::on_the_path(&options.only)?;
    let disk = Disk::of(folder);
    let rounds = options.rounds.map_or(ROUNDS, NonZero::get);
    let rounds = Rounds { folder, disk: &disk, peers: &peers, rounds };
    let mailstore = options.mailstore.iter().cloned().map(Source::Mailstore);
    let sources = sizes.iter().copied().map(Source::Generated).chain(mailstore);
    let tables = sources.map(|source| rounds.run(&source)).collect::<Result<Vec<Table>>>()?;
    let month = month::run(folder, sizes[0])?;
    let comparisons = judge::comparisons(&tables, &month);
    let report = Report {
        rounds: rounds.rounds,
        disk: disk.words(),
        peers: peers.iter().map(|peer| peer.sheet()).collect(),
        left_out: &left_out,
        tables: &tables,
        month: &month,
        comparisons: &comparisons,
    };
    if options.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.markdown());
    }
    let reel_failed = tables.iter().any(|table| table.failed(reel::NAME));
    Ok(!reel_failed && !comparisons.iter().any(judge::Comparison::fails))
}
