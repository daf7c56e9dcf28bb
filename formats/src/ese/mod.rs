//! Extensible Storage Engine: the database files and transaction logs of Exchange, Active Directory and Windows.

pub mod attachment;
pub mod checkpoint;
pub mod database;
pub mod dump;
pub mod environment;
pub mod header;
pub mod integrity;
pub mod log;
pub mod page;
pub mod position;
pub mod replay;
pub mod tables;

pub use tables::space::owned_end;

/// The page sizes that databases come in, in bytes. 2,048 is legacy.
pub const PAGE_SIZES: [u32; 5] = [2048, 4096, 8192, 16384, 32768];

/// The page size that a header's field means: zero stands for 4,096. `None` if it is no page size.
pub(crate) fn page_size_of_field(field: u32) -> Option<u32> {
    let size = if field == 0 { 4096 } else { field };
    PAGE_SIZES.contains(&size).then_some(size)
}

/// The kind of file that a header says it heads (reference, database.md section 2, offset 667).
pub(crate) mod file_type {
    /// Where every kind of header has the field; it is not aligned.
    pub const AT: usize = 667;
    /// Old files, of any kind.
    pub const OLD: u32 = 0;
    pub const DATABASE: u32 = 1;
    pub const LOG: u32 = 3;
    pub const CHECKPOINT: u32 = 4;
    pub const FLUSH_MAP: u32 = 7;
}
