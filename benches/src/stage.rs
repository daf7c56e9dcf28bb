//! What a byte passes through on its way, each of which has a rate on this machine.

use std::fmt;

/// A stage, or what all threads share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `read(2)` of the input by one thread, warm.
    Read,
    /// The same by all threads together.
    ReadAll,
    /// Reading the input from its disk by one thread.
    ReadCold,
    /// Touching every line of a mapping of the input, warm.
    Map,
    /// Buffered sequential writing of a new file.
    Write,
    /// The same until it is durable.
    WriteDurable,
    /// Copying in memory by one thread.
    Copy,
    /// The same by all threads together.
    CopyAll,
    /// Cut points of content-defined chunks, by the fastest kernel.
    Cdc,
    /// BLAKE3 of database pages, batched.
    HashPages,
    /// BLAKE3 of content-defined chunks.
    HashChunks,
    /// Compressing 256 KiB groups at a level.
    Compress(i32),
    /// Decoding what was compressed at a level, in plain bytes.
    Decode(i32),
}

impl Stage {
    /// The word for it in a model.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Read | Stage::ReadAll => "read",
            Stage::ReadCold => "cold read",
            Stage::Map => "touch",
            Stage::Write => "write",
            Stage::WriteDurable => "durable write",
            Stage::Copy | Stage::CopyAll => "copy",
            Stage::Cdc => "cdc",
            Stage::HashPages | Stage::HashChunks => "hash",
            Stage::Compress(_) => "zstd",
            Stage::Decode(_) => "decode",
        }
    }
}

/// Its name in the table of limits.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Read => f.write_str("read, one thread"),
            Stage::ReadAll => f.write_str("read, all threads"),
            Stage::ReadCold => f.write_str("read, cold"),
            Stage::Map => f.write_str("touch a mapping"),
            Stage::Write => f.write_str("write, buffered"),
            Stage::WriteDurable => f.write_str("write, durable"),
            Stage::Copy => f.write_str("copy, one thread"),
            Stage::CopyAll => f.write_str("copy, all threads"),
            Stage::Cdc => f.write_str("cut points"),
            Stage::HashPages => f.write_str("hash of pages"),
            Stage::HashChunks => f.write_str("hash of content-defined chunks"),
            Stage::Compress(level) => write!(f, "zstd level {level}"),
            Stage::Decode(level) => write!(f, "decode of level {level}"),
        }
    }
}
