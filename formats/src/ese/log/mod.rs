//! Transaction log files (reference, log.md).

pub mod header;
pub mod record;
