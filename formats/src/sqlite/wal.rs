//! The header of a SQLite write-ahead log (sqlite.org/fileformat.html, section 4.1). Numbers are big-endian; the words
//! that checksums add up are of the byte order that the magic number names.

use super::header::is_page_size;
use crate::error::{Error, Result};
use crate::le::{array_at, bytes_at};

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 32;
const MAGIC_LITTLE: u32 = 0x377F_0682;
const MAGIC_BIG: u32 = 0x377F_0683;
const CHECKSUM_AT: usize = 24;

/// What the header of a write-ahead log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalHeader {
    /// Page size, in bytes: a power of two from 512 to 65,536.
    pub page_size: u32,
    /// Whether checksums add up big-endian words.
    pub is_big_endian: bool,
    /// Version of the format: 3007000.
    pub version: u32,
    /// Number of the checkpoint before this log.
    pub checkpoint: u32,
    /// Frames of this log repeat both; others are left over from an earlier log.
    pub salt: [u32; 2],
    /// Sum over the header, with which the sums of the frames go on.
    pub checksum: [u32; 2],
    /// Whether `checksum` is right; a log where it is not holds nothing.
    pub is_good: bool,
}

impl WalHeader {
    /// Reads the header from the first 32 bytes of a log. A wrong checksum is no error; see [`WalHeader::is_good`].
    pub fn parse(file: &[u8]) -> Result<Self> {
        let Some(header) = bytes_at(file, 0, HEADER_LEN) else {
            let found = format_args!("{} bytes", file.len());
            return Err(Error::format("WAL header", 0, found, "at least 32 bytes"));
        };
        let word = |at| array_at(header, at).map_or(0, u32::from_be_bytes);
        let (magic, page_size) = (word(0), word(8));
        if !matches!(magic, MAGIC_LITTLE | MAGIC_BIG) {
            return Err(Error::format(
                "WAL header",
                0,
                format_args!("{magic:#010x}"),
                "0x377f0682 or 0x377f0683",
            ));
        }
        if !is_page_size(page_size) {
            let found = format_args!("pages of {page_size} bytes");
            return Err(Error::format("WAL header", 8, found, "a power of two from 512 to 65536"));
        }
        let is_big_endian = magic == MAGIC_BIG;
        let stored = [word(CHECKSUM_AT), word(CHECKSUM_AT + 4)];
        let summed = header.get(..CHECKSUM_AT).unwrap_or(header);
        Ok(Self {
            page_size,
            is_big_endian,
            version: word(4),
            checkpoint: word(12),
            salt: [word(16), word(20)],
            checksum: stored,
            is_good: add_up([0, 0], summed, is_big_endian) == stored,
        })
    }
}

/// Goes on with the running checksum `sum` over `bytes`, whose length is a multiple of 8 (bytes beyond are left out).
pub fn add_up(sum: [u32; 2], bytes: &[u8], is_big_endian: bool) -> [u32; 2] {
    let word =
        |bytes: [u8; 4]| if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    let mut sum = sum;
    for &[a, b, c, d, e, f, g, h] in bytes.as_chunks::<8>().0 {
        sum[0] = sum[0].wrapping_add(word([a, b, c, d])).wrapping_add(sum[1]);
        sum[1] = sum[1].wrapping_add(word([e, f, g, h])).wrapping_add(sum[0]);
    }
    sum
}
