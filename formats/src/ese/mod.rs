//! Extensible Storage Engine: the database files and transaction logs of Exchange, Active Directory and Windows.

pub mod page;

/// The page sizes that databases come in, in bytes. 2,048 is legacy.
pub const PAGE_SIZES: [u32; 5] = [2048, 4096, 8192, 16384, 32768];
