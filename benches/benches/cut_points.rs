//! The kernels that cut content, beside the `fastcdc` crate on the same tables, sizes and masks; and cutting along an earlier
//! version, beside hashing alone.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use reel_benches::cuts;
use reel_engine::chunk::chain::Cut;
use reel_engine::chunk::gear::{self, Gear, Kernel, Params};
use reel_engine::digest;
use reel_workload::Store;
use std::hint::black_box;

/// A window of a stream, and a buffer that no cache holds.
const LENGTHS: [usize; 2] = [8 << 20, 64 << 20];

fn cut_points(c: &mut Criterion) {
    let aes = gear::GEAR.map(u64::from);
    let (standard, level_2) = cuts::crate_table();
    for length in LENGTHS {
        let store = Store::new(1, 256 << 20);
        let mut bytes = vec![0; length];
        store.read_at(&mut bytes, 64 << 20);
        let mut group = c.benchmark_group(format!("cut points of {} MiB", length >> 20));
        group.throughput(Throughput::Bytes(length as u64)).sample_size(20);
        group
            .bench_function("fastcdc, AES table", |b| b.iter(|| cuts::by_crate(&aes, &Params::POOL, &bytes)));
        for kernel in Kernel::ALL {
            let Some(gear) = Gear::aes(gear::AVERAGE, kernel) else {
                eprintln!("this processor lacks the kernel {}: not measured", kernel.name());
                continue;
            };
            group.bench_function(BenchmarkId::new("kernel, AES table", kernel.name()), |b| {
                b.iter(|| cuts::lengths(&gear, &bytes));
            });
        }
        group.bench_function("fastcdc, standard table", |b| {
            b.iter(|| cuts::by_crate(&standard, &level_2, &bytes));
        });
        let gear = Gear::of_table(&standard, level_2);
        group.bench_function("lanes, standard table", |b| b.iter(|| cuts::lengths(&gear, &bytes)));
        group.finish();
    }
}

fn guided(c: &mut Criterion) {
    let gear = Gear::of_pool(Kernel::fastest());
    let old = Store::new(1, 256 << 20);
    let mut old_bytes = vec![0; LENGTHS[1]];
    let mut changed = old_bytes.clone();
    old.read_at(&mut old_bytes, 64 << 20);
    old.next_day(30, 0).read_at(&mut changed, 64 << 20);
    let known = cuts::recipe(&gear, &old_bytes);
    let mut moved = changed.clone();
    moved.splice(1_000_000..1_000_000, *b"ten bytes.");
    let chunks = cuts::recipe(&gear, &changed);

    let mut group = c.benchmark_group("3 % of the pages changed");
    group.throughput(Throughput::Bytes(changed.len() as u64)).sample_size(20);
    group.bench_function("hash alone, in chunks", |b| {
        b.iter(|| cuts::hash(&chunks, &changed));
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
            let mut rest = &changed[..];
            for length in cuts::lengths(&gear, &changed) {
                black_box(digest::of(&rest[..length as usize]));
                rest = &rest[length as usize..];
            }
        });
    });
    let mut found: Vec<Cut> = Vec::new();
    for (what, bytes) in [("guided, in place", &changed), ("guided, ten bytes inserted", &moved)] {
        group.bench_function(what, |b| {
            b.iter(|| cuts::along(&gear, &known, bytes, &mut found));
        });
    }
    group.finish();
}

criterion_group!(benches, cut_points, guided);
criterion_main!(benches);
