//! The kernels on the data path, each beside what it is held against.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use reel_engine::chunk::gear;
use reel_engine::digest;
use reel_engine::frame::{Compression, FrameDecoder, FrameEncoder};
use reel_formats::ese::page::{Kernel, checksum};
use reel_tape::layout::frame::Frame;
use reel_tape::layout::record::HEADER_LEN;
use reel_workload::Store;
use std::hint::black_box;

const SAMPLE: usize = 16 << 20;
const PAGE: usize = 32 << 10;
const GROUP: usize = 256 << 10;

/// Takes a result that nobody wants, so that it is computed.
fn sink<T>(result: T) {
    black_box(result);
}

/// Pages of a store from the middle of its file.
fn sample() -> Vec<u8> {
    let store = Store::new(1, 256 << 20);
    let mut bytes = vec![0; SAMPLE];
    store.read_at(&mut bytes, store.len() / 2 / PAGE as u64 * PAGE as u64);
    bytes
}

fn cut_points(c: &mut Criterion) {
    let bytes = sample();
    let gear = gear::GEAR.map(u64::from);
    let shifted = gear.map(|g| g << 1);
    let (before, after) = (u64::from(gear::MASK_BEFORE), u64::from(gear::MASK_AFTER));
    let mut group = c.benchmark_group("cut points");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(20);
    group.bench_function("gear::cut", |b| {
        b.iter(|| {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                rest = &rest[black_box(gear::cut(rest))..];
            }
        });
    });
    group.bench_function("fastcdc cut_gear", |b| {
        let (low, middle, high) = (gear::MIN, gear::AVERAGE, gear::MAX);
        b.iter(|| {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (_, at) = fastcdc::v2020::cut_gear(
                    rest,
                    low,
                    middle,
                    high,
                    before,
                    after,
                    before << 1,
                    after << 1,
                    &gear,
                    &shifted,
                );
                rest = &rest[black_box(at)..];
            }
        });
    });
    group.finish();
}

fn digests(c: &mut Criterion) {
    let bytes = sample();
    let mut group = c.benchmark_group("digest");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(20);
    for kib in [4, 8, 16, 32] {
        group.bench_function(BenchmarkId::new("digest::of, KiB", kib), |b| {
            b.iter(|| bytes.chunks(kib << 10).map(digest::of).for_each(sink));
        });
    }
    group.bench_function("blake3::hash of 1 MiB", |b| {
        b.iter(|| bytes.chunks(1 << 20).map(blake3::hash).for_each(sink));
    });
    group.finish();
}

fn pages(c: &mut Criterion) {
    let bytes = sample();
    let first = (256 << 20) / 2 / PAGE as u32 - 1;
    assert!(matches!(
        checksum::verify(&bytes[..PAGE], first),
        checksum::PageState::Good | checksum::PageState::Zero
    ));
    let mut copy = vec![0; bytes.len()];
    let mut group = c.benchmark_group("page checksum");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(20);
    group.bench_function("verify", |b| {
        b.iter(|| {
            for (page, number) in bytes.chunks(PAGE).zip(first..) {
                black_box(checksum::verify(page, number));
            }
        });
    });
    group.bench_function("crc32c", |b| b.iter(|| crc32c::crc32c(black_box(&bytes))));
    group.bench_function("memcpy", |b| b.iter(|| copy.copy_from_slice(black_box(&bytes))));
    group.finish();
}

fn frames(c: &mut Criterion) {
    let bytes = sample();
    let pages = || (0..bytes.len()).step_by(PAGE).map(|at| at..at + PAGE);
    let mut group = c.benchmark_group("frame");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(10);
    let mut encoder = FrameEncoder::new(Compression::Zstd(1)).expect("level 1 is accepted");
    let mut records = Vec::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            records.clear();
            black_box(encoder.encode(1, 0, 0, &bytes, pages(), &mut records))
                .expect("memory takes everything")
        });
    });
    let mut compressor = zstd::bulk::Compressor::new(1).expect("level 1 is accepted");
    let mut packed = Vec::with_capacity(zstd::zstd_safe::compress_bound(GROUP));
    group.bench_function("zstd bulk", |b| {
        b.iter(|| {
            for plain in bytes.chunks(GROUP) {
                packed.clear();
                compressor.compress_to_buffer(plain, &mut packed).expect("the buffer is large enough");
            }
        });
    });
    records.clear();
    let encoded = encoder.encode(1, 0, 0, &bytes, pages(), &mut records).expect("memory takes everything");
    let mut decoder = FrameDecoder::new().expect("zstd is linked in");
    group.bench_function("decode", |b| {
        b.iter(|| {
            let mut rest = &records[..];
            for one in &encoded {
                let (record, later) = rest.split_at(one.length as usize);
                rest = later;
                let frame = Frame::decode(&record[HEADER_LEN..]).expect("just encoded");
                black_box(decoder.decode(&frame)).expect("just encoded");
            }
        });
    });
    group.finish();
}

/// One batch of pages again and again, as it lies in the second-level cache behind read(2).
fn page_kernels(c: &mut Criterion) {
    let bytes = &sample()[..GROUP];
    let mut copy = vec![0; bytes.len()];
    let mut group = c.benchmark_group("page checksum in cache");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(20);
    for block in [1024, 2048, 4096, 8192] {
        for kernel in Kernel::available() {
            group.bench_function(BenchmarkId::new(kernel.name(), block), |b| {
                b.iter(|| {
                    for (block, number) in bytes.chunks(block).zip(0..) {
                        black_box(kernel.xor_ecc(block, number, false));
                    }
                });
            });
        }
    }
    group.bench_function("memcpy", |b| b.iter(|| copy.copy_from_slice(black_box(bytes))));
    group.finish();
}

criterion_group!(kernels, cut_points, digests, pages, page_kernels, frames);
criterion_main!(kernels);
