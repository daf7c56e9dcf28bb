//! A file of text, as logs and exported mail are: cut by content, and compressed far better than a database.

use super::restore::to_a_file;
use super::runs::Runs;
use crate::Result;
use crate::pipeline;
use crate::row::{Row, Target};
use crate::stage::Stage;
use crate::workbench::Workbench;
use reel_engine::frame::Compression;
use reel_workload::Text;
use std::fs::File;

const RUNS: usize = 5;
const LEVEL: i32 = 1;

/// First backups of a text half as long as the store, and its restore.
pub fn there_and_back(bench: &mut Workbench) -> Result<Vec<Row>> {
    let path = bench.folder().join("text.log");
    let file = File::create(&path)?;
    Text::new(1, bench.store().len() / 2).write_to(&file)?;
    file.sync_all()?;
    let place = bench.place_of_others(&path);
    let (what, compression) = (format!("text, first full, zstd {LEVEL}"), Compression::Zstd(LEVEL));
    let runs = Runs::backups(bench, what, &place, compression, &[pipeline::content], RUNS, |bench| {
        bench.forget_pool()
    })?;
    let mut rows =
        vec![runs.beside(Target::at_least(0.8, 0.9), pipeline::content), runs.cpu(pipeline::content)];
    let what = format!("text, restore to a file, zstd {LEVEL}");
    let model = pipeline::restore_files(LEVEL, Stage::HashChunks, 1.0);
    rows.extend(to_a_file(bench, &what, &place, &model)?);
    std::fs::remove_file(path)?;
    Ok(rows)
}
