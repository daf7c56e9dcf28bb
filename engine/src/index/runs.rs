//! The runs of a pool: which of them there are, how they are made from catalogs, and merged.
//!
//! Each run is about some consecutive sets, and all together about every set that is asked for. A run that has at most twice the
//! entries of the one behind it is merged with it, so that their number grows with the logarithm of the pool. Which runs there
//! are decides how long an answer takes, never what it is.

use super::Name;
use super::run::{self, Contents, Damaged, Run};
use super::sort::{Entries, Entry, Sorter, merge};
use crate::digest::{self, Digest};
use crate::error::{Class, Error, Result};
use crate::pool::catalog::make_folder;
use crate::pool::{Catalog, Pool, SetStatus};
use std::cmp::Reverse;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;
use uuid::Uuid;

/// What is found in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The chunks of trusted segments, by digest.
    Chunks,
    /// The streams of complete sets, by the digest of their name; a stream's number stands as [`stream_name`] says.
    Streams,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Chunks => "chunks",
            Kind::Streams => "streams",
        }
    }
}

/// The key by which a digest is looked up: its first bytes are a hash already.
pub(super) fn fingerprint(digest: &Digest) -> u64 {
    u64::from_le_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
}

/// A stream as an entry of the index. The first of a set counts as its newest: it is asked first.
pub(super) fn stream_name(set: u32, stream: u32) -> Name {
    Name { set, segment: u32::MAX - stream, index: 0 }
}

/// The stream that an entry is about.
pub(super) fn stream_of(name: Name) -> u32 {
    u32::MAX - name.segment
}

/// The sets that an index is about.
#[derive(Clone)]
pub struct IndexedSets {
    /// The pool.
    pub pool: Uuid,
    /// The catalogs of its sets, oldest first.
    pub catalogs: Vec<Arc<Catalog>>,
    /// The pool's folder in the cache; without one, what is made is gone with its user.
    pub folder: Option<PathBuf>,
}

impl From<&Pool> for IndexedSets {
    fn from(pool: &Pool) -> Self {
        IndexedSets {
            pool: pool.uuid,
            catalogs: pool.sets().cloned().collect(),
            folder: pool.cache().map(Path::to_owned),
        }
    }
}

/// The runs of a pool.
pub(super) struct Runs {
    kind: Kind,
    sets: IndexedSets,
    /// The runs, oldest first.
    oldest_first: Vec<Run>,
}

impl Runs {
    /// Opens the runs about the sets from `from` on. What is missing in the cache, or was made of other catalogs than these,
    /// is made again.
    pub(super) fn open(kind: Kind, sets: IndexedSets, from: u32) -> Result<Runs> {
        let mut runs = Runs { kind, sets, oldest_first: Vec::new() };
        let there = runs.files();
        let mut newest_first = Vec::new();
        let mut end = runs.sets.catalogs.len();
        // Catalogs up to `end` have no run yet; those up to `gap` have none in the folder.
        let mut gap = end;
        let is_wanted = |runs: &Runs, end: usize| end > 0 && runs.sets.catalogs[end - 1].set() >= from;
        while is_wanted(&runs, end) {
            let last = runs.sets.catalogs[end - 1].set();
            match there.iter().filter(|(_, l)| *l == last).find_map(|(first, _)| runs.open_file(*first, end))
            {
                Some((start, run)) => {
                    if gap > end {
                        newest_first.push(runs.make(end..gap)?);
                    }
                    newest_first.push(run);
                    (end, gap) = (start, start);
                }
                None => end -= 1,
            }
        }
        if gap > end {
            newest_first.push(runs.make(end..gap)?);
        }
        for run in newest_first.into_iter().rev() {
            runs.oldest_first.push(run);
            runs.settle()?;
        }
        runs.tidy();
        Ok(runs)
    }

    /// Merges the newest runs where they have become alike in size.
    fn settle(&mut self) -> Result<()> {
        while let [.., before, last] = &self.oldest_first[..]
            && before.len() <= last.len() * 2
        {
            let (first, last) = (before.sets().0, last.sets().1);
            let range = self.range(first, last);
            let merged = match self.merged(&self.oldest_first[self.oldest_first.len() - 2..], range.clone()) {
                Ok(merged) => merged,
                // Whatever is wrong with the runs, the catalogs are enough.
                Err(_) => self.make(range)?,
            };
            self.oldest_first.truncate(self.oldest_first.len() - 2);
            self.oldest_first.push(merged);
        }
        Ok(())
    }

