//! A file through a mapping, which is where no copy is made.
#![allow(unsafe_code)]

use crate::Result;
use crate::machine::best_cpu;
use memmap2::Mmap;
use std::fs::File;
use std::hint::black_box;

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Rate of touching every line of a file that is in the page cache, in bytes a second; the fastest of `runs`.
pub fn touch_rate(file: &File, runs: usize) -> Result<f64> {
    let length = file.metadata()?.len();
    let seconds = best_cpu(runs, || {
        // SAFETY: the file is the benchmark's own; nothing writes to it or cuts it short while it is mapped.
        let map = unsafe { Mmap::map(file) }?;
        let touched = map.iter().step_by(LINE).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        black_box(touched);
        Ok(())
    })?;
    Ok(length as f64 / seconds)
}
