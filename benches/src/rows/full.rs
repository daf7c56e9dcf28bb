//! First backups of a database into a new pool.

use super::{Backup, Pending, ready};
use crate::Result;
use crate::machine::timed;
use crate::pipeline;
use crate::row::{Row, Target, Unit};
use crate::workbench::Workbench;
use reel_engine::frame::Compression;

const RUNS: u32 = 3;

/// At the levels for fast restore, by default, and for archives.
pub fn compressed(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let mut rows = Vec::new();
    for level in [-1, 1, 3] {
        let compression = Compression::Zstd(level);
        let run = bench.first_full(RUNS, &bench.database(), compression)?;
        let backup = Backup::new(bench, format!("first full, zstd {level}"), run, compression);
        rows.extend(backup.beside_with_cpu(Target::at_least(0.8, 0.9), pipeline::pages));
    }
    Ok(rows)
}

/// Without compression.
pub fn stored(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let run = bench.first_full(RUNS, &bench.database(), Compression::None)?;
    let backup = Backup::new(bench, "first full, none", run, Compression::None);
    Ok(backup.beside(Target::at_least(0.7, 0.85), pipeline::pages))
}

/// All workers beside one, where there are several cores; taken in turns, so that a busy moment does not hit one of them
/// alone.
pub fn more_workers(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let workers = bench.threads();
    if workers < 2 {
        return Ok(Vec::new());
    }
    let database = bench.database();
    let mut seconds = [f64::INFINITY; 2];
    for _ in 0..RUNS {
        for (threads, seconds) in [1, workers].into_iter().zip(&mut seconds) {
            bench.forget_pool()?;
            let (span, _) = timed(|| bench.back_up_by(threads, &database, Compression::Zstd(1)))?;
            *seconds = seconds.min(span.wall);
        }
    }
    let rates = seconds.map(|seconds| bench.store().len() as f64 / seconds);
    let all = workers as f64;
    let what = format!("first full, zstd 1, {workers} workers against one");
    let row = Row::new(what, Unit::Rate, rates[1], rates[0], "one worker");
    Ok(vec![ready(row.target(Target::at_least(0.9 * all, 0.975 * all)))])
}
