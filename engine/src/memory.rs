//! Who may hold how much of the memory that a caller allows.

use crate::error::{Class, Error, Result};

/// A bound on anonymous memory and counted caches, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    bytes: u64,
    index: u64,
}

/// What a backup takes besides index and workers: the media's and the catalogs' buffers (`io/stored` has 9 MiB for an image that is
/// read), the program itself.
const BASE: u64 = 24 << 20;
/// Most bytes that one worker and the finished piece that waits for it hold: the piece being read, its frames, those of
/// the piece before.
pub(crate) const PER_WORKER: u64 = 32 << 20;

impl Memory {
    /// The bound that is used unless another is given: 512 MiB.
    pub const DEFAULT: Memory = Memory { bytes: 512 << 20, index: 256 << 20 };
    /// The smallest bound with which every command works: 96 MiB.
    pub const SMALLEST: u64 = 96 << 20;

    /// A bound of so many bytes.
    pub fn new(bytes: u64) -> Result<Memory> {
        if bytes < Self::SMALLEST {
            return Err(Error::new(
                Class::Argument,
                "memory",
                format!("a bound of {} MiB, expected at least {} MiB", bytes >> 20, Self::SMALLEST >> 20),
            ));
        }
        Ok(Memory { bytes, index: bytes / 2 })
    }

    /// The same bound with another share for the dedup index than half. With less of it the index may have no room for
    /// chunks of older sets, which are then stored again; with more of it fewer workers fit.
    ///
    /// # Errors
    /// When less than 48 MiB would be left for everything else.
    pub fn with_index(self, index: u64) -> Result<Memory> {
        if self.bytes.saturating_sub(index) < Self::SMALLEST / 2 {
            let most = self.bytes.saturating_sub(Self::SMALLEST / 2) >> 20;
            let sentence = format!(
                "a share of {} MiB of {} MiB of memory, expected at most {most} MiB",
                index >> 20,
                self.bytes >> 20
            );
            return Err(Error::new(Class::Argument, "index memory", sentence));
        }
        Ok(Memory { index, ..self })
    }

    /// The bound in bytes.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// The share of each of two that are at work at once.
    pub fn half(self) -> Memory {
        Memory { bytes: self.bytes / 2, index: self.index / 2 }
    }

    /// The dedup index's share in bytes: half, unless another was given.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Tables of segments that are kept for reading recipes.
    pub fn tables(self) -> usize {
        usize::try_from((self.bytes / 16).min(64 << 20)).unwrap_or(usize::MAX)
    }

    /// What is read ahead of the workers.
    pub fn read_ahead(self) -> usize {
        usize::try_from((self.bytes / 16).min(32 << 20)).unwrap_or(usize::MAX)
    }

    /// What a restore writes behind its workers: requests that the disk works on, and those that wait for it. As much as a disk
    /// takes in some hundredths of a second, for it rests that long now and then.
    pub fn write_behind(self) -> usize {
        usize::try_from((self.bytes / 8).min(48 << 20)).unwrap_or(usize::MAX)
    }

    /// How many workers fit, of those that are wanted.
    pub fn workers(self, wanted: usize) -> usize {
        let others = BASE + self.tables() as u64 + self.read_ahead() as u64;
        let room = (self.bytes - self.index).saturating_sub(others);
        wanted.clamp(1, usize::try_from(room / PER_WORKER).unwrap_or(usize::MAX).max(1))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::DEFAULT
    }
}
