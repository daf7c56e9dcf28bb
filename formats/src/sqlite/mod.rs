//! SQLite database files and their write-ahead logs.

pub mod header;
pub mod wal;
