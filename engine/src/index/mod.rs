//! Who has a chunk already: digest to name, within the index's share of the memory.
//!
//! A digest has one answer, its newest name. Earlier sets are looked up in runs, files beside the cached catalogs that
//! are made of them and can always be made again; what is found there is held against the whole digest in the catalog. The
//! chunks of the run itself are in a table in memory. What the share of memory has no room for follows from the pool and the
//! share alone: it goes to the newest set first, and then to the run's new chunks in the order in which they are claimed.
//! Chunks that are left out are not found, and stored again.

mod filter;
mod own;
pub mod previous;
mod run;
mod runs;
mod sort;

use crate::digest::Digest;
use crate::error::Result;
use crate::pool::Catalog;
use own::Own;
use reel_tape::layout::segment::SegmentTables;
pub use runs::IndexedSets;
use runs::{Kind, Runs, fingerprint};
use std::sync::Arc;

/// A chunk's name: set, segment of the set, index in the segment. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Set number.
    pub set: u32,
    /// Segment of the set.
    pub segment: u32,
    /// Index in the segment.
    pub index: u32,
}

impl Name {
    /// The name of the chunk behind this one in its segment.
    fn next(self) -> Name {
        Name { index: self.index.saturating_add(1), ..self }
    }
}

/// Stretches of segments that are remembered.
const STRETCHES: usize = 4;

/// The index.
pub struct Index {
    runs: Runs,
    own: Own,
    /// Chunks of earlier sets with a smaller name are outside.
    floor: Name,
    outside: u64,
    left_out: u64,
    /// What comes behind the chunks that were found last, the latest first: a stretch that is used on is found without asking.
    stretches: Vec<Name>,
    names: Vec<Name>,
}

impl Index {
    /// The index of earlier sets and of the set `set` that is going to be written, in `share` bytes of memory: ten bits for each
    /// chunk of earlier sets, then 22 bytes for each new one. The filters that the ten bits stand for are mapped files.
    ///
    /// # Errors
    /// When catalogs cannot be read, or what is missing cannot be written anywhere.
    pub fn open(sets: IndexedSets, set: u32, share: u64) -> Result<Index> {
        let capacity = share.saturating_mul(8) / filter::BITS;
        let (floor, outside, inside) = floor(&sets.catalogs, capacity);
        let left = share - (inside * filter::BITS).div_ceil(8).min(share);
        let own = Own::new(set, left, sets.folder.as_deref())?;
        let runs = Runs::open(Kind::Chunks, sets, floor.set)?;
        let (stretches, names) = (Vec::with_capacity(STRETCHES), Vec::new());
        Ok(Index { runs, own, floor, outside, left_out: 0, stretches, names })
    }

    /// The name of a digest.
    ///
    /// # Errors
    /// When a cached catalog turns out to be damaged, or a file of the index cannot be read.
    pub fn find(&mut self, digest: &Digest) -> Result<Option<Name>> {
        if let Some(name) = self.own.find(digest)? {
            return Ok(Some(name));
        }
        let name = match self.find_in_stretches(digest)? {
            Some(name) => Some(name),
            None => self.find_in_runs(digest)?,
        };
        if let Some(name) = name {
            self.stretches.retain(|next| *next != name);
            self.stretches.truncate(STRETCHES - 1);
            self.stretches.insert(0, name.next());
        }
        Ok(name)
    }

    /// The chunk behind one that was found last, if it is this one, and no newer name can exist.
    fn find_in_stretches(&self, digest: &Digest) -> Result<Option<Name>> {
        for name in &self.stretches {
            let Some(run) = self.runs.run_of(name.set) else { continue };
            let Some(catalog) = self.runs.catalog(name.set) else { continue };
            if catalog.unchecked_digest(name.segment, name.index)?.as_ref() != Some(digest) {
                continue;
            }
            // Any name will not do: it has to be the one that the runs would give.
            let fingerprint = fingerprint(digest);
            let is_newest = !self.runs.run(run).repeats()
                && (run + 1..self.runs.len()).all(|newer| !self.runs.run(newer).may_hold(fingerprint));
            return Ok(is_newest.then_some(*name));
        }
        Ok(None)
    }

    fn find_in_runs(&mut self, digest: &Digest) -> Result<Option<Name>> {
        let fingerprint = fingerprint(digest);
        for number in (0..self.runs.len()).rev() {
            if !self.runs.run(number).may_hold(fingerprint) {
                continue;
            }
            self.runs.find(number, fingerprint, &mut self.names)?;
            for name in self.names.iter().filter(|name| **name >= self.floor) {
                if self.is_of(*name, digest)? {
                    return Ok(Some(*name));
                }
            }
        }
        Ok(None)
    }

    /// Has the chunk of this name this digest?
    fn is_of(&self, name: Name, digest: &Digest) -> Result<bool> {
        let Some(catalog) = self.runs.catalog(name.set) else { return Ok(false) };
        if catalog.unchecked_digest(name.segment, name.index)?.as_ref() == Some(digest) {
            return Ok(true);
        }
        // The same fingerprint by chance, or a damaged table.
        let Some(line) = catalog.segment_line(name.segment) else { return Ok(false) };
        let chunk = |tables: &SegmentTables<'_>| tables.chunks.get(name.index as usize).map(|c| c.digest);
        Ok(catalog.tables(line, chunk)?.as_ref() == Some(digest))
    }

    /// Adds a chunk of the set that is being written, which was not found. Says whether it is found from now on.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn add(&mut self, digest: &Digest, segment: u32, index: u32) -> Result<bool> {
        let is_in = self.own.add(digest, segment, index)?;
        self.left_out += u64::from(!is_in);
        Ok(is_in)
    }

    /// Chunks that have no room: those of earlier sets, and new ones so far.
    pub fn left_out(&self) -> u64 {
        self.outside + self.left_out
    }
}

/// Makes what the next run will want of the index. What fails here is made by that run.
pub fn renew(sets: &IndexedSets) {
    for kind in [Kind::Chunks, Kind::Streams] {
        let _ = Runs::open(kind, sets.clone(), 0);
    }
}

/// The oldest chunk that `capacity` chunks have room for, newest set first; chunks of trusted segments before and from there on.
fn floor(catalogs: &[Arc<Catalog>], capacity: u64) -> (Name, u64, u64) {
    let lines = catalogs.iter().rev().flat_map(|catalog| {
        catalog.segments().iter().rev().filter(|line| line.trusted).map(|line| (catalog.set(), line))
    });
    let (mut floor, mut outside, mut inside) = (Name { set: 0, segment: 0, index: 0 }, 0, 0);
    for (set, line) in lines {
        let chunks = u64::from(line.chunks);
        let fit = chunks.min(capacity - inside);
        if fit < chunks && outside == 0 {
            floor = Name { set, segment: line.segment, index: (chunks - fit) as u32 };
        }
        inside += fit;
        outside += chunks - fit;
    }
    (floor, outside, inside)
}
