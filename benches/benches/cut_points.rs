//! The kernels that cut content, beside the `fastcdc` crate on the same tables, sizes and masks; and cutting along an earlier
//! version, beside hashing alone.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fastcdc::v2020::{MASKS, cut_gear, get_gear_with_seed};
use reel_engine::chunk::chain::Cut;
use reel_engine::chunk::gear::{self, Gear, Kernel, Params};
use reel_engine::chunk::guide::Guide;
use reel_engine::digest;
use reel_engine::index::Name;
use reel_engine::index::previous::Known;
use reel_workload::Store;
use std::hint::black_box;

/// A window of a stream, and a buffer that no cache holds.
const LENGTHS: [usize; 2] = [8 << 20, 64 << 20];

/// Cuts all of `bytes` with the crate.
fn crate_cuts(table: &[u64; 256], params: &Params, bytes: &[u8]) {
    let shifted = table.map(|g| g << 1);
    let (before, after) = params.masks();
    let (low, middle, high) = (params.min(), params.average(), params.max());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (_, at) =
            cut_gear(rest, low, middle, high, before, after, before << 1, after << 1, table, &shifted);
        rest = &rest[black_box(at)..];
    }
}

fn cut_points(c: &mut Criterion) {
    let aes = gear::GEAR.map(u64::from);
    let (standard, _) = get_gear_with_seed(0);
    let level_2 = Params::new([gear::MIN, gear::AVERAGE, gear::MAX], MASKS[16], MASKS[12])
        .expect("the sizes of a pool are good for any mask");
    for length in LENGTHS {
        let store = Store::new(1, 256 << 20);
        let mut bytes = vec![0; length];
        store.read_at(&mut bytes, 64 << 20);
        let mut group = c.benchmark_group(format!("cut points of {} MiB", length >> 20));
        group.throughput(Throughput::Bytes(length as u64)).sample_size(20);
        group.bench_function("fastcdc, AES table", |b| b.iter(|| crate_cuts(&aes, &Params::POOL, &bytes)));
        for kernel in Kernel::ALL {
            let Some(gear) = Gear::aes(gear::AVERAGE, kernel) else {
                eprintln!("this processor lacks the kernel {}: not measured", kernel.name());
                continue;
            };
            let mut lengths = Vec::new();
            group.bench_function(BenchmarkId::new("kernel, AES table", kernel.name()), |b| {
                b.iter(|| {
                    lengths.clear();
                    gear.cuts(black_box(&bytes), length, &mut lengths);
                });
            });
        }
        group.bench_function("fastcdc, standard table", |b| {
            b.iter(|| crate_cuts(&standard, &level_2, &bytes));
        });
        let gear = Gear::of_table(&standard, level_2);
        let mut lengths = Vec::new();
        group.bench_function("lanes, standard table", |b| {
            b.iter(|| {
                lengths.clear();
                gear.cuts(black_box(&bytes), length, &mut lengths);
            });
        });
        group.finish();
    }
}

/// The recipe of an earlier version.
fn recipe(gear: &Gear, bytes: &[u8]) -> Vec<Known> {
    let mut lengths = Vec::new();
    gear.cuts(bytes, bytes.len(), &mut lengths);
    let name = Name { set: 1, segment: 0, index: 0 };
    let mut at = 0;
    let chunk = |length: u32| {
        let offset = at;
        at += length as usize;
        Known { offset: offset as u64, length, digest: digest::of(&bytes[offset..at]), name }
    };
    lengths.into_iter().map(chunk).collect()
}

fn guided(c: &mut Criterion) {
    let gear = Gear::of_pool(Kernel::fastest());
    let old = Store::new(1, 256 << 20);
    let mut old_bytes = vec![0; LENGTHS[1]];
    let mut changed = old_bytes.clone();
    old.read_at(&mut old_bytes, 64 << 20);
    old.next_day(30, 0).read_at(&mut changed, 64 << 20);
    let known = recipe(&gear, &old_bytes);
    let mut moved = changed.clone();
    moved.splice(1_000_000..1_000_000, *b"ten bytes.");
    let chunks = recipe(&gear, &changed);

    let mut group = c.benchmark_group("3 % of the pages changed");
    group.throughput(Throughput::Bytes(changed.len() as u64)).sample_size(20);
    group.bench_function("hash alone, in chunks", |b| {
        b.iter(|| {
            for chunk in &chunks {
                let begin = chunk.offset as usize;
                black_box(digest::of(&changed[begin..begin + chunk.length as usize]));
            }
        });
    });
    group.bench_function("hash alone, in MiB", |b| {
        b.iter(|| {
            for part in changed.chunks(1 << 20) {
                black_box(digest::of(part));
            }
        });
    });
    group.bench_function("cut and hash", |b| {
        b.iter(|| {
            let mut lengths = Vec::new();
            gear.cuts(black_box(&changed), changed.len(), &mut lengths);
            let mut rest = &changed[..];
            for length in lengths {
                black_box(digest::of(&rest[..length as usize]));
                rest = &rest[length as usize..];
            }
        });
    });
    let mut cuts: Vec<Cut> = Vec::new();
    for (what, bytes) in [("guided, in place", &changed), ("guided, ten bytes inserted", &moved)] {
        group.bench_function(what, |b| {
            b.iter(|| {
                cuts.clear();
                let mut guide = Guide::new(&gear, &known, 0, 0);
                let end = guide.cut(black_box(bytes), 0, bytes.len(), &mut cuts);
                assert_eq!(end, bytes.len(), "the guide is not lost");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, cut_points, guided);
criterion_main!(benches);
