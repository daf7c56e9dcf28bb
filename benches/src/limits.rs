//! The limits of this machine: each stage alone, on the same data, best of several runs.

use crate::Result;
use crate::machine::{best, best_cpu, timed};
use crate::mmap;
use crate::stages::Stages;
use rustix::fs::{Advice, fadvise};
use serde::Serialize;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of one read of those that are tried, and of one copy: the fastest counts as what read(2) can do.
const BUFFERS: [usize; 3] = [256 << 10, 1 << 20, 4 << 20];
/// Bytes of one write.
const WRITE: usize = 1 << 20;
/// Bytes after which the disk is told early what it may write.
const EARLY: u64 = 8 << 20;
/// Runs of a kernel, and of what takes long; the fastest counts.
const RUNS: usize = 5;
const SLOW_RUNS: usize = 3;

/// Rates in bytes a second; one thread where nothing else is said.
#[derive(Debug, Clone, Serialize)]
pub struct Limits {
    /// `read(2)` of the input, warm.
    pub read: f64,
    /// The same by all threads together.
    pub read_all: f64,
    /// Touching every line of a mapping of the input, warm.
    pub map: f64,
    /// Buffered sequential writing of a new file.
    pub write: f64,
    /// The same until it is durable.
    pub write_durable: f64,
    /// Copying in memory.
    pub copy: f64,
    /// The same by all threads together.
    pub copy_all: f64,
    /// What the processor does to the bytes.
    pub stages: Stages,
}

impl Limits {
    /// Measures on the file `input` and on `sample`, which is a part of it and has pages of `unit` bytes; writes as many bytes
    /// beside it in `folder`.
    pub fn measure(
        input: &Path,
        sample: &[u8],
        unit: usize,
        folder: &Path,
        threads: usize,
    ) -> Result<Limits> {
        let file = File::open(input)?;
        let length = file.metadata()?.len();
        let (write, write_durable) = write(sample, length, &folder.join("limit"))?;
        Ok(Limits {
            read: read_rate(&file, length, 1)?,
            read_all: read_rate(&file, length, threads)?,
            map: mmap::touch_rate(&file, RUNS)?,
            write,
            write_durable,
            copy: copied(sample.len(), 1)?,
            copy_all: copied(sample.len(), threads)?,
            stages: Stages::measure(sample, unit)?,
        })
    }

    /// The higher rate of each, of two measurements: between them the machine may have been busy.
    pub fn best_of(self, other: &Limits) -> Limits {
        Limits {
            read: self.read.max(other.read),
            read_all: self.read_all.max(other.read_all),
            map: self.map.max(other.map),
            write: self.write.max(other.write),
            write_durable: self.write_durable.max(other.write_durable),
            copy: self.copy.max(other.copy),
            copy_all: self.copy_all.max(other.copy_all),
            stages: self.stages.best_of(&other.stages),
        }
    }

    /// The rates with their names.
    pub fn named(&self) -> Vec<(String, f64)> {
        let shared = [
            ("read, one thread", self.read),
            ("read, all threads", self.read_all),
            ("touch a mapping", self.map),
            ("write, buffered", self.write),
            ("write, durable", self.write_durable),
            ("copy, one thread", self.copy),
            ("copy, all threads", self.copy_all),
        ];
        let mut named: Vec<(String, f64)> = shared.map(|(name, rate)| (name.to_owned(), rate)).into();
        named.extend(self.stages.named());
        named
    }
}

fn read_rate(file: &File, length: u64, threads: usize) -> Result<f64> {
    let mut seconds = f64::INFINITY;
    for buffer in BUFFERS {
        let read = || read_by(file, length, threads, buffer);
        let now = if threads == 1 { best_cpu(RUNS, read) } else { best(RUNS, read) };
        seconds = seconds.min(now?);
    }
    Ok(length as f64 / seconds)
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
fn copied(bytes: usize, threads: usize) -> Result<f64> {
    const REGION: usize = 64 << 20;
    let mut regions: Vec<_> = (0..threads).map(|_| (vec![1u8; REGION], vec![0u8; REGION])).collect();
    let rounds = (bytes / REGION).max(1);
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

/// Rates of writing a new file of `length` bytes: until all is handed over, and until it is durable. The disk is told early
/// what it may write, or only at the end: whichever is faster counts.
fn write(sample: &[u8], length: u64, path: &Path) -> Result<(f64, f64)> {
    let (mut handed_over, mut durable) = (f64::INFINITY, f64::INFINITY);
    for early in [true, false].repeat(SLOW_RUNS) {
        let file = File::create(path)?;
        let (writing, ()) = timed(|| write_all(&file, sample, length, early))?;
        let (syncing, ()) = timed(|| Ok(file.sync_data()?))?;
        handed_over = handed_over.min(writing.wall);
        durable = durable.min(writing.wall + syncing.wall);
        std::fs::remove_file(path)?;
    }
    Ok((length as f64 / handed_over, length as f64 / durable))
}

/// Writes `sample` again and again up to `length` bytes.
fn write_all(mut file: &File, sample: &[u8], length: u64, early: bool) -> Result<()> {
    let (mut written, mut told) = (0, 0);
    for block in sample.chunks(WRITE).cycle() {
        let now = (length - written).min(block.len() as u64);
        file.write_all(&block[..now as usize])?;
        written += now;
        if early && written - told >= EARLY {
            // What is dirty in a range that nobody needs any more goes to the disk at once.
            let _ = fadvise(file, told, NonZeroU64::new(written - told), Advice::DontNeed);
            told = written;
        }
        if written == length {
            break;
        }
    }
    Ok(())
}
