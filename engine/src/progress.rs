//! What a caller sees of a run while it goes on, and how it stops one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters that a run keeps up to date; read them at any time from any thread.
#[derive(Debug, Default)]
pub struct Counters {
    /// Bytes of streams that are done: read and claimed, or restored, or verified.
    pub done: AtomicU64,
    /// Bytes of streams in all, as far as known; 0: not known.
    pub total: AtomicU64,
    /// Stored bytes written or read.
    pub stored: AtomicU64,
}

/// A handle on a run: its counters, and the request to stop. Clones belong to the same run.
#[derive(Debug, Clone, Default)]
pub struct Monitor {
    counters: Arc<Counters>,
    cancelled: Arc<AtomicBool>,
}

impl Monitor {
    /// The counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Asks the run to stop at its next safe point.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Was the run asked to stop?
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
