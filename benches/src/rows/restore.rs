//! The way back.

use super::runs::{Run, Runs};
use crate::Result;
use crate::gauge::{GROUP, Gauge, Place};
use crate::machine::{Span, timed};
use crate::model::Model;
use crate::pipeline;
use crate::row::{Row, Target, Unit};
use crate::stage::Stage;
use crate::turns::in_turns;
use crate::workbench::Workbench;
use reel_engine::frame::Compression;
use reel_engine::memory::Memory;
use reel_engine::plan::Plan;
use reel_engine::pool::Pool;
use reel_engine::progress::Monitor;
use reel_engine::restore::RestoreReport;
use reel_engine::restore::pass::{self, PassReport, Sink};
use reel_engine::restore::read_at::StoredStream;
use reel_formats::ese::database::DatabaseFile;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

const RUNS: usize = 5;
const VERIFIED_RUNS: usize = 7;
const TARGET: Target = Target::at_least(0.8, 0.95);

/// Takes everything and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&self, _: u32, _: u64, _: &[u8]) -> reel_engine::Result<()> {
        Ok(())
    }
}

/// A whole set, from the page cache to a new file that is verified, synced and renamed, and to nowhere.
pub fn full(bench: &mut Workbench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for level in [-1, 1] {
        bench.forget_pool()?;
        bench.back_up(&bench.database(), Compression::Zstd(level))?;
        let place = bench.place(&bench.database());
        let what = format!("restore to a file, zstd {level}");
        rows.extend(to_a_file(bench, &what, &place, &pipeline::restore_files(level, Stage::HashPages, 1.0))?);
        let what = format!("restore to nowhere, zstd {level}");
        let model = pipeline::restore_nowhere(level, Stage::HashPages, 1.0);
        let bytes = bench.store().len();
        let run = || Ok(Run { bytes, span: nowhere(bench)?, told: () });
        let runs = Runs::measure(what, &place, std::slice::from_ref(&model), RUNS, run)?;
        rows.push(runs.beside(TARGET, |()| model.clone()));
    }
    Ok(rows)
}

/// Restores of the newest set, whose only file is that of `place`: their rate, and their CPU seconds.
pub(super) fn to_a_file(bench: &Workbench, what: &str, place: &Place, model: &Model) -> Result<[Row; 2]> {
    let runs = Runs::measure(what, place, std::slice::from_ref(model), RUNS, || {
        let (span, report) = bench.restore(&place.input)?;
        Ok(Run { bytes: report.bytes, span, told: () })
    })?;
    let model = |(): &()| model.clone();
    Ok([runs.beside(TARGET, model), runs.cpu(model)])
}

/// Plan and forward pass alone, the bytes dropped.
fn nowhere(bench: &Workbench) -> Result<Span> {
    Ok(timed(|| run_pass(bench, &Nowhere, pass::run))?.0)
}

/// [`pass::run`], or the same without digests.
type Pass = fn(&Arc<Pool>, &Plan, &dyn Sink, usize, Memory, &Monitor) -> reel_engine::Result<PassReport>;

fn run_pass(bench: &Workbench, sink: &dyn Sink, run: Pass) -> Result<()> {
    let pool = bench.open_pool()?;
    let plan = Plan::new(&pool, pool.choose("latest")?, Memory::DEFAULT, |_| true)?;
    let report = run(&pool, &plan, sink, bench.threads(), Memory::DEFAULT, &Monitor::default())?;
    if report.lost.is_empty() { Ok(()) } else { Err("a damaged restore".into()) }
}

/// One file that is there already: what a restore writes, and nothing else.
struct OneFile(File);

impl Sink for OneFile {
    fn write(&self, _: u32, offset: u64, bytes: &[u8]) -> reel_engine::Result<()> {
        self.0.write_all_at(bytes, offset).map_err(|e| reel_engine::Error::io("verified", "cannot write", e))
    }
}

