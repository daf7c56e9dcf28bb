//! How bytes come from files and go into images: `read(2)`, a queue of direct requests (io_uring), or a mapping.
//!
//! One door, [`Files`], hands out readers that give the same bytes whichever way is taken; whatever one of the faster ways
//! does not give, plain reading gives, with plain reading's errors. [`Io::Auto`] probes each file:
//!
//! * cold (not in the page cache), 1 MiB or more, and io_uring can be had: a window of direct reads runs ahead of the workers
//!   (`ahead`), which alone keeps a fast disk busy;
//! * else: `read(2)`.
//!
//! A mapping is never chosen, only asked for.
//!
//! What is written goes through `ImageFile`, which grows at its end, or `Outputs`, files that are filled in any order.

mod ahead;
mod behind;
mod image;
mod mmap;
mod output;
mod plain;
mod stored;
mod uring;
mod warm;

pub use behind::Room;
pub(crate) use image::ImageFile;
pub(crate) use output::{OutputFile, Outputs, Piece};
pub(crate) use plain::{PlainFile, fill};
pub(crate) use stored::StoredImage;

use crate::error::{Class, Error, Result};
use crate::memory::Memory;
use ahead::{AheadFile, ReadAhead};
use mmap::MappedFile;
use rustix::fs::OFlags;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, OnceLock};

/// Shorter files are read plainly: there is nothing to run ahead of.
const MIN_AHEAD: u64 = 1 << 20;

/// The environment variable that takes io_uring away for tests, as some kernels and containers do, with the value
/// `without-uring`.
pub const IO_ENV: &str = "REEL_IO";

/// Bytes that can be read at any place from any thread.
pub trait PositionedRead: Send + Sync {
    /// Reads the bytes at `offset` into `buf`, all of it unless the end comes first; 0 at or behind the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;
}

/// Which way bytes take. It never changes what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Io {
    /// For reading what a probe of each file chooses: [`Io::Uring`] for cold ones, else [`Io::Plain`]; for writing
    /// [`Io::Uring`] where it can be had.
    #[default]
    Auto,
    /// `read(2)` and `write(2)` through the page cache.
    Plain,
    /// Direct requests through io_uring. An error where the kernel does not give it; a single file whose file system
    /// refuses direct requests is read plainly.
    Uring,
    /// Files are read through a mapping. **For files that nobody changes**, such as those of a snapshot: where a file is
    /// cut short or its disk fails while a window of it is copied, the kernel ends the process (SIGBUS). The length is
    /// asked before each window, so that only a cut at that very moment does it. What is read is copied at once; a file that
    /// is written to gives a chunk of mixed age, as `read(2)` does, and never one that does not match its digest.
    Mmap,
}

impl Io {
    /// # Errors
    /// With [`Io::Uring`] where the kernel does not give io_uring.
    pub fn check(self) -> Result<()> {
        if self != Io::Uring {
            return Ok(());
        }
        uring::probe().map_err(|e| {
            let sentence = format!(
                "io_uring was asked for, but the system does not give it ({e}): use auto or plain, or allow it \
                 (kernel.io_uring_disabled, or the container's system call filter)"
            );
            Error::new(Class::Argument, "io", sentence)
        })
    }
}

/// Opens files for reading in the way that was asked for. Clones share one read-ahead.
#[derive(Clone)]
pub struct Files {
    io: Io,
    /// Bytes that the read-ahead may hold.
    share: usize,
    ahead: Arc<OnceLock<Option<Arc<ReadAhead>>>>,
}

impl Files {
    /// Readers for one run. `memory` bounds what all of them together read ahead.
    ///
    /// # Errors
    /// With [`Io::Uring`] where the kernel does not give io_uring.
    pub fn new(io: Io, memory: Memory) -> Result<Files> {
        io.check()?;
        Ok(Files { io, share: memory.read_ahead(), ahead: Arc::default() })
    }

    /// Only `read(2)`.
    pub fn plain() -> Files {
        Files { io: Io::Plain, share: 0, ahead: Arc::default() }
    }

    /// A reader of `file`.
    pub(crate) fn reader(&self, file: Arc<PlainFile>) -> Arc<dyn PositionedRead> {
        let faster: Option<Arc<dyn PositionedRead>> = match self.io {
            Io::Plain => None,
            Io::Mmap => MappedFile::open(&file).map(|mapped| Arc::new(mapped) as _),
            Io::Auto | Io::Uring if file.size() < MIN_AHEAD => None,
            Io::Auto if warm::is_warm(file.file(), file.size()) => None,
            Io::Auto | Io::Uring => self.ahead(&file).map(|ahead| Arc::new(ahead) as _),
        };
        faster.unwrap_or(file)
    }

    fn ahead(&self, file: &Arc<PlainFile>) -> Option<AheadFile> {
        let ahead = self.ahead.get_or_init(|| ReadAhead::new(self.share).ok().map(Arc::new));
        AheadFile::open(ahead.as_ref()?, file)
    }
}

/// Opens a file once more in another way, through the open file, so that it is the same one whatever its path leads to by now.
fn reopen(file: &File, way: &mut OpenOptions, flags: OFlags) -> std::io::Result<File> {
    way.custom_flags(flags.bits().cast_signed()).open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

impl Default for Files {
    fn default() -> Self {
        Files::plain()
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("io", &self.io).finish_non_exhaustive()
    }
}
