//! Digests of many equal units beside one of as many bytes, on one buffer that lies in the second-level cache.

use criterion::{BenchmarkId, Criterion, Throughput};
use reel_engine::digest;
use reel_workload::Store;
use std::hint::black_box;
use std::time::{Duration, Instant};

const SAMPLE: usize = 1 << 20;
const UNITS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Rounds for the ratios, of which the fastest counts.
const ROUNDS: u32 = 1000;

fn sample() -> Vec<u8> {
    let store = Store::new(1, 64 << 20);
    let mut bytes = vec![0; SAMPLE];
    store.read_at(&mut bytes, store.len() / 2);
    bytes
}

/// Takes a result that nobody wants, so that it is computed.
fn sink<T>(result: T) {
    black_box(result);
}

fn one_by_one(units: &[&[u8]]) {
    units.iter().for_each(|unit| sink(digest::of(unit)));
}

fn digests(c: &mut Criterion, bytes: &[u8]) {
    let mut group = c.benchmark_group("digests");
    group.throughput(Throughput::Bytes(SAMPLE as u64)).sample_size(20);
    group.bench_function("blake3::hash of 1 MiB", |b| b.iter(|| blake3::hash(black_box(bytes))));
    let mut digests = Vec::new();
    for kib in UNITS {
        let units: Vec<&[u8]> = bytes.chunks(kib << 10).collect();
        group.bench_function(BenchmarkId::new("of_each, KiB", kib), |b| {
            b.iter(|| {
                digests.clear();
                digest::of_each(black_box(&units), &mut digests);
            });
        });
        group.bench_function(BenchmarkId::new("one by one, KiB", kib), |b| {
            b.iter(|| one_by_one(black_box(&units)));
        });
    }
    group.finish();
}

/// Rates against that of one digest of 1 MiB, taken in turns: both have the same noise around them.
fn ratios(bytes: &[u8]) {
    let time = |work: &mut dyn FnMut()| {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    let mut digests = Vec::new();
    for kib in UNITS {
        let units: Vec<&[u8]> = bytes.chunks(kib << 10).collect();
        let mut best = [Duration::MAX; 3];
        for _ in 0..ROUNDS {
            best[0] = best[0].min(time(&mut || sink(blake3::hash(black_box(bytes)))));
            best[1] = best[1].min(time(&mut || {
                digests.clear();
                digest::of_each(black_box(&units), &mut digests);
            }));
            best[2] = best[2].min(time(&mut || one_by_one(black_box(&units))));
        }
        let [whole, batched, alone] = best.map(|time| time.as_secs_f64());
        println!(
            "{kib:>2} KiB: of_each {:.2} x, one by one {:.2} x blake3::hash of 1 MiB",
            whole / batched,
            whole / alone
        );
    }
}

fn main() {
    let bytes = sample();
    let mut criterion = Criterion::default().configure_from_args();
    digests(&mut criterion, &bytes);
    criterion.final_summary();
    // Not when the test runner asks whether the bench runs.
    if std::env::args().any(|argument| argument == "--bench") {
        ratios(&bytes);
    }
}
