//! Kernels beside what they are held against, on the same bytes in turns.

use super::{Pending, ready};
use crate::Result;
use crate::cuts;
use crate::machine::timed;
use crate::row::{Row, Target, Unit};
use crate::workbench::Workbench;
use reel_engine::chunk::gear::{self, Gear, Kernel, Params};
use reel_engine::digest;
use std::hint::black_box;

/// Turns; the fastest of each side counts.
const RUNS: u32 = 7;
/// Bytes that the kernels are run on.
const SAMPLE: u64 = 64 << 20;
/// One long input of BLAKE3.
const LONG: usize = 1 << 20;

/// Rates of two ways over as many bytes, taken in turns, so that a busy moment of the machine does not hit one of them
/// alone.
fn beside(bytes: usize, mut one: impl FnMut(), mut other: impl FnMut()) -> Result<(f64, f64)> {
    let mut seconds = [f64::INFINITY; 2];
    for _ in 0..RUNS {
        for (way, seconds) in [&mut one as &mut dyn FnMut(), &mut other].into_iter().zip(&mut seconds) {
            let (span, ()) = timed(|| {
                way();
                Ok(())
            })?;
            // One thread, which waits for nothing.
            *seconds = seconds.min(span.cpu);
        }
    }
    let [one, other] = seconds.map(|seconds| bytes as f64 / seconds);
    Ok((one, other))
}

/// A kernel's row.
fn row(what: impl Into<String>, (reached, limit): (f64, f64), terms: &str, target: Target) -> Pending {
    ready(Row::new(what, Unit::Rate, reached, limit, terms).target(target))
}

/// The cut points of the crate's own table by four interleaved chains, beside the crate.
pub fn gear_lanes(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let sample = bench.sample(SAMPLE)?;
    let (table, params) = cuts::crate_table();
    let gear = Gear::of_table(&table, params);
    let rates = beside(
        sample.len(),
        || drop(black_box(cuts::lengths(&gear, &sample))),
        || cuts::by_crate(&table, &params, &sample),
    )?;
    Ok(vec![row(
        "cut points by four chains",
        rates,
        "the fastcdc crate, its own table",
        Target::at_least(1.5, 1.8),
    )])
}

/// The cut points of the AES gear table by every kernel that the processor has, beside the crate with the same table.
pub fn gear_aes(bench: &mut Workbench) -> Result<Vec<Pending>> {
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
        let rates = beside(
            sample.len(),
            || drop(black_box(cuts::lengths(&gear, &sample))),
            || cuts::by_crate(&table, &Params::POOL, &sample),
        )?;
        let what = format!("cut points, AES gear, {}", kernel.name());
        rows.push(row(what, rates, "the fastcdc crate, same table", target));
    }
    Ok(rows)
}

/// Cutting and hashing along an earlier version of which 3 % of the pages were others, beside hashing alone: of the same chunks,
/// and of long inputs.
pub fn guided(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let gear = Gear::of_pool(Kernel::fastest());
    let old = cuts::recipe(&gear, &bench.sample(SAMPLE)?);
    bench.next_day(30)?;
    let new = bench.sample(SAMPLE)?;
    let chunks = cuts::recipe(&gear, &new);
    let mut found = Vec::with_capacity(2 * chunks.len());
    let mut guided = || cuts::along(&gear, &old, &new, &mut found);
    let rates = beside(new.len(), &mut guided, || cuts::hash(&chunks, &new))?;
    let beside_long = beside(new.len(), &mut guided, || {
        for long in new.chunks(LONG) {
            black_box(blake3::hash(long));
        }
    })?;
    let what = "cut along the recipe and hash, 3 % changed";
    Ok(vec![
        row(what, rates, "BLAKE3 of the same chunks", Target::at_least(0.75, 0.85)),
        row(what, beside_long, "blake3::hash of 1 MiB", Target::NONE),
    ])
}

/// Digests of page units, beside BLAKE3 of one 1 MiB input.
pub fn batched_digests(bench: &mut Workbench) -> Result<Vec<Pending>> {
    let sample = bench.sample(SAMPLE)?;
    let mut rows = Vec::new();
    for kib in [4, 8, 16, 32] {
        let units: Vec<&[u8]> = sample.chunks(kib << 10).collect();
        let mut digests = Vec::with_capacity(units.len());
        let rates = beside(
            sample.len(),
            || {
                for batch in units.chunks(LONG / (kib << 10)) {
                    digests.clear();
                    digest::of_each(batch, &mut digests);
                    black_box(&digests);
                }
            },
            || {
                for long in sample.chunks(LONG) {
                    black_box(blake3::hash(long));
                }
            },
        )?;
        let what = format!("BLAKE3 of {kib} KiB units");
        rows.push(row(what, rates, "blake3::hash of 1 MiB", Target::at_least(0.9, 1.05)));
    }
    Ok(rows)
}
