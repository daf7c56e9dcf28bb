//! Backups to an image in memory and restores from it, without a file system.

use reel_engine::attributes::{Attributes, NodeKind};
use reel_engine::backup::{BackupOptions, BackupReport, backup};
use reel_engine::memory::Memory;
use reel_engine::plan::{Plan, StreamPlan, lose};
use reel_engine::pool::{Catalog, Catalogs, MemoryShelf, Pool, Shelf};
use reel_engine::progress::Monitor;
use reel_engine::restore::pass::{self, Sink};
use reel_engine::source::{Entry, Item, PositionedRead, Source};
use reel_engine::{Class, Error, Result};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What is called before each read, with the bytes that were read so far; its error is the source's.
pub type OnRead = Arc<dyn Fn(u64) -> Result<()> + Send + Sync>;

/// An entry of a set, in memory.
#[derive(Clone)]
pub struct Stream {
    /// Its name in the set.
    pub name: Vec<u8>,
    /// What is kept besides the bytes.
    pub attributes: Attributes,
    /// Its bytes.
    pub bytes: Arc<Vec<u8>>,
    /// Where it says that it has no data.
    pub holes: Vec<Range<u64>>,
    /// Its length is known, and it can be read at any place.
    pub positioned: bool,
    /// What is called before each read.
    pub on_read: Option<OnRead>,
}

impl Stream {
    /// A file.
    pub fn file(name: &str, bytes: Vec<u8>) -> Stream {
        let size = bytes.len() as u64;
        let attributes =
            Attributes { kind: NodeKind::File, mode: 0o640, mtime: (1_000, 5), size, ..Attributes::pushed() };
        Stream {
            name: name.into(),
            attributes,
            bytes: Arc::new(bytes),
            holes: Vec::new(),
            positioned: true,
            on_read: None,
        }
    }

    /// An entry without bytes; a link leads to `target`.
    pub fn meta(name: &str, kind: NodeKind, target: Option<&str>) -> Stream {
        let mut stream = Stream::file(name, Vec::new());
        stream.attributes.kind = kind;
        stream.attributes.link_target = target.map(Into::into);
        stream
    }

    /// The same entry, calling `on_read` before each read; read in order only.
    pub fn watched(mut self, on_read: impl Fn(u64) -> Result<()> + Send + Sync + 'static) -> Stream {
        self.on_read = Some(Arc::new(on_read));
        self.positioned = false;
        self
    }

    fn into_item(self) -> Item {
        let empty = self.bytes.is_empty() && self.attributes.kind != NodeKind::Pushed;
        Item::Entry(if empty {
            Entry::Meta { name: self.name, attributes: self.attributes }
        } else {
            Entry::Stream(Box::new(Reading { stream: self, at: 0 }))
        })
    }
}

struct Reading {
    stream: Stream,
    at: u64,
}

struct Bytes(Arc<Vec<u8>>);

impl PositionedRead for Bytes {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Source for Reading {
    fn name(&self) -> &[u8] {
        &self.stream.name
    }

    fn attributes(&self) -> &Attributes {
        &self.stream.attributes
    }

    fn len(&self) -> Option<u64> {
        self.stream.positioned.then_some(self.stream.bytes.len() as u64)
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if let Some(on_read) = &self.stream.on_read {
            on_read(self.at)?;
        }
        let count = Bytes(self.stream.bytes.clone()).read_at(buf, self.at)?;
        self.at += count as u64;
        Ok(count)
    }

    fn positioned(&self) -> Option<Arc<dyn PositionedRead>> {
        self.stream.positioned.then(|| Arc::new(Bytes(self.stream.bytes.clone())) as Arc<dyn PositionedRead>)
    }

