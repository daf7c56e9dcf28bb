//! The days after the first backup of a database.

use super::{Backup, Pending};
use crate::Result;
use crate::cold::{cold_read, cool};
use crate::machine::timed;
use crate::pipeline;
use crate::row::Target;
use crate::workbench::{Workbench, fastest};
use reel_engine::frame::Compression;

const RUNS: u32 = 5;
const LEVEL: Compression = Compression::Zstd(1);

/// The fastest of several days, on each of which so many of 1,000 pages changed.
fn days(bench: &mut Workbench, runs: u32, changed_per_mille: u32, what: &str) -> Result<Backup> {
    bench.forget_pool()?;
    bench.back_up(&bench.database(), LEVEL)?;
    let run = fastest(runs, || {
        if changed_per_mille > 0 {
            bench.next_day(changed_per_mille)?;
        }
        timed(|| bench.back_up(&bench.database(), LEVEL))
    })?;
    Ok(Backup::new(bench, what, run, LEVEL))
}

/// A usual day.
pub fn three_percent(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let backup = days(bench, RUNS, 30, "incremental, 3 % changed")?;
    Ok(backup.beside_with_cpu(Target::at_least(0.8, 1.0), pipeline::pages))
}

/// Hardly anything changed.
pub fn few(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let target = Target::at_least(0.75, 0.85);
    let mut rows = Vec::new();
    for (changed, what) in [(5, "incremental, 0.5 % changed"), (0, "incremental, 0 % changed")] {
        let backup = days(bench, RUNS, changed, what)?;
        rows.extend(backup.beside_limit(target, |limits, share| pipeline::unchanged(limits, share, true)));
    }
    Ok(rows)
}

/// Every leaf page changed.
pub fn everything(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let backup = days(bench, 2, 1000, "incremental, 100 % changed")?;
    Ok(backup.beside(Target::NONE, pipeline::pages))
}

/// A usual day, of which nothing is in the page cache: beside what the disk gives, or the cores if that is less.
pub fn cold(bench: &mut Workbench) -> Result<Vec<Pending>> {
    bench.forget_pool()?;
    let database = bench.database();
    bench.back_up(&database, LEVEL)?;
    let before = cold_read(&database)?.best();
    let run = fastest(RUNS, || {
        bench.next_day(30)?;
        cool(&database)?;
        timed(|| bench.back_up(&database, LEVEL))
    })?;
    let read = cold_read(&database)?.best().max(before);
    let backup = Backup::new(bench, "incremental, 3 % changed, cold", run, LEVEL);
    Ok(backup.beside_limit(Target::at_least(0.9, 0.97), move |limits, share| {
        pipeline::pages(limits, share).cap("cold read", read, 1.0)
    }))
}
