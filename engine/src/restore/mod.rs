//! Restore: a plan, one forward pass, and targets that get their final names when they are complete and verified.

pub mod pass;
mod report;

pub use report::{DamagedStream, RestoreReport};

use crate::error::Result;
use crate::memory::Memory;
use crate::pool::Pool;
use crate::progress::Monitor;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is restored, and how.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// `latest`, a set number, or the name of a set.
    pub set: String,
    /// Patterns of stream names; none: all streams. A pattern that matches a directory takes what is in it.
    pub streams: Vec<String>,
    /// Existing files are replaced.
    pub overwrite: bool,
    /// Incomplete files stay as `NAME.reel-partial`.
    pub keep_partial: bool,
    /// Workers.
    pub threads: usize,
    /// Bound on memory.
    pub memory: Memory,
    /// Most bytes of the spool of an ordered output; `None`: as many as the stream has.
    pub spool: Option<u64>,
    /// Folder of the spool; `None`: the temporary folder.
    pub spool_folder: Option<PathBuf>,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        RestoreOptions {
            set: "latest".into(),
            streams: Vec::new(),
            overwrite: false,
            keep_partial: false,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: Memory::DEFAULT,
            spool: None,
            spool_folder: None,
        }
    }
}

/// Restores streams of a set into the folder `to`.
pub fn restore(
    pool: &Arc<Pool>,
    to: &Path,
    options: &RestoreOptions,
    monitor: &Monitor,
) -> Result<RestoreReport> {
    let _ = (pool, to, options, monitor);
    todo!()
}

/// Writes the bytes of one stream, in order, to `output`.
pub fn restore_stream(
    pool: &Arc<Pool>,
    stream: &[u8],
    output: &mut (dyn Write + Send),
    options: &RestoreOptions,
    monitor: &Monitor,
) -> Result<RestoreReport> {
    let _ = (pool, stream, output, options, monitor);
    todo!()
}