/// What the digests of frames and chunks add to a restore without them, both into a file that stays in the page cache.
pub fn verification(bench: &mut Workbench) -> Result<Vec<Row>> {
    bench.forget_pool()?;
    bench.back_up(&bench.database(), Compression::Zstd(1))?;
    let path = bench.folder().join("verified");
    let file = OneFile(File::create(&path)?);
    let span = |run: Pass| Ok(timed(|| run_pass(bench, &file, run))?.0);
    // So that all runs overwrite.
    span(pass::run)?;
    let turns = in_turns(VERIFIED_RUNS, || span(pass::run_without_digests), || span(pass::run))?;
    std::fs::remove_file(path)?;
    let row = |what, seconds: fn(&Span) -> f64| {
        Row::median(turns.iter().map(|turn| {
            let without = f64::midpoint(seconds(&turn.before), seconds(&turn.after));
            let added = seconds(&turn.run) - without;
            let row = Row::new(what, Unit::Seconds, added, without, "the restore without digests");
            row.target(Target::at_most(0.22, 0.15))
        }))
    };
    Ok(vec![
        row("verification of a restore, zstd 1", |span| span.wall),
        row("verification of a restore, zstd 1, CPU", |span| span.cpu),
    ])
}

/// The newest set when a tenth of its pages stand in the frames of the set before, among others that nobody wants any
/// more: those are decoded too.
pub fn scattered(bench: &mut Workbench) -> Result<Vec<Row>> {
    let compression = Compression::Zstd(1);
    bench.forget_pool()?;
    let old = bench.back_up(&bench.database(), compression)?;
    bench.next_day(900)?;
    bench.back_up(&bench.database(), compression)?;
    // Frames of both sets hold about as many bytes for each stored byte.
    let decoded = |report: &RestoreReport| {
        report.stored_bytes as f64 * old.new_bytes as f64 / old.stored_bytes as f64 / report.bytes as f64
    };
    let model = |decoded: &f64| pipeline::restore_files(1, Stage::HashPages, *decoded);
    let (what, place) = ("restore to a file, 10 % of it scattered", bench.place(&bench.database()));
    let runs = Runs::measure(what, &place, &[model(&1.0)], RUNS, || {
        let (span, report) = bench.restore(&place.input)?;
        Ok(Run { bytes: report.bytes, span, told: decoded(&report) })
    })?;
    Ok(vec![runs.beside(TARGET, model)])
}

/// One page of a stored database: opening the pool and its recipe, and then single pages, each of which needs its frame.
pub fn one_page(bench: &mut Workbench) -> Result<Vec<Row>> {
    let level = 1;
    bench.forget_pool()?;
    bench.back_up(&bench.database(), Compression::Zstd(level))?;
    let frame = Stage::Decode(level);
    let mut gauge = Gauge::new(&bench.place(&bench.database()), [frame])?;
    let limit = || Ok(GROUP as f64 / gauge.measure()?.best.rate(frame));
    let turns = in_turns(RUNS, limit, || pages_of_a_new_pool(bench))?;
    let opening = turns.iter().map(|turn| {
        let seconds = turn.run.opening;
        Row::new("restore of a page, opening", Unit::Seconds, seconds, seconds, "itself: no limit is known")
    });
    let page = turns.iter().map(|turn| {
        Row::new("restore of a page", Unit::Seconds, turn.run.page, turn.limit(), "decode of one frame")
    });
    Ok(vec![Row::median(opening), Row::median(page)])
}

/// Seconds of opening, and of a page in the middle.
struct Pages {
    opening: f64,
    page: f64,
}

fn pages_of_a_new_pool(bench: &Workbench) -> Result<Pages> {
    const PAGES: u64 = 101;
    let name = b"mail.edb";
    let (opening, stream) =
        timed(|| Ok(StoredStream::open(&bench.open_pool()?, "latest", name, Memory::DEFAULT)?))?;
    let mut page = vec![0; bench.page_size()];
    let pages = bench.store().len() / page.len() as u64;
    let mut seconds = Vec::new();
    for number in 0..PAGES {
        // Far from each other, and never twice the same frame.
        let at = (number * (pages / PAGES) + number % 7) * page.len() as u64;
        let begin = Instant::now();
        if stream.read_at(at, &mut page)? != page.len() {
            return Err(format!("a short page at byte {at}").into());
        }
        seconds.push(begin.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Pages { opening: opening.wall, page: seconds[seconds.len() / 2] })
}