    fn holes(&self, from: u64) -> Result<Option<Range<u64>>> {
        Ok(self.stream.holes.iter().find(|h| h.end > from).cloned())
    }
}

/// Bytes that do not compress, different for each seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Options that give the same bytes each time, with the smallest blocks and without a cache.
pub fn options() -> BackupOptions {
    BackupOptions {
        threads: 2,
        cache: None,
        clock: Some(1_700_000_000_000_000_000),
        seed: Some(11),
        block_size: 4096,
        ..BackupOptions::default()
    }
}

/// Backs streams up to any shelf.
pub fn back_up_on(
    shelf: &Arc<dyn Shelf>,
    streams: &[Stream],
    options: &BackupOptions,
    monitor: &Monitor,
) -> Result<BackupReport> {
    let items: Vec<Stream> = streams.to_vec();
    backup(shelf, Box::new(items.into_iter().map(Stream::into_item)), options, monitor)
}

/// Backs streams up to memory.
pub fn back_up_with(
    shelf: &MemoryShelf,
    streams: &[Stream],
    options: &BackupOptions,
    monitor: &Monitor,
) -> Result<BackupReport> {
    let shelf: Arc<dyn Shelf> = Arc::new(shelf.clone());
    back_up_on(&shelf, streams, options, monitor)
}

/// Backs streams up with [`options`].
///
/// # Panics
/// When that fails.
pub fn back_up(shelf: &MemoryShelf, streams: &[Stream]) -> BackupReport {
    back_up_with(shelf, streams, &options(), &Monitor::default()).expect("a backup to memory succeeds")
}

/// The only image of a shelf.
///
/// # Panics
/// When there is none.
pub fn image_of(shelf: &MemoryShelf) -> Vec<u8> {
    shelf.images().pop().expect("a shelf with an image")
}

/// Opens the pool on an image, without a cache.
pub fn open(image: Vec<u8>, catalogs: Catalogs) -> Result<Arc<Pool>> {
    Pool::open_shelf(Arc::new(MemoryShelf::with_image(image)), None, catalogs).map(Arc::new)
}

/// What a restore to memory gave of one stream.
#[derive(Debug)]
pub struct Restored {
    /// The stream as planned.
    pub plan: StreamPlan,
    /// Lost ranges, from the plan and from the pass.
    pub lost: Vec<Range<u64>>,
}

impl Restored {
    /// Would a restore give it its final name?
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && !self.plan.root_differs && self.plan.end.is_some()
    }
}

/// Holds every byte that arrives against what went in.
struct Comparing<'a> {
    expected: Vec<Option<&'a [u8]>>,
    arrived: Mutex<HashMap<u32, Vec<Range<u64>>>>,
}

impl Sink for Comparing<'_> {
    fn write(&self, target: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        let at = offset as usize;
        if let Some(expected) = self.expected[target as usize]
            && expected.get(at..at + bytes.len()) != Some(bytes)
        {
            return Err(
                Error::new(Class::Internal, format!("stream {target}"), "wrong bytes arrived").at(offset)
            );
        }
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        lose(arrived.entry(target).or_default(), offset..offset + bytes.len() as u64);
        Ok(())
    }
}

/// Restores all streams of a set to memory and compares: no byte may arrive that is not the right one, unless the stream's
/// root said so before; and what is neither lost nor arrived must be zeros.
///
/// # Errors
/// What the engine said, or which stream is wrong and where.
pub fn restore_and_compare(
    pool: &Arc<Pool>,
    set: &Arc<Catalog>,
    streams: &[Stream],
) -> Result<Vec<Restored>> {
    let plan = Plan::new(pool, set, Memory::DEFAULT, |_| true)?;
    let of_name = |name: &[u8]| streams.iter().find(|s| s.name == name);
    let expected: Vec<_> = plan.streams.iter().map(|s| of_name(&s.head.name)).collect();
    let held = plan.streams.iter().zip(&expected).map(|(stream, expected)| {
        let bytes = expected.map(|e| e.bytes.as_slice());
        bytes.filter(|_| !stream.root_differs)
    });
    let sink = Comparing { expected: held.collect(), arrived: Mutex::default() };
    let mut passed = pass::run(pool, &plan, &sink, 1, Memory::DEFAULT, &Monitor::default())?;
    let mut arrived = sink.arrived.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut restored = Vec::new();
    for (target, (stream, expected)) in (0u32..).zip(plan.streams.into_iter().zip(expected)) {
        let mut lost = stream.lost.clone();
        passed.lost.remove(&target).into_iter().flatten().for_each(|range| lose(&mut lost, range));
        let one = Restored { plan: stream, lost };
        if one.is_whole() {
            let name = String::from_utf8_lossy(&one.plan.head.name).into_owned();
            let wrong = |what: &str| Error::new(Class::Internal, &name, what);
            let bytes = &expected.ok_or_else(|| wrong("a stream that was never backed up"))?.bytes;
            if one.plan.length != bytes.len() as u64 {
                return Err(wrong("another length"));
            }
            let mut at = 0;
            let end = bytes.len()..bytes.len();
            let there = arrived.remove(&target).unwrap_or_default();
            for range in there.into_iter().map(|r| r.start as usize..r.end as usize).chain([end]) {
                if bytes[at..range.start].iter().any(|b| *b != 0) {
                    return Err(wrong("bytes that are neither lost nor restored").at(at as u64));
                }
                at = range.end;
            }
        }
        restored.push(one);
    }
    Ok(restored)
}
