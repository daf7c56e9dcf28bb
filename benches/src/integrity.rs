//! The check of a database's pages beside reading its file alone.

use crate::gauge::read_by;
use crate::machine::timed;
use crate::{Result, machine};
use reel_engine::database::LocalFile;
use reel_engine::integrity::integrity;
use reel_engine::memory::Memory;
use reel_engine::progress::Monitor;
use reel_formats::ese::database::Database;
use reel_formats::ese::page::Kernel;
use reel_workload::Store;
use std::fmt::Write;
use std::fs::File;
use std::path::Path;

/// Runs of each; the fastest counts.
const RUNS: usize = 5;
/// Bytes of one read, of those that are tried: the fastest counts as what read(2) can do.
const READS: [usize; 3] = [256 << 10, 1 << 20, 4 << 20];
/// What the check must reach of the rate of reading alone: by one thread, by all.
const MUST: [f64; 2] = [0.5, 0.8];

/// Rates of one number of threads, in bytes a second.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Threads.
    pub threads: usize,
    /// Reading alone.
    pub read: f64,
    /// Reading and checking.
    pub check: f64,
}

impl Rates {
    /// The check's share of the rate of reading.
    pub fn ratio(&self) -> f64 {
        self.check / self.read
    }
}

/// Measures on a store of `size` bytes in a file in `folder`, which is in the page cache: by one thread, and by
/// `threads`.
pub fn measure(folder: &Path, size: u64, threads: usize) -> Result<[Rates; 2]> {
    let path = folder.join("store.edb");
    let store = Store::new(1, size);
    store.write_to(&File::create_new(&path)?)?;
    // What was just written goes to the disk now, not during a run.
    let file = File::open(&path)?;
    file.sync_all()?;
    let bytes = store.len() as f64;
    let mut rates = [1, threads].map(|threads| Rates { threads, read: 0.0, check: 0.0 });
    // Taken in turns, so that a busy moment of the machine does not hit one of them alone.
    for _ in 0..RUNS {
        for one in &mut rates {
            for buffer in READS {
                let wall = timed(|| read_by(&file, store.len(), one.threads, buffer))?.0.wall;
                one.read = one.read.max(bytes / wall);
            }
            one.check = one.check.max(bytes / check(&path, one.threads)?);
        }
    }
    Ok(rates)
}

/// Seconds of one check.
fn check(path: &Path, threads: usize) -> Result<f64> {
    let database = Database::open(LocalFile::open(path)?)?;
    let (span, found) =
        timed(|| Ok(integrity(&database, "store", threads, Memory::DEFAULT, &Monitor::default())?))?;
    if found.tally.damaged() > 0 || found.tally.good == 0 {
        return Err(format!("the generated store is not good: {:?}", found.tally).into());
    }
    Ok(span.wall)
}

/// Does every number of threads reach what it must?
pub fn passes(rates: &[Rates; 2]) -> bool {
    rates.iter().zip(MUST).all(|(one, must)| one.ratio() >= must)
}

/// The rates as a table.
pub fn markdown(rates: &[Rates; 2]) -> String {
    let mut text = format!("{}, kernel {}\n\n", machine::words(), Kernel::chosen().name());
    text += "| threads | read(2) MB/s | k MB/s | ratio | must |\n| ---: | ---: | ---: | ---: | ---: |\n";
    for (one, must) in rates.iter().zip(MUST) {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.0} | {:.2} | {must:.2} |",
            one.threads,
            one.read / 1e6,
            one.check / 1e6,
            one.ratio()
        );
    }
    text
}
