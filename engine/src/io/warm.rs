//! Whether a file lies in the page cache.

use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use std::fs::File;
use std::io::IoSliceMut;

/// One place is looked at for so many bytes of the file.
const EVERY: u64 = 8 << 20;
/// Most places that are looked at, and fewest.
const MOST: u64 = 16;
const FEWEST: u64 = 2;

/// Whether at least half of a few places all over the file can be read without waiting for a disk; also where the file
/// system cannot tell. Nothing is read from the disk for it.
pub(super) fn is_warm(file: &File, size: u64) -> bool {
    // Else some kernels begin to read ahead around a place that is not there.
    let advise = |advice| rustix::fs::fadvise(file, 0, None, advice);
    let _ = advise(Advice::Random);
    let places = (size / EVERY).clamp(FEWEST, MOST);
    let warm = (0..places).filter(|place| is_here(file, size / places * place)).count() as u64;
    let _ = advise(Advice::Normal);
    warm * 2 >= places
}

fn is_here(file: &File, offset: u64) -> bool {
    let mut byte = [0];
    let mut buffers = [IoSliceMut::new(&mut byte)];
    let read = rustix::io::preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT);
    !matches!(read, Err(Errno::AGAIN))
}
