//! Reading a file that is not in the page cache: the limit of a cold run.

mod uring;

pub(crate) use uring::read_all;

use crate::Result;
use crate::gauge::read_by;
use crate::machine::timed;
use rustix::fs::Advice;
use std::fs::File;
use std::path::Path;

/// Bytes of one plain read.
const BUFFER: usize = 4 << 20;

/// Rates of one thread that reads a cold file from front to back, in bytes a second.
#[derive(Debug, Clone, Copy)]
pub struct ColdRead {
    /// `read(2)` of 4 MiB each, with the kernel's own read-ahead.
    pub plain: f64,
    /// Direct requests of 256 KiB through io_uring, 16 at once; `None` where there is no io_uring or the file system takes no
    /// direct requests.
    pub uring: Option<f64>,
}

impl ColdRead {
    /// The limit: the higher of both.
    pub fn best(&self) -> f64 {
        self.plain.max(self.uring.unwrap_or(0.0))
    }
}

/// Measures how fast the file at `path` can be read from its disk. Takes it out of the page cache, and leaves it there no
/// further than read(2) puts it in. The fastest of `runs` counts, of each kind.
pub fn cold_read(path: &Path, runs: usize) -> Result<ColdRead> {
    let length = std::fs::metadata(path)?.len();
    let (mut plain, mut direct) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..runs {
        cool(path)?;
        let file = File::open(path)?;
        plain = plain.min(timed(|| read_by(&file, length, 1, BUFFER))?.0.wall);
        cool(path)?;
        if let Ok((span, bytes)) = timed(|| Ok(read_all(path)?))
            && bytes == length
        {
            direct = direct.min(span.wall);
        }
    }
    let length = length as f64;
    Ok(ColdRead { plain: length / plain, uring: direct.is_finite().then(|| length / direct) })
}

/// Writes what is still to be written of a file and takes it out of the page cache.
pub fn cool(path: &Path) -> Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(())
}
