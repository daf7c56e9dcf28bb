//! Verify: every block and every chunk of a pool is read and checked, nothing is written.

use crate::error::{Class, Error, Result};
use crate::frame::{FrameDecoder, check_chunks};
use crate::index::previous::SegmentTables;
use crate::memory::Memory;
use crate::plan::{self, lose, place};
pub use crate::pool::VolumeDamage;
use crate::pool::{Pool, SetStatus, Volume};
use crate::progress::Monitor;
use reel_tape::layout::block::BlockHeader;
use reel_tape::layout::frame::Frame;
use reel_tape::layout::record::RecordKind;
use reel_tape::layout::segment::Place;
use reel_tape::volume::scan::{Event, Records, Walk};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// A stream of a set that damage hits.
#[derive(Debug, Clone)]
pub struct StreamDamage {
    /// Number of the set.
    pub set: u32,
    /// Name of the stream.
    pub stream: Vec<u8>,
    /// Lost ranges in bytes; empty where the recipe itself does not come to the stream's root.
    pub lost: Vec<Range<u64>>,
}

/// What a verify found.
#[derive(Debug, Clone, Default)]
pub struct VerifyReport {
    /// Volumes read.
    pub volumes: u64,
    /// Good blocks read.
    pub blocks: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Frames decoded.
    pub frames: u64,
    /// Chunks held against their digests.
    pub chunks: u64,
    /// Sets.
    pub sets: u64,
    /// Incomplete sets.
    pub incomplete_sets: Vec<u32>,
    /// Incomplete sets behind the newest committed one: no later run has seen and listed them yet.
    pub unlisted_sets: Vec<u32>,
    /// Streams whose recipes came to their roots and whose chunks are all there.
    pub streams: u64,
    /// Places where something is wrong.
    pub damage: Vec<VolumeDamage>,
    /// Streams that are hit.
    pub hit: Vec<StreamDamage>,
}

impl VerifyReport {
    /// Is anything damaged, or a set torn that no later run has listed?
    pub fn has_findings(&self) -> bool {
        !self.damage.is_empty() || !self.hit.is_empty() || !self.unlisted_sets.is_empty()
    }
}

/// Stored bytes that a worker takes at a time.
const BATCH: usize = 1 << 20;

/// Verifies a pool: all blocks of its volumes, all frames and chunks, all recipes of its sets.
pub fn verify(pool: &Arc<Pool>, threads: usize, memory: Memory, monitor: &Monitor) -> Result<VerifyReport> {
    let mut report = VerifyReport { volumes: pool.volumes.len() as u64, ..VerifyReport::default() };
    let mut seen = Seen::default();
    let total = pool.volumes.iter().map(objects).sum();
    monitor.counters().total.store(total, Ordering::Relaxed);
    for volume in &pool.volumes {
        read_volume(pool, volume, threads, memory, monitor, &mut report, &mut seen)?;
    }
    for catalog in pool.sets() {
        report.sets += 1;
        if !catalog.info.status.is_complete() {
            report.incomplete_sets.push(catalog.set());
        }
    }
    let uncommitted = pool.sets().rev().take_while(|c| c.info.status != SetStatus::Complete);
    report.unlisted_sets = uncommitted.filter(|c| !c.info.status.is_complete()).map(|c| c.set()).collect();
    report.unlisted_sets.reverse();
    check_recipes(pool, memory, &seen, &mut report)?;
    Ok(report)
}

/// Number of objects on a volume.
fn objects(volume: &Volume) -> u64 {
    volume.files.last().map_or(0, |f| f.end)
}

/// Frames that were good, by set and segment: the first index of each, with its number of chunks.
#[derive(Default)]
struct Seen(HashMap<(u32, u32), Vec<(u32, u32)>>);

impl Seen {
    fn holds(&self, set: u32, segment: u32, index: u32) -> bool {
        let Some(frames) = self.0.get(&(set, segment)) else { return false };
        let at = frames.partition_point(|(first, _)| *first <= index);
        at.checked_sub(1).and_then(|at| frames.get(at)).is_some_and(|(first, count)| index - first < *count)
    }
}

/// One walk over a volume, behind a lock: hands out frames in batches.
struct Feed<'a, 'm> {
    walk: Walk<'m>,
    volume: &'a Volume,
    pool: &'a Arc<Pool>,
    records: Records,
    tables: SegmentTables,
    /// Set and session of the file that is being read.
    file: Option<(u32, u64)>,
    report: &'a mut VerifyReport,
    monitor: &'a Monitor,
    /// Objects of the volumes before.
    before: u64,
    plain: Vec<u8>,
    done: bool,
}

