//! What a set holds, stream by stream, read from its catalog.

use crate::error::Result;
use crate::pool::Catalog;
use reel_tape::layout::recipe::Run;
pub use reel_tape::layout::recipe::{Cut, PageReport, Recognised, StreamEnd, StreamHead};
use std::sync::Arc;

/// One stream of a set.
#[derive(Debug, Clone)]
pub struct StreamLine {
    /// Its number in the set.
    pub stream: u32,
    /// Name and attributes; `None` where its first fragment is lost.
    pub head: Option<StreamHead>,
    /// Length, root and page report; `None` where the stream does not end in the set, or its end is lost.
    pub end: Option<StreamEnd>,
    /// Bytes in chunks.
    pub data_bytes: u64,
    /// Bytes of zeros and holes.
    pub nothing_bytes: u64,
    /// Runs of its recipe.
    pub runs: u64,
}

/// Calls `each` with the streams of a set, in order.
pub fn streams(catalog: &Arc<Catalog>, mut each: impl FnMut(StreamLine) -> Result<()>) -> Result<()> {
    let mut open: Option<StreamLine> = None;
    for fragment in catalog.fragments(0) {
        let fragment = fragment?;
        if open.as_ref().is_some_and(|o| o.stream != fragment.stream)
            && let Some(line) = open.take()
        {
            each(line)?;
        }
        let line = open.get_or_insert(StreamLine {
            stream: fragment.stream,
            head: None,
            end: None,
            data_bytes: 0,
            nothing_bytes: 0,
            runs: 0,
        });
        line.head = line.head.take().or(fragment.head);
        line.end = line.end.take().or(fragment.end);
        line.runs += fragment.runs.len() as u64;
        for run in &fragment.runs {
            match run {
                Run::Data { .. } => line.data_bytes += run.len(),
                Run::Zero(_) | Run::Hole(_) => line.nothing_bytes += run.len(),
            }
        }
    }
    open.map_or(Ok(()), each)
}