    /// The places of the catalogs of some sets.
    fn range(&self, first: u32, last: u32) -> Range<usize> {
        let place = |set| self.sets.catalogs.partition_point(|c| c.set() < set);
        place(first)..self.sets.catalogs.partition_point(|c| c.set() <= last)
    }

    fn name(&self, first: u32, last: u32) -> String {
        format!("{}-{first:06}-{last:06}.idx", self.kind.word())
    }

    /// First and last set of the files that are there, those that begin first at the front.
    fn files(&self) -> Vec<(u32, u32)> {
        let mut found: Vec<_> = self.entries_of_folder().filter_map(|name| self.sets_of(&name)).collect();
        found.sort_unstable();
        found
    }

    fn entries_of_folder(&self) -> impl Iterator<Item = String> {
        let entries = self.sets.folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok());
        entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok())
    }

    fn sets_of(&self, name: &str) -> Option<(u32, u32)> {
        let rest = name.strip_prefix(self.kind.word())?.strip_prefix('-')?;
        let (first, last) = rest.strip_suffix(".idx")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    }

    /// Opens the file of a run from set `first` to the last catalog before `end`, if that is what it is, and says where its
    /// catalogs begin.
    fn open_file(&self, first: u32, end: usize) -> Option<(usize, Run)> {
        let start = self.sets.catalogs[..end].partition_point(|c| c.set() < first);
        let last = self.sets.catalogs[..end].last()?.set();
        if self.sets.catalogs.get(start).is_none_or(|c| c.set() != first) || start >= end {
            return None;
        }
        let file = File::open(self.sets.folder.as_ref()?.join(self.name(first, last))).ok()?;
        let run = Run::open(file, &self.identity(start..end).ok()?)?;
        (run.sets() == (first, last)).then_some((start, run))
    }

    /// What a run of these catalogs is known by: a change of any of them changes it.
    fn identity(&self, range: Range<usize>) -> Result<Digest> {
        let mut said = Vec::new();
        said.extend_from_slice(self.kind.word().as_bytes());
        said.extend_from_slice(self.sets.pool.as_bytes());
        for catalog in &self.sets.catalogs[range] {
            let info = &catalog.info;
            let words = [u64::from(info.head.set), info.head.session, info.header_object, info.end_object];
            said.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            said.extend_from_slice(info.status.word().as_bytes());
            said.extend(info.trailer.iter().flat_map(reel_tape::layout::trailer::Trailer::encode));
            for line in catalog.segments() {
                said.extend(
                    [line.segment, line.chunks, u32::from(line.trusted)].iter().flat_map(|w| w.to_le_bytes()),
                );
                // The trailer tells sets apart; where there is none, the CRC of each segment does.
                if info.status != SetStatus::Complete {
                    said.extend(catalog.segment_crc(line)?);
                }
            }
        }
        Ok(digest::of(&said))
    }

    /// A run made of catalogs.
    fn make(&self, range: Range<usize>) -> Result<Run> {
        let mut sorter = Sorter::new();
        for catalog in &self.sets.catalogs[range.clone()] {
            match self.kind {
                Kind::Chunks => chunks_of(catalog, &mut sorter)?,
                Kind::Streams => streams_of(catalog, &mut sorter)?,
            }
        }
        let count = sorter.count();
        self.write(range, count, sorter.sorted()?)
    }

    fn merged(&self, runs: &[Run], range: Range<usize>) -> Result<Run> {
        let count = runs.iter().map(Run::len).sum();
        self.write(range, count, merge(runs.iter().map(Run::entries).collect())?)
    }

    /// Writes a run beside its place and puts it there.
    fn write(&self, range: Range<usize>, count: u64, entries: Entries<'_>) -> Result<Run> {
        let io = |what: &'static str| move |e| Error::io("index", what, e);
        let catalogs = &self.sets.catalogs[range.clone()];
        let sets = match catalogs {
            [first, .., last] => (first.set(), last.set()),
            [only] => (only.set(), only.set()),
            [] => (0, 0),
        };
        let identity = self.identity(range)?;
        let contents = Contents { identity, sets, count, filtered: self.kind == Kind::Chunks, entries };
        let named = self.sets.folder.as_ref().and_then(|folder| {
            make_folder(folder).ok()?;
            let prefix = format!("{}-", self.kind.word());
            tempfile::Builder::new().prefix(&prefix).suffix(".new").tempfile_in(folder).ok()
        });
        let file = match named {
            Some(named) => {
                run::write(named.as_file(), contents)?;
                let path = self.sets.folder.as_ref().map(|folder| folder.join(self.name(sets.0, sets.1)));
                keep(named, path).map_err(io("cannot read what was just written"))?
            }
            None => {
                let file = tempfile::tempfile().map_err(io("cannot make a temporary file"))?;
                run::write(&file, contents)?;
                file
            }
        };
        Run::open(file, &identity)
            .ok_or_else(|| Error::new(Class::Io, "index", "what was just written does not read back"))
    }

    /// Removes the files that none of the runs is in: merged ones, and what a killed run left.
    fn tidy(&self) {
        let Some(folder) = &self.sets.folder else { return };
        let used: Vec<_> =
            self.oldest_first.iter().map(|run| self.name(run.sets().0, run.sets().1)).collect();
        let oldest = self.oldest_first.first().map_or(u32::MAX, |run| run.sets().0);
        for name in
            self.entries_of_folder().filter(|name| name.starts_with(&format!("{}-", self.kind.word())))
        {
            // Runs about sets that were not asked for stay.
            let is_older = self.sets_of(&name).is_some_and(|(_, last)| last < oldest);
            if !used.contains(&name) && !is_older {
                let _ = std::fs::remove_file(folder.join(name));
            }
        }
    }

    /// How many runs there are.
    pub(super) fn len(&self) -> usize {
        self.oldest_first.len()
    }

    /// A run, counted from the oldest.
    pub(super) fn run(&self, number: usize) -> &Run {
        &self.oldest_first[number]
    }

    /// The names of a fingerprint in one run, counted from the oldest, the newest first. A run that turns out to be damaged is
    /// made again.
    pub(super) fn find(&mut self, number: usize, fingerprint: u64, names: &mut Vec<Name>) -> Result<()> {
        names.clear();
        if self.oldest_first[number].find(fingerprint, names).is_ok() {
            return Ok(());
        }
        let (first, last) = self.oldest_first[number].sets();
        self.oldest_first[number] = self.make(self.range(first, last))?;
        names.clear();
        self.oldest_first[number].find(fingerprint, names).map_err(|Damaged| {
            Error::new(Class::Io, "index", "what was made a moment ago does not read back")
        })
    }

    /// The run that is about a set.
    pub(super) fn run_of(&self, set: u32) -> Option<usize> {
        let number = self.oldest_first.partition_point(|run| run.sets().1 < set);
        (number < self.oldest_first.len()).then_some(number)
    }

    /// The catalog of a set.
    pub(super) fn catalog(&self, set: u32) -> Option<&Arc<Catalog>> {
        let place = self.sets.catalogs.binary_search_by_key(&set, |c| c.set()).ok()?;
        self.sets.catalogs.get(place)
    }
}

