//! What is this file? Answered from its first bytes alone, never from its name.

use crate::ese::checkpoint::Checkpoint;
use crate::ese::file_type;
use crate::ese::header::{DatabaseHeader, DatabaseState};
use crate::ese::log::header::LogHeader;
use crate::ese::page::checksum::header_xor;
use crate::ese::position::LgPos;
use crate::le::{bytes_at, u32_at};
use crate::sqlite::header::SqliteHeader;
use crate::sqlite::wal::WalHeader;

/// Bytes of a file that [`recognise`] can make use of: the two header pages of the largest page size.
pub const HEAD_LEN: usize = 65536;
/// The header of a flush map is as long as that of a log or as two of them.
const FLUSH_MAP_HEADER_LENS: [usize; 2] = [4096, 8192];

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ESE database.
    EseDatabase(EseHeaderSummary),
    /// An ESE transaction log.
    EseLog {
        /// Number in the log sequence.
        generation: u32,
        /// Bytes of a sector or segment.
        sector_size: u32,
        /// The length that the file should have, in bytes.
        file_size_expected: u64,
        /// Page size of the databases, in bytes.
        page_size: u32,
        /// Format version: 7 and below is the old container.
        major: u32,
        /// 3704 or 4000.
        minor: u32,
        /// Version of the records.
        update_major: u32,
        /// Version of compatible changes.
        update_minor: u32,
    },
    /// An ESE checkpoint.
    EseCheckpoint {
        /// Where redo may start.
        checkpoint: LgPos,
    },
    /// An ESE flush map; not needed to restore or rebuild a database.
    EseFlushMap,
    /// A SQLite database.
    Sqlite {
        /// Page size, in bytes.
        page_size: u32,
    },
    /// A SQLite write-ahead log.
    SqliteWal {
        /// Page size of the database, in bytes.
        page_size: u32,
    },
    /// Anything else, also a file whose headers are too damaged to tell.
    Unknown,
}

/// What the header of an ESE database says in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EseHeaderSummary {
    /// Page size, in bytes.
    pub page_size: u32,
    /// The first page is a good header.
    pub primary_good: bool,
    /// The second page, its shadow copy, is a good header.
    pub shadow_good: bool,
    /// Whether the database is clean.
    pub state: DatabaseState,
    /// Format version, 0x620 since ESE97.
    pub version: u32,
    /// Revision of the format.
    pub update_major: u32,
}

/// Tells what a file is from its first bytes, `head` (64 KiB are enough for all kinds, fewer for most), and its length
/// in bytes where it is known. Takes any bytes.
pub fn recognise(head: &[u8], len: Option<u64>) -> Kind {
    if let Ok(header) = SqliteHeader::parse(head) {
        return Kind::Sqlite { page_size: header.page_size };
    }
    if let Ok(header) = WalHeader::parse(head) {
        return Kind::SqliteWal { page_size: header.page_size };
    }
    if let Ok((header, copies)) = DatabaseHeader::find(head) {
        return Kind::EseDatabase(EseHeaderSummary {
            page_size: header.page_size,
            primary_good: copies.primary_good,
            shadow_good: copies.shadow_good,
            state: header.state,
            version: header.version,
            update_major: header.update_major,
        });
    }
    if let Some(log) = ese_log(head, len) {
        return log;
    }
    if is_flush_map(head) {
        return Kind::EseFlushMap;
    }
    if let Ok(checkpoint) = Checkpoint::parse(head) {
        return Kind::EseCheckpoint { checkpoint: checkpoint.checkpoint };
    }
    Kind::Unknown
}

fn ese_log(head: &[u8], len: Option<u64>) -> Option<Kind> {
    let header = LogHeader::parse(head).ok()?;
    // Without the file type, which old writers did not know, the length has to speak for a log.
    let is_old = u32_at(head, file_type::AT) == Some(file_type::OLD);
    if is_old && (len.is_some_and(|len| len != header.file_len()) || !header.is_legacy()) {
        return None;
    }
    Some(Kind::EseLog {
        generation: header.generation,
        sector_size: header.sector_size,
        file_size_expected: header.file_len(),
        page_size: header.page_size,
        major: header.major,
        minor: header.minor,
        update_major: header.update_major,
        update_minor: header.update_minor,
    })
}

fn is_flush_map(head: &[u8]) -> bool {
    u32_at(head, file_type::AT) == Some(file_type::FLUSH_MAP)
        && FLUSH_MAP_HEADER_LENS.iter().any(|len| {
            bytes_at(head, 0, *len).is_some_and(|header| u32_at(header, 0) == Some(header_xor(header)))
        })
}
