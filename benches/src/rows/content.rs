//! A file that is no database: the same bytes behind a few others, so that they are cut by content.

use super::runs::{BackupModel, Runs};
use crate::Result;
use crate::pipeline::{self, Shares};
use crate::row::{Row, Target};
use crate::workbench::Workbench;
use reel_engine::frame::Compression;
use std::path::PathBuf;

const RUNS: usize = 5;
const LEVEL: Compression = Compression::Zstd(1);
/// What must be reached by days of which something is new.
const CHANGED: Target = Target::at_least(0.8, 0.95);
/// What is in front of the store's bytes.
const PREFIX: [u8; 1] = [0x5A];

fn file(bench: &Workbench) -> PathBuf {
    bench.folder().join("content.bin")
}

/// Backups of the file after each change, in a pool that has it.
fn days(
    bench: &mut Workbench,
    what: &str,
    model: BackupModel,
    change: impl FnMut(&mut Workbench) -> Result<()>,
) -> Result<Runs<Shares>> {
    let place = bench.place(&file(bench));
    bench.copy_behind(&PREFIX, &place.input)?;
    bench.forget_pool()?;
    bench.back_up(&place.input, LEVEL)?;
    Runs::backups(bench, what, &place, LEVEL, &[model], RUNS, change)
}

/// Of 1,000 pages so many are others.
fn changed_pages(per_mille: u32) -> impl FnMut(&mut Workbench) -> Result<()> {
    move |bench| {
        bench.next_day(per_mille)?;
        bench.copy_behind(&PREFIX, &file(bench))
    }
}

/// A first backup.
pub fn first(bench: &mut Workbench) -> Result<Vec<Row>> {
    let place = bench.place(&file(bench));
    bench.copy_behind(&PREFIX, &place.input)?;
    let what = "CDC file, first full, zstd 1";
    let runs =
        Runs::backups(bench, what, &place, LEVEL, &[pipeline::content], RUNS, |bench| bench.forget_pool())?;
    Ok(vec![runs.beside(Target::at_least(0.8, 0.9), pipeline::content), runs.cpu(pipeline::content)])
}

/// Days on which 3 % of the pages changed, and days on which everything moved.
pub fn changed(bench: &mut Workbench) -> Result<Vec<Row>> {
    let runs = days(bench, "CDC file, 3 % of its pages changed", pipeline::content, changed_pages(30))?;
    let mut rows = vec![runs.beside(CHANGED, pipeline::content), runs.cpu(pipeline::content)];
    let mut prefix = PREFIX.to_vec();
    let runs = days(bench, "CDC file, shifted by 1,001 bytes", pipeline::content, |bench| {
        prefix.extend_from_slice(&[0xA5; 1001]);
        bench.copy_behind(&prefix, &file(bench))
    })?;
    rows.push(runs.beside(CHANGED, pipeline::content));
    Ok(rows)
}

/// Hardly anything changed, and nothing.
pub fn unchanged(bench: &mut Workbench) -> Result<Vec<Row>> {
    let (model, target): (BackupModel, _) = (pipeline::content_unchanged, Target::at_least(0.75, 0.85));
    let few = days(bench, "CDC file, 0.5 % of its pages changed", model, changed_pages(5))?;
    let none = days(bench, "CDC file, 0 % changed", model, |_| Ok(()))?;
    Ok([few, none].map(|runs| runs.beside_limit(target, model)).into())
}
