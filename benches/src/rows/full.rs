//! First backups of a database into a new pool.

use super::runs::Runs;
use crate::Result;
use crate::machine::timed;
use crate::pipeline::{self, Shares};
use crate::row::{Row, Target, Unit};
use crate::turns::in_turns;
use crate::workbench::Workbench;
use reel_engine::frame::Compression;

const RUNS: usize = 5;

/// First backups of the database, each into a new pool.
fn first(bench: &mut Workbench, what: &str, compression: Compression) -> Result<Runs<Shares>> {
    let place = bench.place(&bench.database());
    Runs::backups(bench, what, &place, compression, &[pipeline::pages], RUNS, |bench| bench.forget_pool())
}

/// At the levels for fast restore, by default, and for archives.
pub fn compressed(bench: &mut Workbench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for level in [-1, 1, 3] {
        let runs = first(bench, &format!("first full, zstd {level}"), Compression::Zstd(level))?;
        rows.push(runs.beside(Target::at_least(0.8, 0.9), pipeline::pages));
        rows.push(runs.cpu(pipeline::pages));
    }
    Ok(rows)
}

/// Without compression.
pub fn stored(bench: &mut Workbench) -> Result<Vec<Row>> {
    let runs = first(bench, "first full, none", Compression::None)?;
    Ok(vec![runs.beside(Target::at_least(0.7, 0.85), pipeline::pages)])
}

/// All workers beside one, where there are several cores.
pub fn more_workers(bench: &mut Workbench) -> Result<Vec<Row>> {
    let workers = bench.threads();
    if workers < 2 {
        return Ok(Vec::new());
    }
    let database = bench.database();
    let seconds = |threads| {
        bench.forget_pool()?;
        Ok(timed(|| bench.back_up_by(threads, &database, Compression::Zstd(1)))?.0.wall)
    };
    let turns = in_turns(RUNS, || seconds(1), || seconds(workers))?;
    let rate = |seconds| bench.store().len() as f64 / seconds;
    let all = workers as f64;
    let what = format!("first full, zstd 1, {workers} workers against one");
    Ok(vec![Row::median(turns.iter().map(|turn| {
        let row = Row::new(&what, Unit::Rate, rate(turn.run), rate(turn.limit()), "one worker");
        row.target(Target::at_least(0.9 * all, 0.975 * all))
    }))])
}
