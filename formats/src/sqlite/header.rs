//! The header of a SQLite database file (sqlite.org/fileformat.html, section 1.3). Numbers are big-endian.

use crate::error::{Error, Result};
use crate::le::{array_at, bytes_at};

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What a database header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteHeader {
    /// Page size, in bytes: a power of two from 512 to 65,536.
    pub page_size: u32,
    /// Whether writers use a write-ahead log.
    pub is_wal: bool,
    /// Bytes at the end of each page that the engine leaves alone.
    pub reserved_bytes: u8,
    /// Counts transactions (not those in a write-ahead log).
    pub change_counter: u32,
    /// Length of the database, in pages; only right if `version_valid_for` equals `change_counter`.
    pub page_count: u32,
    /// The change counter when `page_count` was written.
    pub version_valid_for: u32,
    /// First page of the list of unused pages; 0 for none.
    pub first_free_page: u32,
    /// Number of unused pages.
    pub free_pages: u32,
    /// Number given by the application.
    pub user_version: u32,
    /// Kind of application file.
    pub application_id: u32,
    /// Version of the writer, for instance 3040001.
    pub writer_version: u32,
}

impl SqliteHeader {
    /// Reads the header from the first 100 bytes of a file.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let Some(header) = bytes_at(file, 0, HEADER_LEN) else {
            let found = format_args!("{} bytes", file.len());
            return Err(Error::format("SQLite header", 0, found, "at least 100 bytes"));
        };
        if !header.starts_with(MAGIC) {
            return Err(Error::format("SQLite header", 0, "other bytes", "\"SQLite format 3\""));
        }
        let byte = |at: usize| header.get(at).copied().unwrap_or(0);
        let word = |at| array_at(header, at).map_or(0, u32::from_be_bytes);
        // 65,536 does not fit the two bytes and is written as 1.
        let page_size = match array_at(header, 16).map_or(0, u16::from_be_bytes) {
            1 => 65536,
            size => u32::from(size),
        };
        if !is_page_size(page_size) {
            let found = format_args!("pages of {page_size} bytes");
            return Err(Error::format("SQLite header", 16, found, "a power of two from 512 to 65536"));
        }
        Ok(Self {
            page_size,
            is_wal: byte(18) == 2,
            reserved_bytes: byte(20),
            change_counter: word(24),
            page_count: word(28),
            first_free_page: word(32),
            free_pages: word(36),
            user_version: word(60),
            application_id: word(68),
            version_valid_for: word(92),
            writer_version: word(96),
        })
    }
}

/// Whether SQLite has pages of `size` bytes.
pub(super) fn is_page_size(size: u32) -> bool {
    size.is_power_of_two() && (512..=65536).contains(&size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_powers_of_two_from_512_to_65536_are_page_sizes() {
        let mut header = [0; HEADER_LEN];
        header[..16].copy_from_slice(MAGIC);
        let mut size_of = |field: u16| {
            header[16..18].copy_from_slice(&field.to_be_bytes());
            SqliteHeader::parse(&header).ok().map(|header| header.page_size)
        };
        assert_eq!(size_of(1), Some(65536));
        assert_eq!(size_of(512), Some(512));
        assert_eq!(size_of(32768), Some(32768));
        for field in [0, 2, 256, 513, 65535] {
            assert_eq!(size_of(field), None, "{field}");
        }
        assert!(SqliteHeader::parse(MAGIC).is_err());
    }
}
