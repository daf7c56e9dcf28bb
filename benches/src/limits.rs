//! The limits of this machine: each stage alone, on the same data, best of several runs.

use crate::Result;
use crate::machine::timed;
use reel_engine::chunk::gear;
use reel_engine::digest;
use serde::Serialize;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of one read, and of one copy.
const BUFFER: usize = 4 << 20;
/// Bytes of one write.
const WRITE: usize = 1 << 20;
/// Plain bytes of a frame.
const GROUP: usize = 256 << 10;
/// Most bytes of the data that the kernels are run on.
const SAMPLE: u64 = 256 << 20;
/// Runs of a kernel, and of what takes long; the fastest counts.
const RUNS: usize = 5;
const SLOW_RUNS: usize = 3;

/// Rates in bytes a second; one thread where nothing else is said.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Limits {
    /// `read(2)` of the input, warm.
    pub read: f64,
    /// The same by all threads together.
    pub read_all: f64,
    /// Cut points of content-defined chunks.
    pub cdc: f64,
    /// BLAKE3 of database pages, one by one.
    pub hash: f64,
    /// BLAKE3 of content-defined chunks, one by one.
    pub hash_cdc: f64,
    /// zstd level 1 of 256 KiB groups, in plain bytes.
    pub zstd: f64,
    /// Decoding those groups, in plain bytes.
    pub decode: f64,
    /// Buffered sequential writing of a new file.
    pub write: f64,
    /// The same until it is durable.
    pub write_durable: f64,
    /// Copying in memory.
    pub copy: f64,
    /// The same by all threads together.
    pub copy_all: f64,
}

impl Limits {
    /// Measures on the file `input`, whose pages have `unit` bytes, writing as many bytes beside it in `folder`.
    pub fn measure(input: &Path, unit: usize, folder: &Path, threads: usize) -> Result<Limits> {
        let file = File::open(input)?;
        let length = file.metadata()?.len();
        let mut sample = vec![0; usize::try_from(length.min(SAMPLE))?];
        file.read_exact_at(&mut sample, 0)?;
        let bytes = sample.len() as f64;
        let mut limits = Limits {
            read: length as f64 / best(RUNS, || read_by(&file, length, 1, BUFFER))?,
            read_all: length as f64 / best(RUNS, || read_by(&file, length, threads, BUFFER))?,
            cdc: bytes
                / best(RUNS, || {
                    cut(&sample);
                    Ok(())
                })?,
            hash: bytes
                / best(RUNS, || {
                    hash(sample.chunks(unit));
                    Ok(())
                })?,
            copy: copied(bytes, 1)?,
            copy_all: copied(bytes, threads)?,
            ..Limits::default()
        };
        let mut chunks = Vec::new();
        let mut rest = &sample[..];
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(gear::cut(rest));
            chunks.push(chunk);
            rest = behind;
        }
        limits.hash_cdc = bytes
            / best(RUNS, || {
                hash(chunks.iter().copied());
                Ok(())
            })?;
        (limits.zstd, limits.decode) = compress(&sample)?;
        (limits.write, limits.write_durable) = write(&sample, length, &folder.join("limit"))?;
        Ok(limits)
    }
}

impl Limits {
    /// The higher rate of each, of two measurements: between them the machine may have been busy.
    pub fn best_of(self, other: Limits) -> Limits {
        Limits {
            read: self.read.max(other.read),
            read_all: self.read_all.max(other.read_all),
            cdc: self.cdc.max(other.cdc),
            hash: self.hash.max(other.hash),
            hash_cdc: self.hash_cdc.max(other.hash_cdc),
            zstd: self.zstd.max(other.zstd),
            decode: self.decode.max(other.decode),
            write: self.write.max(other.write),
            write_durable: self.write_durable.max(other.write_durable),
            copy: self.copy.max(other.copy),
            copy_all: self.copy_all.max(other.copy_all),
        }
    }
}

