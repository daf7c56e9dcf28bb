//! What a day costs on the medium, and what a run costs in memory.

use crate::Result;
use crate::memory;
use crate::row::{Row, Target, Unit};
use crate::workbench::Workbench;
use reel_engine::frame::{Compression, compressor};
use reel_engine::pool::Access;
use reel_tape::layout::block::BlockKind;
use reel_tape::volume::scan::{Event, Walk};

const LEVEL: i32 = 1;

/// A day with 3 % changed pages: stored bytes beside those pages compressed one by one, and everything else that is written
/// beside the bytes of the file.
pub fn a_day(bench: &mut Workbench) -> Result<Vec<Row>> {
    let compression = Compression::Zstd(LEVEL);
    bench.forget_pool()?;
    bench.back_up(&bench.database(), compression)?;
    let cached = folder_bytes(&bench.cache())?;
    bench.next_day(30)?;
    let report = bench.back_up(&bench.database(), compression)?;
    let cached = folder_bytes(&bench.cache())? - cached;

    let mut page = vec![0; bench.page_size()];
    let mut compressor = compressor(LEVEL)?;
    let (mut alone, mut changed) = (0, 0);
    for number in bench.store().changed_pages() {
        bench.store().read_at(&mut page, (u64::from(number) + 1) * bench.page_size() as u64);
        alone += compressor.compress(&page)?.len();
        changed += page.len();
    }
    let file = bench.store().len() as f64;
    let (metadata, kinds) = metadata(bench)?;
    let terms = format!("{:.1} MB of changed pages, each compressed alone", changed as f64 / 1e6);
    let row = |what, reached, limit, terms: &str| Row::new(what, Unit::Bytes, reached, limit, terms);
    Ok(vec![
        row("stored in a day, 3 % changed", report.stored_bytes as f64, alone as f64, &terms)
            .target(Target::at_most(1.05, 0.6)),
        row("recipes and tables of a day, on the volume", metadata as f64, file, &kinds)
            .target(Target::at_most(0.001, 0.0005)),
        row("growth of the cache in a day", cached as f64, file, "the file; only a cache"),
    ])
}

/// Bytes of the blocks of the newest set that hold no frames, and which they are.
fn metadata(bench: &Workbench) -> Result<(u64, String)> {
    let pool = bench.open_pool()?;
    let info = &pool.choose("latest")?.info;
    let mut medium = pool.shelf().open(&info.volume, Access::Read)?;
    let mut walk = Walk::new(&mut *medium, info.header_object, Some(info.end_object))?;
    let (mut tables, mut recipes, mut catalog) = (0, 0, 0);
    while let Some(event) = walk.step()? {
        let Event::Block(header) = event else { continue };
        let bytes = walk.payload().len() as u64;
        match header.kind {
            BlockKind::Data => {}
            BlockKind::Segment => tables += bytes,
            BlockKind::Recipe => recipes += bytes,
            _ => catalog += bytes,
        }
    }
    let terms = format!("the file; tables {tables}, recipes {recipes}, catalog and the rest {catalog} bytes");
    Ok((tables + recipes + catalog, terms))
}

fn folder_bytes(folder: &std::path::Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let (entry, kind) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        bytes += if kind.is_dir() { folder_bytes(&entry)? } else { kind.len() };
    }
    Ok(bytes)
}

/// Peaks of backup and restore in processes of their own, at two sizes, beside the bound that they were given; and what four
/// times as much adds, until the caches have what they may take.
pub fn peak_memory(bench: &mut Workbench) -> Result<Vec<Row>> {
    let bound = (memory::BOUND + memory::SLACK) as f64;
    let small = bench.store().len();
    let mut rows = Vec::new();
    let mut peaks = [[0; 2]; 2];
    for (bytes, peaks) in [small, 4 * small].into_iter().zip(&mut peaks) {
        let folder = tempfile::Builder::new().prefix("memory-").tempdir_in(bench.folder())?;
        *peaks = memory::check(folder.path(), bytes)?;
        for (what, peak) in memory::STEPS.into_iter().zip(*peaks) {
            let what = format!("peak memory, {what} of {} MiB", bytes >> 20);
            let row = Row::new(what, Unit::Bytes, peak as f64, bound, "the bound given, and what code needs");
            rows.push(row.target(Target::at_most(1.0, 1.0)));
        }
    }
    for (number, what) in memory::STEPS.into_iter().enumerate() {
        let [small, large] = peaks.map(|peaks| peaks[number] as f64);
        let what = format!("peak memory, {what}, growth by four times as much");
        let row =
            Row::new(what, Unit::Bytes, (large - small).max(0.0), bound, "the bound and what code needs");
        rows.push(row.target(Target::at_most(0.1, 0.05)));
    }
    Ok(rows)
}
