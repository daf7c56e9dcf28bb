//! The days after the first backup of a database.

use super::runs::{BackupModel, Runs};
use crate::Result;
use crate::cold::cool;
use crate::pipeline::{self, Shares};
use crate::row::{Row, Target};
use crate::workbench::Workbench;
use reel_engine::frame::Compression;

const RUNS: usize = 7;
const LEVEL: Compression = Compression::Zstd(1);
const TARGET: Target = Target::at_least(0.8, 1.0);

/// Several days, on each of which so many of 1,000 pages changed, or the same day again and again.
fn days(
    bench: &mut Workbench,
    count: usize,
    changed_per_mille: u32,
    what: &str,
    models: &[BackupModel],
) -> Result<Runs<Shares>> {
    bench.forget_pool()?;
    let place = bench.place(&bench.database());
    bench.back_up(&place.input, LEVEL)?;
    Runs::backups(bench, what, &place, LEVEL, models, count, |bench| {
        if changed_per_mille > 0 { bench.next_day(changed_per_mille) } else { Ok(()) }
    })
}

/// A usual day.
pub fn three_percent(bench: &mut Workbench) -> Result<Vec<Row>> {
    let runs = days(bench, RUNS, 30, "incremental, 3 % changed", &[pipeline::pages])?;
    Ok(vec![runs.beside(TARGET, pipeline::pages), runs.cpu(pipeline::pages)])
}

/// Hardly anything changed: a day as any other, and for information beside hashing alone.
pub fn few(bench: &mut Workbench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (changed, what) in [(5, "incremental, 0.5 % changed"), (0, "incremental, 0 % changed")] {
        let runs = days(bench, RUNS, changed, what, &[pipeline::pages, pipeline::pages_unchanged])?;
        rows.push(runs.beside(TARGET, pipeline::pages));
        let hashing = runs.beside_limit(Target::NONE, pipeline::pages_unchanged);
        rows.push(Row { what: format!("{what}, hashing"), ..hashing });
    }
    Ok(rows)
}

/// Every leaf page changed.
pub fn everything(bench: &mut Workbench) -> Result<Vec<Row>> {
    let runs = days(bench, 3, 1000, "incremental, 100 % changed", &[pipeline::pages])?;
    Ok(vec![runs.beside(Target::NONE, pipeline::pages)])
}

/// A usual day, of which nothing is in the page cache: beside what the disk gives, or the cores if that is less.
pub fn cold(bench: &mut Workbench) -> Result<Vec<Row>> {
    bench.forget_pool()?;
    let place = bench.place(&bench.database());
    bench.back_up(&place.input, LEVEL)?;
    let what = "incremental, 3 % changed, cold";
    let runs = Runs::backups(bench, what, &place, LEVEL, &[pipeline::pages_cold], 5, |bench| {
        bench.next_day(30)?;
        cool(&place.input)
    })?;
    Ok(vec![runs.beside_limit(Target::at_least(0.9, 0.97), pipeline::pages_cold)])
}
