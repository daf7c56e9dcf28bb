//! The way back.

use super::{Pending, cpu_row, ready};
use crate::Result;
use crate::machine::{Span, timed};
use crate::pipeline;
use crate::row::{Row, Target, Unit};
use crate::stages::GROUP;
use crate::workbench::{Workbench, fastest};
use reel_engine::frame::Compression;
use reel_engine::memory::Memory;
use reel_engine::plan::Plan;
use reel_engine::pool::Pool;
use reel_engine::progress::Monitor;
use reel_engine::restore::pass::{self, PassReport, Sink};
use reel_engine::restore::read_at::StoredStream;
use reel_formats::ese::database::DatabaseFile;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

const RUNS: u32 = 5;
const TARGET: Target = Target::at_least(0.8, 0.95);

/// Takes everything and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&self, _: u32, _: u64, _: &[u8]) -> reel_engine::Result<()> {
        Ok(())
    }
}

/// A whole set, from the page cache to a new file that is verified, synced and renamed, and to nowhere.
pub fn full(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let mut rows: Vec<Pending> = Vec::new();
    for level in [-1, 1] {
        let compression = Compression::Zstd(level);
        bench.forget_pool()?;
        bench.back_up(&bench.database(), compression)?;
        let (span, report) = bench.restore(RUNS, &bench.database())?;
        let (bytes, cores) = (report.bytes, bench.threads());
        let what = format!("restore to a file, zstd {level}");
        let cpu = cpu_row(format!("{what}, CPU"), span);
        rows.push(Box::new(move |limits| {
            let model = pipeline::restore_files(limits, compression, 1.0);
            Row::of_run(what, bytes, span, &model, cores).target(TARGET)
        }));
        rows.push(Box::new(move |limits| cpu(bytes, &pipeline::restore_files(limits, compression, 1.0))));
        let (span, ()) = fastest(RUNS, || nowhere(bench))?;
        let what = format!("restore to nowhere, zstd {level}");
        rows.push(Box::new(move |limits| {
            let model = pipeline::restore_nowhere(limits, compression, 1.0);
            Row::of_run(what, bytes, span, &model, cores).target(TARGET)
        }));
    }
    Ok(rows)
}

/// Plan and forward pass alone, the bytes dropped.
fn nowhere(bench: &Workbench) -> Result<(Span, ())> {
    timed(|| run_pass(bench, &Nowhere, pass::run))
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

/// What the digests of frames and chunks add to a restore without them, both into a file that stays in the page cache; taken
/// in turns.
pub fn verification(bench: &mut Workbench) -> Result<Vec<Pending>> {
    bench.forget_pool()?;
    bench.back_up(&bench.database(), Compression::Zstd(1))?;
    let path = bench.folder().join("verified");
    let file = OneFile(File::create(&path)?);
    let passes: [Pass; 2] = [pass::run, pass::run_without_digests];
    let mut least = [Span { wall: f64::INFINITY, cpu: f64::INFINITY, others: 0.0 }; 2];
    for _ in 0..=RUNS {
        for (run, least) in passes.into_iter().zip(&mut least) {
            let (span, ()) = timed(|| run_pass(bench, &file, run))?;
            least.wall = least.wall.min(span.wall);
            least.cpu = least.cpu.min(span.cpu);
        }
    }
    std::fs::remove_file(path)?;
    let [with, without] = least;
    let row = |what, with: f64, without| {
        let row = Row::new(what, Unit::Seconds, with - without, without, "the restore without digests");
        ready(row.target(Target::at_most(0.22, 0.15)))
    };
    Ok(vec![
        row("verification of a restore, zstd 1", with.wall, without.wall),
        row("verification of a restore, zstd 1, CPU", with.cpu, without.cpu),
    ])
}

/// The newest set when a tenth of its pages stand in the frames of the set before, among others that nobody wants any
/// more: those are decoded too.
pub fn scattered(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let compression = Compression::Zstd(1);
    bench.forget_pool()?;
    let old = bench.back_up(&bench.database(), compression)?;
    bench.next_day(900)?;
    bench.back_up(&bench.database(), compression)?;
    let (span, report) = bench.restore(RUNS, &bench.database())?;
    // Frames of both sets hold about as many bytes for each stored byte.
    let plain = report.stored_bytes as f64 * old.new_bytes as f64 / old.stored_bytes as f64;
    let (bytes, cores) = (report.bytes, bench.threads());
    Ok(vec![Box::new(move |limits| {
        let decoded = plain / bytes as f64;
        let model = pipeline::restore_files(limits, compression, decoded);
        Row::of_run("restore to a file, 10 % of it scattered", bytes, span, &model, cores).target(TARGET)
    })])
}

/// One page of a stored database: opening the pool and its recipe, and then the median of single pages, each of which
/// needs its frame.
pub fn one_page(bench: &mut Workbench) -> Result<Vec<Pending>> {
    const PAGES: u64 = 101;
    let compression = Compression::Zstd(1);
    bench.forget_pool()?;
    bench.back_up(&bench.database(), compression)?;
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
    let median = seconds[seconds.len() / 2];
    let open = Row::new(
        "restore of a page, opening",
        Unit::Seconds,
        opening.wall,
        opening.wall,
        "itself: no limit is known",
    );
    Ok(vec![
        ready(open),
        Box::new(move |limits| {
            let limit = GROUP as f64 / limits.stages.level(compression).decode;
            Row::new("restore of a page, median", Unit::Seconds, median, limit, "decode of one frame")
        }),
    ])
}
