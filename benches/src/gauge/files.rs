//! Reading and writing files.

use super::Meter;
use crate::Result;
use crate::machine::{Seconds, Span, cpu_of, timed, wall_of};
use crate::mmap;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Most bytes of the file that are read, or written, in one go.
const PART: u64 = 256 << 20;
/// Bytes of one read of those that are tried: the fastest counts as what read(2) can do.
const BUFFERS: [usize; 3] = [256 << 10, 1 << 20, 4 << 20];
/// Bytes of one write.
const WRITE: usize = 1 << 20;
/// Bytes after which the disk is told early what it may write.
const EARLY: u64 = 8 << 20;
/// Runs of each measurement.
const RUNS: usize = 2;

/// `read(2)` of a file that is in the page cache, by so many threads. One thread waits for nothing and is measured by what it
/// worked.
pub(super) fn read(file: File, threads: usize) -> Result<Meter> {
    let length = file.metadata()?.len().min(PART);
    Ok(Box::new(move || {
        let by = |buffer| {
            let read = || read_by(&file, length, threads, buffer);
            if threads == 1 { cpu_of(RUNS, read) } else { wall_of(RUNS, read) }
        };
        let [first, others @ ..] = BUFFERS;
        let mut seconds = by(first)?;
        for buffer in others {
            seconds = seconds.or(by(buffer)?);
        }
        Ok(seconds.per_byte(length))
    }))
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

/// Every line of a mapping of a file that is in the page cache.
pub(super) fn touch(file: File) -> Meter {
    Box::new(move || mmap::touched(&file, RUNS))
}

/// Writing a new file at `path` until all is handed over, which waits for nothing and is measured by what it works.
pub(super) fn write(sample: Rc<Vec<u8>>, length: u64, path: PathBuf) -> Meter {
    let length = length.min(PART);
    Box::new(move || {
        let write = |_| Ok(new_file(&path, |file| written(file, &sample, length, false))?.cpu);
        Ok((0..RUNS).map(write).collect::<Result<Seconds>>()?.per_byte(length))
    })
}

/// Writing a new file at `path` until it is durable. The disk is told early what it may write, or only at the end: whichever
/// is faster counts.
pub(super) fn write_durable(sample: Rc<Vec<u8>>, length: u64, path: PathBuf) -> Meter {
    let length = length.min(PART);
    Box::new(move || {
        let write = |early| {
            new_file(&path, |file| {
                written(file, &sample, length, early)?;
                Ok(file.sync_data()?)
            })
        };
        let [early, at_the_end] = [write(true)?, write(false)?].map(|span| Seconds::once(span.wall));
        Ok(early.or(at_the_end).per_byte(length))
    })
}

/// Time of what is done to a new file, which is removed afterwards.
fn new_file(path: &Path, work: impl FnOnce(&File) -> Result<()>) -> Result<Span> {
    let file = File::create(path)?;
    let (span, ()) = timed(|| work(&file))?;
    std::fs::remove_file(path)?;
    Ok(span)
}

/// Writes `sample` again and again up to `length` bytes.
fn written(mut file: &File, sample: &[u8], length: u64, early: bool) -> Result<()> {
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