struct Job {
    place: Place,
    object: u64,
    body: Vec<u8>,
    table: Option<Arc<reel_tape::layout::segment::Segment>>,
}

struct Found {
    good: Vec<(u32, u32, u32, u32)>,
    bad: Vec<(u64, String)>,
    chunks: u64,
    frames: u64,
}

fn read_volume(
    pool: &Arc<Pool>,
    volume: &Volume,
    threads: usize,
    memory: Memory,
    monitor: &Monitor,
    report: &mut VerifyReport,
    seen: &mut Seen,
) -> Result<()> {
    let mut medium = pool.walk_medium(volume)?;
    // What opening passed over in the container is damage too.
    report.damage.extend(pool.passed_over(&*medium, volume));
    let feed = Mutex::new(Feed {
        walk: Walk::new(&mut *medium, 0, None)?,
        volume,
        pool,
        records: Records::default(),
        tables: SegmentTables::new(pool.clone(), memory.tables()),
        file: None,
        report,
        monitor,
        before: pool.volumes.iter().take_while(|v| v.name != volume.name).map(objects).sum(),
        plain: Vec::new(),
        done: false,
    });
    let failed = Mutex::new(None);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| match work(&feed, monitor) {
                Ok(one) => found.lock().unwrap_or_else(PoisonError::into_inner).push(one),
                Err(error) => {
                    feed.lock().unwrap_or_else(PoisonError::into_inner).done = true;
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    if monitor.is_cancelled() {
        return Err(Error::new(Class::Cancelled, "verify", "stopped at your request"));
    }
    let feed = feed.into_inner().unwrap_or_else(PoisonError::into_inner);
    for one in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        feed.report.chunks += one.chunks;
        feed.report.frames += one.frames;
        for (set, segment, first, count) in one.good {
            seen.0.entry((set, segment)).or_default().push((first, count));
        }
        for (object, what) in one.bad {
            let byte = feed.walk.byte_address(object);
            let volume = volume.name.clone();
            feed.report.damage.push(VolumeDamage { volume, first: object, end: object + 1, byte, what });
        }
    }
    feed.report.damage.sort_by_key(|d| (d.first, d.end));
    feed.report.damage.dedup_by(|a, b| a.first == b.first && a.end <= b.end && a.volume == b.volume);
    seen.0.values_mut().for_each(|frames| frames.sort_unstable());
    Ok(())
}

impl Feed<'_, '_> {
    /// Walks on until a batch of frames is together.
    fn next_batch(&mut self, jobs: &mut Vec<Job>) -> Result<()> {
        jobs.clear();
        let mut bytes = 0;
        while bytes < BATCH && !self.done && !self.monitor.is_cancelled() {
            let Some(event) = self.walk.step()? else {
                self.done = true;
                break;
            };
            match event {
                Event::Vol1 => {}
                Event::Filemark(_) => {
                    self.records.reset();
                    self.file = None;
                }
                Event::Damage { first, end, error } => {
                    self.note(first, end, error.what());
                }
                Event::Block(header) => {
                    self.report.blocks += 1;
                    self.report.bytes += u64::from(header.payload);
                    self.monitor.counters().done.store(self.before + header.object, Ordering::Relaxed);
                    let stored = u64::from(header.payload);
                    self.monitor.counters().stored.fetch_add(stored, Ordering::Relaxed);
                    if let Some(what) = self.misfit(&header) {
                        self.note(header.object, header.object + 1, what);
                        continue;
                    }
                    bytes += self.block(&header, jobs)?;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, first: u64, end: u64, what: String) {
        let byte = self.walk.byte_address(first);
        self.report.damage.push(VolumeDamage { volume: self.volume.name.clone(), first, end, byte, what });
    }

    /// Why a good block does not belong where it stands.
    fn misfit(&mut self, header: &BlockHeader) -> Option<String> {
        if (header.pool, header.volume) != (self.volume.label.pool, self.volume.label.volume) {
            return Some("a foreign block: it names another pool or volume".into());
        }
        if header.set == 0 {
            return None;
        }
        let file = *self.file.get_or_insert((header.set, header.session));
        if file != (header.set, header.session) {
            return Some(format!("a stale block of set {} in the file of set {}", header.set, file.0));
        }
        let info = &self.pool.set(header.set)?.info;
        let fits = info.header_object == header.header_object() && info.head.session == header.session;
        (!fits).then(|| format!("a block of set {} that stands outside that set's file", header.set))
    }

    fn block(&mut self, header: &BlockHeader, jobs: &mut Vec<Job>) -> Result<usize> {
        let (mut frames, mut wrong) = (Vec::new(), Vec::new());
        let first_object = header.header_object();
        self.records.block(
            header,
            self.walk.payload(),
            &mut self.plain,
            |found| {
                if found.kind == RecordKind::Frame {
                    frames.push((found.place, found.body.to_vec()));
                }
            },
            |place, what| wrong.push((place, what)),
        );
        for (place, what) in wrong {
            let object = first_object + u64::from(place.index);
            self.note(object, object + 1, what);
        }
        let mut bytes = 0;
        for (place, body) in frames {
            bytes += body.len();
            let key = Frame::decode(&body).map(|f| (f.set, f.segment)).ok();
            let table = match key {
                Some((set, segment)) => self.tables.get(set, segment)?,
                None => None,
            };
            jobs.push(Job { place, object: first_object + u64::from(place.index), body, table });
        }
        Ok(bytes)
    }
}

fn work(feed: &Mutex<Feed<'_, '_>>, monitor: &Monitor) -> Result<Found> {
    let mut decoder = FrameDecoder::new()?;
    let mut found = Found { good: Vec::new(), bad: Vec::new(), chunks: 0, frames: 0 };
    let mut jobs = Vec::new();
    loop {
        feed.lock().unwrap_or_else(PoisonError::into_inner).next_batch(&mut jobs)?;
        if jobs.is_empty() || monitor.is_cancelled() {
            return Ok(found);
        }
        for job in &jobs {
            found.frames += 1;
            match check_frame(&mut decoder, job, &mut found.chunks) {
                Ok(good) => found.good.push(good),
                Err(what) => found.bad.push((job.object, what)),
            }
        }
    }
}

/// Holds a frame against its segment: place, digests, lengths.
fn check_frame(
    decoder: &mut FrameDecoder,
    job: &Job,
    chunks: &mut u64,
) -> std::result::Result<(u32, u32, u32, u32), String> {
    let frame = Frame::decode(&job.body).map_err(|m| m.to_string())?;
    let Some(table) = &job.table else {
        return Err(format!("a frame of segment {}, which set {} does not have", frame.segment, frame.set));
    };
    let count = frame.lengths.len() as u32;
    let entry = table.frame_of(frame.first);
    if entry.is_none_or(|e| (e.first.get(), e.count.get(), e.place()) != (frame.first, count, job.place)) {
        return Err(format!(
            "segment {} does not have its frame of chunk {} here",
            frame.segment, frame.first
        ));
    }
    let plain = decoder.decode(&frame).map_err(|e| e.to_string())?;
    let mut at = 0;
    let found = (frame.first as usize..).zip(frame.lengths).map(|(index, length)| {
        let begin = at;
        at += length.get() as usize;
        table.chunks.get(index).zip(plain.get(begin..at))
    });
    let good = check_chunks(found).into_iter().take_while(|good| *good).count() as u32;
    *chunks += u64::from(good);
    if good < count {
        let index = frame.first + good;
        return Err(format!("chunk {index} of segment {} does not have its digest", frame.segment));
    }
    Ok((frame.set, frame.segment, frame.first, count))
}

/// Holds every recipe against its root, and lists what lost chunks do to streams.
fn check_recipes(pool: &Arc<Pool>, memory: Memory, seen: &Seen, report: &mut VerifyReport) -> Result<()> {
    for catalog in pool.sets() {
        let mut tables = SegmentTables::new(pool.clone(), memory.tables());
        let lost = std::cell::RefCell::new(Vec::new());
        let complete = catalog.info.status.is_complete();
        plan::walk(
            pool,
            catalog,
            memory,
            |_| true,
            |extent| {
                let Some(table) = tables.get(extent.set, extent.segment)? else { return Ok(()) };
                let mut lost = lost.borrow_mut();
                let placements = place(&table, &[extent], |_, range| lose(&mut lost, range));
                for placement in placements {
                    if !seen.holds(extent.set, extent.segment, placement.index) {
                        let length = table.chunks[placement.index as usize].length.get();
                        lose(&mut lost, placement.offset..placement.offset + u64::from(length));
                    }
                }
                Ok(())
            },
            |stream| {
                let mut lost = lost.take();
                stream.lost.iter().for_each(|range| lose(&mut lost, range.clone()));
                let endless = stream.end.is_none() && complete;
                if lost.is_empty() && !stream.root_differs && !endless {
                    report.streams += u64::from(stream.end.is_some());
                } else {
                    report.hit.push(StreamDamage { set: catalog.set(), stream: stream.head.name, lost });
                }
                Ok(())
            },
        )?;
    }
    Ok(())
}
