//! A file that is no database: the same bytes behind a few others, so that they are cut by content.

use super::{Backup, Pending};
use crate::Result;
use crate::machine::timed;
use crate::pipeline;
use crate::row::Target;
use crate::workbench::{Workbench, fastest};
use reel_engine::frame::Compression;
use std::path::PathBuf;

const RUNS: u32 = 3;
const LEVEL: Compression = Compression::Zstd(1);
/// What must be reached by days of which something is new.
const CHANGED: Target = Target::at_least(0.8, 0.95);

fn file(bench: &Workbench) -> PathBuf {
    bench.folder().join("content.bin")
}

/// A pool that has the file.
fn stored(bench: &Workbench) -> Result<()> {
    bench.copy_behind(&[0x5A], &file(bench))?;
    bench.forget_pool()?;
    bench.back_up(&file(bench), LEVEL)?;
    Ok(())
}

/// A first backup.
pub fn first(bench: &mut Workbench) -> Result<Vec<Pending>> {
    bench.copy_behind(&[0x5A], &file(bench))?;
    let run = bench.first_full(RUNS, &file(bench), LEVEL)?;
    let backup = Backup::new(bench, "CDC file, first full, zstd 1", run, LEVEL);
    Ok(backup.beside_with_cpu(Target::at_least(0.8, 0.9), |limits, share| {
        pipeline::content(limits, &limits.stages, share)
    }))
}

/// Days on which 3 % of the pages changed, and days on which everything moved.
pub fn changed(bench: &mut Workbench) -> Result<Vec<Pending>> {
    stored(bench)?;
    let path = file(bench);
    let run = fastest(RUNS, || {
        bench.next_day(30)?;
        bench.copy_behind(&[0x5A], &path)?;
        timed(|| bench.back_up(&path, LEVEL))
    })?;
    let backup = Backup::new(bench, "CDC file, 3 % of its pages changed", run, LEVEL);
    let model = |limits: &_, share: &_| pipeline::content(limits, &limits.stages, share);
    let mut rows = backup.beside_with_cpu(CHANGED, model);
    let mut prefix = vec![0x5A];
    let run = fastest(RUNS, || {
        prefix.extend_from_slice(&[0xA5; 1001]);
        bench.copy_behind(&prefix, &path)?;
        timed(|| bench.back_up(&path, LEVEL))
    })?;
    let backup = Backup::new(bench, "CDC file, shifted by 1,001 bytes", run, LEVEL);
    rows.extend(backup.beside(CHANGED, model));
    Ok(rows)
}

/// Nothing changed.
pub fn unchanged(bench: &mut Workbench) -> Result<Vec<Pending>> {
    stored(bench)?;
    let path = file(bench);
    let run = fastest(2 * RUNS, || timed(|| bench.back_up(&path, LEVEL)))?;
    let backup = Backup::new(bench, "CDC file, 0 % changed", run, LEVEL);
    let target = Target::at_least(0.75, 0.85);
    Ok(backup.beside_limit(target, |limits, share| pipeline::unchanged(limits, share, false)))
}