/// Gives a file its name. Where that fails it is used without one: the next run makes it again.
fn keep(file: NamedTempFile, path: Option<PathBuf>) -> std::io::Result<File> {
    let kept = file.as_file().try_clone();
    if let Some(path) = path {
        let _ = file.persist(path);
    }
    kept
}

fn chunks_of(catalog: &Catalog, sorter: &mut Sorter) -> Result<()> {
    for line in catalog.segments().iter().filter(|line| line.trusted) {
        catalog.tables(line, |tables| {
            // Chunks without length are those of lost frames.
            (0..).zip(tables.chunks).filter(|(_, chunk)| chunk.length.get() > 0).try_for_each(
                |(index, chunk)| {
                    let name = Name { set: catalog.set(), segment: line.segment, index };
                    sorter.push(Entry { fingerprint: fingerprint(&chunk.digest), name: Reverse(name) })
                },
            )
        })??;
    }
    Ok(())
}

fn streams_of(catalog: &Arc<Catalog>, sorter: &mut Sorter) -> Result<()> {
    if !catalog.info.status.is_complete() {
        return Ok(());
    }
    for fragment in catalog.fragments(0) {
        let fragment = fragment?;
        if let Some(head) = &fragment.head {
            let name = stream_name(catalog.set(), fragment.stream);
            sorter.push(Entry { fingerprint: fingerprint(&digest::of(&head.name)), name: Reverse(name) })?;
        }
    }
    Ok(())
}
