//! Media: what a tape is to the rest of the crate. A sequence of objects (blocks and filemarks) numbered from 0, read and
//! written at a position, with the rules of SCSI sequential access (`reference/tape/ssc.md` 1 to 4).

mod memory;
pub mod simh;

pub use memory::{Fault, MemoryMedium};
pub use simh::SimhTape;

use crate::error::{Error, Result};

/// Bytes of the longest block: what the 24 bits of a transfer length can say (ssc.md 1).
pub const MAX_BLOCK: usize = (1 << 24) - 1;

/// Most bytes of a block that [`Medium::skip_damage`] shows to a probe.
pub const PROBE_BYTES: usize = 128;

/// What stood at the position that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// A block of this many bytes, all of them in the buffer.
    Block(usize),
    /// A filemark.
    Filemark,
    /// Nothing: data end here.
    EndOfData,
}

/// What a probe says of bytes in which it recognises the beginning of a block of its volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Object number that the block carries.
    pub object: u64,
    /// Length that the block says it has, in bytes.
    pub length: u32,
}

/// A probe: recognises a block by its first bytes, at most [`PROBE_BYTES`] of them.
pub type Probe<'a> = &'a dyn Fn(&[u8]) -> Option<Sighting>;

/// A stretch of an image in which objects could not be told apart. Ranges exclude their ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// First object lost.
    pub object_from: u64,
    /// First object behind the damage. Equal to `object_from` if only length words are wrong and no object is lost, or if
    /// nothing was recognised up to the end of the image (then `byte_to` is its length).
    pub object_to: u64,
    /// First byte of the damage.
    pub byte_from: u64,
    /// First byte behind it.
    pub byte_to: u64,
}

/// A medium with sequential-access semantics.
///
/// After an error of [`locate`](Self::locate), [`locate_end`](Self::locate_end), [`filemarks`](Self::filemarks) or
/// [`space_filemarks`](Self::space_filemarks) the position is where the medium stopped: the end of data, the beginning,
/// or the first object that cannot be told apart.
pub trait Medium: Send {
    /// A name for messages.
    fn name(&self) -> &str;

    /// Number of the object that would be read next.
    fn position(&self) -> u64;

    /// Moves to an object; the end of data is a valid target. Beyond it: [`Error::BeyondEnd`], position at the end.
    fn locate(&mut self, object: u64) -> Result<()>;

    /// Moves to the end of data and gives its object number.
    fn locate_end(&mut self) -> Result<u64>;

    /// Reads the object at the position and moves behind it; the end of data does not move. `buf` then holds the whole
    /// block and nothing else, and is empty when no block was read.
    ///
    /// An unreadable object gives [`Error::Medium`], and the position is behind it, or behind the whole range of lost
    /// objects that it belongs to. Bytes that cannot be told apart into objects give [`Error::Format`] and do not move:
    /// see [`skip_damage`](Self::skip_damage).
    fn read(&mut self, buf: &mut Vec<u8>) -> Result<Read>;

    /// Finds the next object that can be told apart, at or behind the position, and moves to it. `None`: there is none,
    /// data are taken to end here. The object found can have a lower number than the position had, where zeros had been
    /// taken for filemarks. The probe decides what is a block of this volume; it is only asked where the medium's
    /// own marks failed.
    fn skip_damage(&mut self, probe: Probe) -> Result<Option<u64>>;

    /// What [`skip_damage`](Self::skip_damage) passed over so far, in order.
    fn damage(&self) -> &[Damage] {
        &[]
    }

    /// Where the objects stand as far as they were walked over, for the [`recall`](Self::recall) of whoever opens the
    /// medium next. `None` where there is nothing to tell, or damage among it.
    fn walked(&self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Takes what a medium of this volume [`walked`](Self::walked) over instead of walking there again, if its last block
    /// is still where it was and the probe knows it. Says whether it did. Damage further in then shows only where it is
    /// read; whoever looks for damage does not recall.
    fn recall(&mut self, walked: &[u8], probe: Probe) -> Result<bool> {
        let _ = (walked, probe);
        Ok(false)
    }

    /// Writes one block (1 to [`MAX_BLOCK`] bytes), put together from parts, at the position, and moves behind it.
    /// Everything that stood behind the position is gone; an append-only medium refuses that with [`Error::State`].
    fn write(&mut self, block: &[&[u8]]) -> Result<()>;

    /// Writes a filemark, as [`write`](Self::write) does a block. It does not flush.
    fn write_filemark(&mut self) -> Result<()>;

    /// Returns when all that was written is durable. If it fails, everything since the last flush may be lost.
    fn flush(&mut self) -> Result<()>;

    /// Passes `n` filemarks: forward stops behind the last, backward (negative) stops before it.
    /// Too few: [`Error::MarksMissing`].
    fn space_filemarks(&mut self, n: i64) -> Result<()>;

    /// Object numbers of all filemarks, in order. The position stays.
    fn filemarks(&mut self) -> Result<Vec<u64>>;

    /// Whether writing is refused.
    fn read_only(&self) -> bool;

    /// Byte offset of an object in the image, for messages. `None` where there is no image or it was not reached yet.
    fn byte_address(&self, object: u64) -> Option<u64> {
        let _ = object;
        None
    }
}

/// Bytes of a block given in parts, if a block may have that many.
fn block_length(parts: &[&[u8]]) -> Result<usize> {
    let length = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
    if (1..=MAX_BLOCK).contains(&length) {
        Ok(length)
    } else {
        Err(Error::Argument { what: format!("a block of {length} bytes, expected 1 to {MAX_BLOCK}") })
    }
}
