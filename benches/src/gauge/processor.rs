//! What the processor does to bytes. One thread waits for nothing, so that what counts is what it worked, which others on the
//! machine disturb less than the time that passes.

use super::Meter;
use crate::Result;
use crate::cuts::lengths;
use crate::machine::{cpu_of, wall_of};
use reel_engine::chunk::gear::{Gear, Kernel};
use reel_engine::digest;
use reel_engine::frame::compressor;
use std::hint::black_box;
use std::rc::Rc;

/// Plain bytes of a frame.
pub(crate) const GROUP: usize = 256 << 10;
/// Chunks that are hashed in one go: equal ones side by side.
const BATCH: usize = 16;
/// Runs of what takes hundredths of a second, and of what takes tenths.
const RUNS: usize = 5;
const SLOW_RUNS: usize = 2;

/// Copying from and to buffers that no core's cache holds, by so many threads.
pub(super) fn copy(threads: usize) -> Meter {
    const REGION: usize = 64 << 20;
    let mut regions: Vec<_> = (0..threads).map(|_| (vec![1u8; REGION], vec![0u8; REGION])).collect();
    Box::new(move || {
        let copy = || {
            std::thread::scope(|scope| {
                for (from, to) in &mut regions {
                    scope.spawn(move || {
                        to.copy_from_slice(black_box(from));
                        black_box(&*to);
                    });
                }
            });
            Ok(())
        };
        let seconds = if threads == 1 { cpu_of(RUNS, copy) } else { wall_of(RUNS, copy) }?;
        Ok(seconds.per_byte((REGION * threads) as u64))
    })
}

/// Cut points of content-defined chunks.
pub(super) fn cut_points(sample: Rc<Vec<u8>>) -> Meter {
    let gear = Gear::of_pool(Kernel::fastest());
    measured(RUNS, sample.len(), move || {
        black_box(lengths(&gear, &sample));
        Ok(())
    })
}

/// Digests of pages.
pub(super) fn hash_pages(sample: Rc<Vec<u8>>, unit: usize) -> Meter {
    measured(RUNS, sample.len(), move || {
        hash(sample.chunks(unit));
        Ok(())
    })
}

/// Digests of content-defined chunks.
pub(super) fn hash_chunks(sample: Rc<Vec<u8>>) -> Meter {
    let lengths = lengths(&Gear::of_pool(Kernel::fastest()), &sample);
    measured(RUNS, sample.len(), move || {
        let mut rest = &sample[..];
        hash(lengths.iter().map(|length| rest.split_off(..*length as usize).expect("the lengths add up")));
        Ok(())
    })
}

/// zstd of one frame after the other.
pub(super) fn compress(sample: Rc<Vec<u8>>, level: i32) -> Result<Meter> {
    let mut compressor = compressor(level)?;
    let mut packed = Vec::with_capacity(zstd::zstd_safe::compress_bound(GROUP));
    Ok(measured(SLOW_RUNS, sample.len(), move || {
        for group in sample.chunks(GROUP) {
            packed.clear();
            compressor.compress_to_buffer(group, &mut packed)?;
            black_box(&packed);
        }
        Ok(())
    }))
}

/// Decoding these frames.
pub(super) fn decode(sample: &[u8], level: i32) -> Result<Meter> {
    let mut compressor = compressor(level)?;
    let frames: std::io::Result<Vec<_>> =
        sample.chunks(GROUP).map(|group| compressor.compress(group)).collect();
    let frames = frames?;
    let mut decompressor = zstd::bulk::Decompressor::new()?;
    let mut plain = Vec::with_capacity(GROUP);
    Ok(measured(SLOW_RUNS, sample.len(), move || {
        for frame in &frames {
            plain.clear();
            decompressor.decompress_to_buffer(frame, &mut plain)?;
            black_box(&plain);
        }
        Ok(())
    }))
}

fn measured(runs: usize, bytes: usize, mut work: impl FnMut() -> Result<()> + 'static) -> Meter {
    Box::new(move || Ok(cpu_of(runs, &mut work)?.per_byte(bytes as u64)))
}

/// A batch at a time, as a worker does.
fn hash<'a>(chunks: impl Iterator<Item = &'a [u8]>) {
    let (mut batch, mut digests) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    let mut chunks = chunks.peekable();
    while chunks.peek().is_some() {
        batch.clear();
        batch.extend(chunks.by_ref().take(BATCH));
        digests.clear();
        digest::of_each(&batch, &mut digests);
        black_box(&digests);
    }
}