/// Seconds of the fastest run.
fn best(runs: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        best = best.min(timed(&mut work)?.0.wall);
    }
    Ok(best)
}

/// Reads a file by windows of `window` bytes, dealt out to threads.
pub(crate) fn read_by(file: &File, length: u64, threads: usize, window: usize) -> Result<()> {
    std::thread::scope(|scope| {
        let read = |first: usize| {
            let mut buffer = vec![0; window];
            for number in (first as u64..length.div_ceil(window as u64)).step_by(threads) {
                let offset = number * window as u64;
                let left = (length - offset).min(window as u64) as usize;
                file.read_exact_at(&mut buffer[..left], offset)?;
                black_box(&buffer);
            }
            Ok(())
        };
        let readers: Vec<_> = (0..threads).map(|first| scope.spawn(move || read(first))).collect();
        readers.into_iter().try_for_each(|reader| reader.join().map_err(|_| "a reader panicked")?)
    })
}

/// Copies about `bytes` bytes from and to buffers that no cache holds; gives the rate of all threads.
fn copied(bytes: f64, threads: usize) -> Result<f64> {
    const REGION: usize = 64 << 20;
    let mut regions: Vec<_> = (0..threads).map(|_| (vec![1u8; REGION], vec![0u8; REGION])).collect();
    let rounds = (bytes as usize / REGION).max(1);
    let seconds = best(RUNS, || {
        std::thread::scope(|scope| {
            for (from, to) in &mut regions {
                scope.spawn(move || {
                    for _ in 0..rounds {
                        to.copy_from_slice(black_box(from));
                        black_box(&*to);
                    }
                });
            }
        });
        Ok(())
    })?;
    Ok((rounds * REGION * threads) as f64 / seconds)
}

fn cut(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        bytes = &bytes[black_box(gear::cut(bytes))..];
    }
}

fn hash<'a>(chunks: impl Iterator<Item = &'a [u8]>) {
    for chunk in chunks {
        black_box(digest::of(chunk));
    }
}

/// Rates of zstd at level 1, there and back.
fn compress(sample: &[u8]) -> Result<(f64, f64)> {
    let mut compressor = zstd::bulk::Compressor::new(1)?;
    let mut packed: Vec<Vec<u8>> = sample
        .chunks(GROUP)
        .map(|group| Vec::with_capacity(zstd::zstd_safe::compress_bound(group.len())))
        .collect();
    let there = best(SLOW_RUNS, || {
        for (group, packed) in sample.chunks(GROUP).zip(&mut packed) {
            packed.clear();
            compressor.compress_to_buffer(group, packed)?;
        }
        Ok(())
    })?;
    let mut decompressor = zstd::bulk::Decompressor::new()?;
    let mut plain = Vec::with_capacity(GROUP);
    let back = best(RUNS, || {
        for packed in &packed {
            plain.clear();
            decompressor.decompress_to_buffer(packed, &mut plain)?;
        }
        Ok(())
    })?;
    Ok((sample.len() as f64 / there, sample.len() as f64 / back))
}

/// Rates of writing a new file of `length` bytes: until all is handed over, and until it is durable.
fn write(sample: &[u8], length: u64, path: &Path) -> Result<(f64, f64)> {
    let (mut handed_over, mut durable) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..SLOW_RUNS {
        let (_, file) = timed(|| Ok(File::create(path)?))?;
        let mut left = length;
        let (writing, ()) = timed(|| {
            for block in sample.chunks(WRITE).cycle() {
                let now = left.min(block.len() as u64);
                (&file).write_all(&block[..now as usize])?;
                left -= now;
                if left == 0 {
                    break;
                }
            }
            Ok(())
        })?;
        let (syncing, ()) = timed(|| Ok(file.sync_data()?))?;
        handed_over = handed_over.min(writing.wall);
        durable = durable.min(writing.wall + syncing.wall);
        std::fs::remove_file(path)?;
    }
    Ok((length as f64 / handed_over, length as f64 / durable))
}
