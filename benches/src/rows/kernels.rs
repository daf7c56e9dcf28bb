//! Kernels beside what they are held against, on the same bytes in turns.

use crate::Result;
use crate::cuts;
use crate::machine::timed;
use crate::row::{Row, Target, Unit};
use crate::turns::in_turns;
use crate::workbench::Workbench;
use reel_engine::chunk::gear::{self, Gear, Kernel, Params};
use reel_engine::digest;
use std::hint::black_box;

const RUNS: usize = 7;
/// Bytes that the kernels are run on.
const SAMPLE: u64 = 64 << 20;
/// One long input of BLAKE3.
const LONG: usize = 1 << 20;

/// The rate of one way to pass over the bytes beside that of another one. Both have one thread, which waits for nothing, and
/// are measured by what it works.
fn beside(
    what: impl Into<String>,
    bytes: &[u8],
    mut way: impl FnMut(),
    mut other: impl FnMut(),
    terms: &str,
    target: Target,
) -> Result<Row> {
    let turns = in_turns(RUNS, || seconds(&mut other), || seconds(&mut way))?;
    let rate = |seconds| bytes.len() as f64 / seconds;
    let rows = turns
        .iter()
        .map(|turn| Row::new("", Unit::Rate, rate(turn.run), rate(turn.limit()), terms).target(target));
    Ok(Row { what: what.into(), ..Row::median(rows) })
}

fn seconds(way: &mut dyn FnMut()) -> Result<f64> {
    let (span, ()) = timed(|| {
        way();
        Ok(())
    })?;
    Ok(span.cpu)
}

/// The cut points of the crate's own table by four interleaved chains, beside the crate.
pub fn gear_lanes(bench: &mut Workbench) -> Result<Vec<Row>> {
    let sample = bench.sample(SAMPLE)?;
    let (table, params) = cuts::crate_table();
    let gear = Gear::of_table(&table, params);
    let row = beside(
        "cut points by four chains",
        &sample,
        || drop(black_box(cuts::lengths(&gear, &sample))),
        || cuts::by_crate(&table, &params, &sample),
        "the fastcdc crate, its own table",
        Target::at_least(1.5, 1.8),
    )?;
    Ok(vec![row])
}

/// The cut points of the AES gear table by every kernel that the processor has, beside the crate with the same table.
pub fn gear_aes(bench: &mut Workbench) -> Result<Vec<Row>> {
    let sample = bench.sample(SAMPLE)?;
    let table = gear::GEAR.map(u64::from);
    let mut rows = Vec::new();
    for (kernel, target) in [
        (Kernel::Scalar, Target::NONE),
        (Kernel::Lanes, Target::NONE),
        (Kernel::AesNi, Target::at_least(1.5, 1.8)),
        (Kernel::Vaes, Target::at_least(2.5, 2.9)),
        (Kernel::Gfni, Target::at_least(3.0, 3.7)),
    ] {
        let Some(gear) = Gear::aes(gear::AVERAGE, kernel) else {
            eprintln!("skipped: the kernel {}: this processor lacks it", kernel.name());
            continue;
        };
        rows.push(beside(
            format!("cut points, AES gear, {}", kernel.name()),
            &sample,
            || drop(black_box(cuts::lengths(&gear, &sample))),
            || cuts::by_crate(&table, &Params::POOL, &sample),
            "the fastcdc crate, same table",
            target,
        )?);
    }
    Ok(rows)
}

/// Cutting and hashing along an earlier version of which 3 % of the pages were others, beside hashing alone: of the same chunks,
/// and of long inputs.
pub fn guided(bench: &mut Workbench) -> Result<Vec<Row>> {
    let gear = Gear::of_pool(Kernel::fastest());
    let old = cuts::recipe(&gear, &bench.sample(SAMPLE)?);
    bench.next_day(30)?;
    let new = bench.sample(SAMPLE)?;
    let chunks = cuts::recipe(&gear, &new);
    let mut found = Vec::with_capacity(2 * chunks.len());
    let mut along = || cuts::along(&gear, &old, &new, &mut found);
    let what = "cut along the recipe and hash, 3 % changed";
    let target = Target::at_least(0.75, 0.85);
    Ok(vec![
        beside(what, &new, &mut along, || cuts::hash(&chunks, &new), "BLAKE3 of the same chunks", target)?,
        beside(what, &new, &mut along, || hash_long(&new), "blake3::hash of 1 MiB", Target::NONE)?,
    ])
}

fn hash_long(bytes: &[u8]) {
    for long in bytes.chunks(LONG) {
        black_box(blake3::hash(long));
    }
}

/// Digests of page units, beside BLAKE3 of one 1 MiB input.
pub fn batched_digests(bench: &mut Workbench) -> Result<Vec<Row>> {
    let sample = bench.sample(SAMPLE)?;
    let mut rows = Vec::new();
    for kib in [4, 8, 16, 32] {
        let units: Vec<&[u8]> = sample.chunks(kib << 10).collect();
        let mut digests = Vec::with_capacity(units.len());
        let batched = || {
            for batch in units.chunks(LONG / (kib << 10)) {
                digests.clear();
                digest::of_each(batch, &mut digests);
                black_box(&digests);
            }
        };
        let (what, target) = (format!("BLAKE3 of {kib} KiB units"), Target::at_least(0.9, 1.05));
        rows.push(beside(what, &sample, batched, || hash_long(&sample), "blake3::hash of 1 MiB", target)?);
    }
    Ok(rows)
}
