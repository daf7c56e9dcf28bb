//! The stages of the processor alone, each on the same bytes as the runs, best of several.

use crate::Result;
use crate::machine::best_cpu;
use reel_engine::chunk::gear::{Gear, Kernel};
use reel_engine::digest;
use reel_engine::frame::{Compression, compressor};
use serde::Serialize;
use std::hint::black_box;

/// Plain bytes of a frame.
pub(crate) const GROUP: usize = 256 << 10;
/// Chunks that are hashed in one go: equal ones side by side.
const BATCH: usize = 16;
/// Levels that the rows use.
const LEVELS: [i32; 3] = [-1, 1, 3];
/// Runs of a kernel, and of what takes long. Limits are measured before and after the cases, so these count twice.
const RUNS: usize = 5;
const SLOW_RUNS: usize = 3;

/// What zstd does at one level, in plain bytes a second.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Level {
    /// The level.
    pub level: i32,
    /// Compressing 256 KiB groups.
    pub compress: f64,
    /// Decoding them.
    pub decode: f64,
}

/// Rates of one thread on some data, in bytes a second.
#[derive(Debug, Clone, Serialize)]
pub struct Stages {
    /// Cut points of content-defined chunks, by the fastest kernel.
    pub cdc: f64,
    /// BLAKE3 of database pages, batched.
    pub hash: f64,
    /// BLAKE3 of content-defined chunks.
    pub hash_chunks: f64,
    /// zstd.
    pub levels: Vec<Level>,
}

impl Stages {
    /// Measures on `sample`, whose pages have `unit` bytes.
    pub fn measure(sample: &[u8], unit: usize) -> Result<Stages> {
        let rate = |seconds: f64| sample.len() as f64 / seconds;
        let gear = Gear::of_pool(Kernel::fastest());
        let chunks = split(sample, &cut(&gear, sample));
        let pages: Vec<&[u8]> = sample.chunks(unit).collect();
        Ok(Stages {
            cdc: rate(best_cpu(RUNS, || {
                black_box(cut(&gear, sample));
                Ok(())
            })?),
            hash: rate(best_cpu(RUNS, || {
                hash(&pages);
                Ok(())
            })?),
            hash_chunks: rate(best_cpu(RUNS, || {
                hash(&chunks);
                Ok(())
            })?),
            levels: LEVELS.into_iter().map(|level| Level::measure(sample, level)).collect::<Result<_>>()?,
        })
    }

    /// The rates of a level; infinite where nothing is compressed.
    pub fn level(&self, compression: Compression) -> Level {
        let free = Level { level: 0, compress: f64::INFINITY, decode: f64::INFINITY };
        match compression {
            Compression::None => free,
            Compression::Zstd(level) => *self
                .levels
                .iter()
                .find(|known| known.level == level)
                .expect("cases use the levels that are measured"),
        }
    }

    /// The higher rate of each, of two measurements: between them the machine may have been busy.
    pub fn best_of(self, other: &Stages) -> Stages {
        Stages {
            cdc: self.cdc.max(other.cdc),
            hash: self.hash.max(other.hash),
            hash_chunks: self.hash_chunks.max(other.hash_chunks),
            levels: self.levels.iter().zip(&other.levels).map(|(one, other)| one.best_of(other)).collect(),
        }
    }

    /// The rates with their names.
    pub fn named(&self) -> Vec<(String, f64)> {
        let mut named: Vec<(String, f64)> = [
            ("cut points", self.cdc),
            ("hash of pages", self.hash),
            ("hash of content-defined chunks", self.hash_chunks),
        ]
        .map(|(name, rate)| (name.to_owned(), rate))
        .into();
        for Level { level, compress, decode } in &self.levels {
            named.push((format!("zstd level {level}"), *compress));
            named.push((format!("decode of level {level}"), *decode));
        }
        named
    }
}

impl Level {
    fn measure(sample: &[u8], level: i32) -> Result<Level> {
        let mut compressor = compressor(level)?;
        let mut packed: Vec<Vec<u8>> = sample
            .chunks(GROUP)
            .map(|group| Vec::with_capacity(zstd::zstd_safe::compress_bound(group.len())))
            .collect();
        let there = best_cpu(SLOW_RUNS, || {
            for (group, packed) in sample.chunks(GROUP).zip(&mut packed) {
                packed.clear();
                compressor.compress_to_buffer(group, packed)?;
            }
            Ok(())
        })?;
        let mut decompressor = zstd::bulk::Decompressor::new()?;
        let mut plain = Vec::with_capacity(GROUP);
        let back = best_cpu(SLOW_RUNS, || {
            for packed in &packed {
                plain.clear();
                decompressor.decompress_to_buffer(packed, &mut plain)?;
            }
            Ok(())
        })?;
        let bytes = sample.len() as f64;
        Ok(Level { level, compress: bytes / there, decode: bytes / back })
    }

    fn best_of(&self, other: &Level) -> Level {
        Level {
            level: self.level,
            compress: self.compress.max(other.compress),
            decode: self.decode.max(other.decode),
        }
    }
}

/// Lengths of the content-defined chunks of some bytes.
fn cut(gear: &Gear, bytes: &[u8]) -> Vec<u32> {
    let mut lengths = Vec::with_capacity(bytes.len() / gear.params().min());
    gear.cuts(bytes, bytes.len(), &mut lengths);
    lengths
}

/// Bytes taken apart by lengths that add up to theirs.
fn split<'a>(mut bytes: &'a [u8], lengths: &[u32]) -> Vec<&'a [u8]> {
    let chunk = |length: &u32| {
        let (chunk, rest) = bytes.split_at(*length as usize);
        bytes = rest;
        chunk
    };
    lengths.iter().map(chunk).collect()
}

/// A batch at a time, as a worker does.
fn hash(chunks: &[&[u8]]) {
    let mut digests = Vec::with_capacity(BATCH);
    for batch in chunks.chunks(BATCH) {
        digests.clear();
        digest::of_each(batch, &mut digests);
        black_box(&digests);
    }
}
