//! reel beside other programs that back up: the same files, the same three days and a restore, each program a process of its
//! own with its settings printed.
//!
//! A step is measured from the start of the program to the moment when the disk holds all that it wrote (`syncfs` at the end,
//! for everyone). Before it the disk is settled; the input, the repository and the caches are cold, the programs themselves are
//! not. CPU seconds and peak memory are those that the system counted for the program and what it started. What was restored
//! is compared with the input, outside the time.

pub mod disk;
pub mod inputs;
pub mod judge;
pub mod month;
pub mod peer;
pub mod process;
pub mod report;
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
use inputs::Input;
use report::Report;
use std::fs;
use std::path::{Path, PathBuf};
use table::Table;

/// What is run.
#[derive(Debug, Default)]
pub struct Options {
    /// Bytes of the generated stores, the smallest first; 1 GiB and 4 GiB if there are none.
    pub sizes: Vec<u64>,
    /// Where the packed mail store of the samples is, if it shall be run too.
    pub mailstore: Option<PathBuf>,
    /// Print JSON.
    pub json: bool,
}

/// Runs everything in `folder` and prints it; gives whether reel reached all that it must. `folder` needs eight times the
/// largest size.
pub fn run(folder: &Path, options: &Options) -> Result<bool> {
    let sizes = if options.sizes.is_empty() { &[1 << 30, 4 << 30] } else { &options.sizes[..] };
    let peers = peer::found()?;
    let disk = Disk::of(folder);
    let mut tables = Vec::new();
    for &size in sizes {
        let own = folder.join(size.to_string());
        fs::create_dir(&own)?;
        let input = Input::generated(&own, size)?;
        tables.push(Table::run(&own, &disk, format!("{} MiB", size >> 20), true, input, &peers)?);
        fs::remove_dir_all(&own)?;
    }
    if let Some(packed) = &options.mailstore {
        let own = folder.join("mailstore");
        fs::create_dir(&own)?;
        let input = Input::mailstore(&own, packed)?;
        tables.push(Table::run(&own, &disk, "mail store with logs".to_owned(), false, input, &peers)?);
        fs::remove_dir_all(&own)?;
    }
    let month = month::run(folder, sizes[0])?;
    let comparisons = judge::comparisons(&tables, &month);
    let peers = peers.iter().map(|peer| peer.sheet()).collect();
    let report =
        Report { disk: disk.words(), peers, tables: &tables, month: &month, comparisons: &comparisons };
    if options.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.markdown());
    }
    Ok(!comparisons.iter().any(judge::Comparison::fails))
}
