//! A store as a file: written whole, brought up to date, or read without being written.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::store::{HEADER_PAGES, Store};

/// Bytes that one thread makes and writes at a time.
const WINDOW: u32 = 1 << 20;

impl Store {
    /// Writes the whole file, on every core; memory is 1 MiB for each.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write_to(&self, file: &File) -> io::Result<()> {
        file.set_len(self.len())?;
        self.write_runs(file, &self.windows(0..self.pages()))
    }

    /// Turns a file that holds `previous`, an earlier day of this store, into this day's by writing only what differs.
    /// Answers how many database pages it wrote: changed ones and added ones. The header pages are written too, and not
    /// counted.
    ///
    /// # Errors
    /// Those of the file; `InvalidInput` if `previous` is no earlier day of this store.
    pub fn update_file(&self, previous: &Store, file: &File) -> io::Result<u64> {
        if !self.continues(previous) {
            let message = "the other store is no earlier day of this one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        file.set_len(self.len())?;
        let last = previous.layout().last_page();
        let index = |page: u32| page + HEADER_PAGES - 1;
        let changed =
            (1..=last).filter(|&page| self.differs(previous, page)).map(|page| index(page)..index(page) + 1);
        let mut runs: Vec<Range<u32>> = std::iter::once(0..HEADER_PAGES).chain(changed).collect();
        runs.extend(self.windows(previous.pages()..self.pages()));
        self.write_runs(file, &runs)?;
        let written: u64 = runs.iter().map(|run| u64::from(run.end - run.start)).sum();
        Ok(written - u64::from(HEADER_PAGES))
    }

    /// Fills `buf` with the bytes of the file from `offset` on; behind the file's end they are zero.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) {
        let size = self.page_size() as usize;
        let mut spare = Vec::new();
        let (mut rest, mut at) = (buf, offset);
        while !rest.is_empty() {
            let (index, skip) = (at / size as u64, (at % size as u64) as usize);
            let length = (size - skip).min(rest.len());
            let (piece, behind) = rest.split_at_mut(length);
            if index >= u64::from(self.pages()) {
                piece.fill(0);
            } else if length == size {
                self.write_file_page(index as u32, piece);
            } else {
                spare.resize(size, 0);
                self.write_file_page(index as u32, &mut spare);
                piece.copy_from_slice(&spare[skip..skip + length]);
            }
            (rest, at) = (behind, at + length as u64);
        }
    }

    /// Cuts a run of pages of the file into windows.
    fn windows(&self, pages: Range<u32>) -> Vec<Range<u32>> {
        let step = WINDOW / self.page_size();
        let starts = pages.clone().step_by(step as usize);
        starts.map(|start| start..(start + step).min(pages.end)).collect()
    }

    /// Writes runs of pages of the file, none longer than a window, shared out to all cores.
    fn write_runs(&self, file: &File, runs: &[Range<u32>]) -> io::Result<()> {
        let taken = AtomicUsize::new(0);
        let work = || {
            let mut window = vec![0; WINDOW as usize];
            while let Some(run) = runs.get(taken.fetch_add(1, Ordering::Relaxed)) {
                let offset = u64::from(run.start) * u64::from(self.page_size());
                let bytes = &mut window[..((run.end - run.start) * self.page_size()) as usize];
                self.read_at(bytes, offset);
                file.write_all_at(bytes, offset)?;
            }
            Ok(())
        };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(runs.len());
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let results =
                workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
            results.fold(Ok(()), io::Result::and)
        })
    }
}
