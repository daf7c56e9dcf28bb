//! A file through a mapping, which is where no copy is made.
#![allow(unsafe_code)]

use crate::Result;
use crate::machine::{Seconds, cpu_of};
use memmap2::Mmap;
use std::fs::File;
use std::hint::black_box;

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// What a byte takes where every line of a file that is in the page cache is touched.
pub fn touched(file: &File, runs: usize) -> Result<Seconds> {
    let length = file.metadata()?.len();
    let seconds = cpu_of(runs, || {
        // SAFETY: the file is the benchmark's own; nothing writes to it or cuts it short while it is mapped.
        let map = unsafe { Mmap::map(file) }?;
        let touched = map.iter().step_by(LINE).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        black_box(touched);
        Ok(())
    })?;
    Ok(seconds.per_byte(length))
}
