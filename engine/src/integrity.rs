//! The check of every page of a database against its own checksum, as fast as the file can be read.

use crate::error::{Class, Error, Result};
use crate::memory::Memory;
use crate::progress::Monitor;
use reel_formats::ese::database::{Database, DatabaseFile};
use reel_formats::ese::integrity::{Expected, Tally};
use reel_formats::ese::owned_end;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes that a worker reads and judges at a time. They are still in a cache when they are judged. By two threads this
/// was measured at 0.85 to 0.97 of read(2) alone, half of it at 0.74 to 0.83, a quarter of it at 0.79 to 0.81.
const BATCH: usize = 2 << 20;
/// Room for a worker beside its batch.
const PER_WORKER: u64 = BATCH as u64 + (256 << 10);

/// What the pages of a database are.
#[derive(Clone, Debug)]
pub struct Integrity {
    /// Counts of pages, and the bad ones by number.
    pub tally: Tally,
    /// Bytes read.
    pub bytes: u64,
    /// The last page that the database owns, where that can be told.
    pub owned_end: Option<u32>,
}

/// Checks all pages of `database`, which messages call `name`, on `threads` threads or as many as fit into `memory`.
/// Nothing is written. The error is a file that cannot be read, or [`Class::Cancelled`].
pub fn integrity<F: DatabaseFile>(
    database: &Database<F>,
    name: &str,
    threads: usize,
    memory: Memory,
    monitor: &Monitor,
) -> Result<Integrity> {
    let file = database.file();
    let page_size = database.page_size();
    let read_page = |pgno: u32, page: &mut [u8]| {
        Ok(file.read_at((u64::from(pgno) + 1) * u64::from(page_size), page)? == page.len())
    };
    let owned_end = owned_end(page_size, read_page).map_err(|e| Error::inside(name, e))?;
    let expected = Expected { page_size, owned_end, signature: database.header().signature };

    let len = file.len();
    monitor.counters().total.store(len, Ordering::Relaxed);
    // A stream of a set is then read in the order of its volume. What fails here fails again where it is read.
    let _ = file.expect(&[0..len]);
    let fitting = usize::try_from(memory.bytes() / 2 / PER_WORKER).unwrap_or(usize::MAX);
    let batches = usize::try_from(len.div_ceil(BATCH as u64)).unwrap_or(usize::MAX);
    let shared = Shared { next: AtomicU64::new(0), outcome: Mutex::new(Ok(Tally::default())) };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(fitting).min(batches) {
            scope.spawn(|| shared.work(file, name, &expected, monitor));
        }
        shared.work(file, name, &expected, monitor);
    });
    let tally = shared.outcome.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    if monitor.is_cancelled() {
        return Err(Error::new(Class::Cancelled, name, "stopped at your request"));
    }
    Ok(Integrity { tally, bytes: len, owned_end })
}

/// What the workers share: where the next batch begins, and what they found or what stopped one of them.
struct Shared {
    next: AtomicU64,
    outcome: Mutex<Result<Tally>>,
}

impl Shared {
    fn work<F: DatabaseFile>(&self, file: &F, name: &str, expected: &Expected, monitor: &Monitor) {
        let counted = self.count(file, name, expected, monitor);
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *outcome, counted) {
            (Ok(all), Ok(tally)) => all.merge(&tally),
            (Ok(_), Err(error)) => *outcome = Err(error),
            // The first error is the one that is told.
            (Err(_), _) => {}
        }
    }

    fn count<F: DatabaseFile>(
        &self,
        file: &F,
        name: &str,
        expected: &Expected,
        monitor: &Monitor,
    ) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut batch = vec![0; BATCH];
        while !monitor.is_cancelled() {
            let offset = self.next.fetch_add(BATCH as u64, Ordering::Relaxed);
            if offset >= file.len() {
                break;
            }
            let read = file.read_at(offset, &mut batch).map_err(|error| {
                // No other worker has to go on.
                self.next.store(file.len(), Ordering::Relaxed);
                Error::io(name, "cannot read", error).at(offset)
            })?;
            let Some(bytes) = batch.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            tally.check(expected, bytes, offset);
            monitor.counters().done.fetch_add(read as u64, Ordering::Relaxed);
        }
        Ok(tally)
    }
}
