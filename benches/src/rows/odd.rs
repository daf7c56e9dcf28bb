//! Files that are not as usual: pages that only moved, zeros, bytes that nothing makes smaller.

use super::runs::{BackupModel, Runs};
use crate::Result;
use crate::pipeline;
use crate::row::{Row, Target};
use crate::workbench::Workbench;
use reel_engine::frame::Compression;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

const RUNS: usize = 5;
const LEVEL: Compression = Compression::Zstd(1);
/// Bytes that are made and written at a time.
const BUFFER: usize = 4 << 20;

/// A tenth of the pages have other places than the day before. An ESE page knows its number and is another one when it
/// moves; those of SQLite do not, so the file says that it is one.
pub fn moved_pages(bench: &mut Workbench) -> Result<Vec<Row>> {
    let page = bench.page_size();
    let mut header = vec![0; page];
    header[..16].copy_from_slice(b"SQLite format 3\0");
    header[16..18].copy_from_slice(&(page as u16).to_be_bytes());
    let path = bench.folder().join("moved.sqlite");
    bench.copy_behind(&header, &path)?;
    bench.forget_pool()?;
    bench.back_up(&path, LEVEL)?;
    let what = "incremental, 10 % of the pages moved";
    let mut day = 0;
    let runs = Runs::backups(bench, what, &bench.place(&path), LEVEL, &[pipeline::pages], RUNS, |_| {
        day += 1;
        swap_pages(&path, page, day)
    })?;
    Ok(vec![runs.beside(Target::at_least(0.8, 1.0), pipeline::pages)])
}

/// Of each 20 pages two change places with each other: other ones every day.
fn swap_pages(path: &Path, page: usize, day: u64) -> Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let pages = file.metadata()?.len() / page as u64;
    let (mut one, mut other) = (vec![0; page], vec![0; page]);
    for begin in (1..pages.saturating_sub(20)).step_by(20) {
        let (a, b) = ((begin + day % 9) * page as u64, (begin + 10 + day % 7) * page as u64);
        file.read_exact_at(&mut one, a)?;
        file.read_exact_at(&mut other, b)?;
        file.write_all_at(&one, b)?;
        file.write_all_at(&other, a)?;
    }
    Ok(file.sync_all()?)
}

/// Zeros that were written, no holes: they are read, and that is all.
pub fn zeros(bench: &mut Workbench) -> Result<Vec<Row>> {
    let path = bench.folder().join("zeros.bin");
    let mut file = File::create(&path)?;
    let zeros = vec![0; BUFFER];
    for _ in 0..bench.store().len().div_ceil(BUFFER as u64) {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    first_full(bench, "zeros, first full", &path, pipeline::zeros)
}

/// What is compressed or encrypted already, half as much as the store.
pub fn incompressible(bench: &mut Workbench) -> Result<Vec<Row>> {
    let path = bench.folder().join("noise.bin");
    let mut file = File::create(&path)?;
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut buffer = vec![0; BUFFER];
    for _ in 0..bench.store().len().div_ceil(2 * BUFFER as u64) {
        noise.fill(&mut buffer);
        file.write_all(&buffer)?;
    }
    file.sync_all()?;
    first_full(bench, "incompressible CDC file, first full, zstd 1", &path, pipeline::incompressible)
}

/// First backups of a file of other bytes than the store's, which is removed then.
fn first_full(bench: &mut Workbench, what: &str, path: &Path, model: BackupModel) -> Result<Vec<Row>> {
    let place = bench.place_of_others(path);
    let runs = Runs::backups(bench, what, &place, LEVEL, &[model], RUNS, |bench| bench.forget_pool())?;
    std::fs::remove_file(path)?;
    Ok(vec![runs.beside(Target::NONE, model)])
}
