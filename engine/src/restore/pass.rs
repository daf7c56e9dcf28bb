//! The forward pass: every wanted frame is read once, in medium order; decoded, checked and scattered on all cores.

use crate::error::{Class, Error, Result};
use crate::frame::{FrameDecoder, check_chunks};
use crate::index::previous::SegmentTables;
use crate::io::Room;
use crate::memory::Memory;
use crate::plan::{Extent, Placement, Plan, lose, place};
use crate::pool::Pool;
use crate::progress::Monitor;
use crate::restore::fetch::{Home, Volumes, open};
use reel_tape::layout::segment::{FrameEntry, Segment};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Stored bytes that a worker reads at a time.
const BATCH: usize = 1 << 20;

/// Where restored bytes go.
pub trait Sink: Sync {
    /// Takes verified bytes of a stream (by its place in the plan), in any order and from any thread.
    fn write(&self, target: u32, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Memory of its own, with room for any frame, in which the plain bytes of a frame are made of which these stretches are
    /// wanted, so that they need not be copied; `None`: they are made elsewhere.
    fn room(&self, stretches: &[Stretch]) -> Result<Option<Room<'_>>> {
        let _ = stretches;
        Ok(None)
    }

    /// Takes verified stretches of the bytes that were made in its room, like [`Sink::write`].
    fn send(&self, room: Room<'_>, stretches: &[Stretch]) -> Result<()> {
        stretches.iter().try_for_each(|s| self.write(s.target, s.offset, &room.bytes()[s.range.clone()]))
    }

    /// A range of a stream is lost.
    fn lost(&self, target: u32, range: &Range<u64>) -> Result<()> {
        let _ = (target, range);
        Ok(())
    }
}

/// Neighbours in a frame that are neighbours in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The stream, by its place in the plan.
    pub target: u32,
    /// Where it begins in the stream.
    pub offset: u64,
    /// Where it lies in the plain bytes of the frame.
    pub range: Range<usize>,
}

/// What the pass could not restore.
#[derive(Debug, Default)]
pub struct PassReport {
    /// Lost ranges by stream (its place in the plan).
    pub lost: HashMap<u32, Vec<Range<u64>>>,
    /// What was wrong, in medium order as far as one worker sees it; at most [`MAX_REASONS`].
    pub reasons: Vec<String>,
    /// Stored bytes read.
    pub stored_bytes: u64,
}

/// Most reasons that are kept.
pub const MAX_REASONS: usize = 1000;

/// Reads what a plan wants and gives it to `sink`. Damage is reported, not an error; a sink that fails ends the pass.
pub fn run(
    pool: &Arc<Pool>,
    plan: &Plan,
    sink: &dyn Sink,
    threads: usize,
    memory: Memory,
    monitor: &Monitor,
) -> Result<PassReport> {
    pass(pool, plan, sink, threads, memory, monitor, true)
}

/// The same pass without digests, so that a benchmark can tell what they cost. What it gives to `sink` is not verified: nothing
/// but a benchmark may call this.
#[doc(hidden)]
pub fn run_without_digests(
    pool: &Arc<Pool>,
    plan: &Plan,
    sink: &dyn Sink,
    threads: usize,
    memory: Memory,
    monitor: &Monitor,
) -> Result<PassReport> {
    pass(pool, plan, sink, threads, memory, monitor, false)
}

fn pass(
    pool: &Arc<Pool>,
    plan: &Plan,
    sink: &dyn Sink,
    threads: usize,
    memory: Memory,
    monitor: &Monitor,
    digests: bool,
) -> Result<PassReport> {
    let feed = Mutex::new(Feed {
        pool,
        extents: &plan.extents,
        tables: SegmentTables::new(pool.clone(), memory.tables()),
        volumes: Volumes::new(pool.clone()),
        current: None,
    });
    let report = Mutex::new(PassReport::default());
    for (target, stream) in plan.streams.iter().enumerate() {
        for range in &stream.lost {
            sink.lost(target as u32, range)?;
        }
    }
    let failed = Mutex::new(None);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut worker = Worker { feed: &feed, report: &report, sink, monitor, stop: &stop, digests };
                if let Err(error) = worker.work() {
                    stop.store(true, Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    if monitor.is_cancelled() {
        return Err(Error::new(
            Class::Cancelled,
            "restore",
            "stopped at your request: no file has appeared under its name, what was there before is untouched",
        ));
    }
    Ok(report.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Hands out frames in medium order.
struct Feed<'a> {
    pool: &'a Arc<Pool>,
    extents: &'a [Extent],
    tables: SegmentTables,
    volumes: Volumes,
    current: Option<Current>,
}

/// The segment that is being read.
struct Current {
    table: Arc<Segment>,
    placements: Arc<[Placement]>,
    /// The first placement that is not handed out yet.
    next: usize,
    home: Home,
}

/// A frame to be decoded: its record in the batch's bytes, or why it could not be read, and who wants what of it.
struct Job {
    table: Arc<Segment>,
    frame: FrameEntry,
    bytes: std::result::Result<Range<usize>, String>,
    /// Those of the segment, and which of them want something of the frame.
    placements: Arc<[Placement]>,
    wanted: Range<usize>,
}

impl Job {
    fn placements(&self) -> &[Placement] {
        &self.placements[self.wanted.clone()]
    }
}

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    jobs: Vec<Job>,
    lost: Vec<(u32, Range<u64>, String)>,
}

impl Feed<'_> {
    /// Fills `batch`; it stays empty at the end.
    fn next_batch(&mut self, batch: &mut Batch) -> Result<()> {
        batch.bytes.clear();
        batch.jobs.clear();
        batch.lost.clear();
        while batch.bytes.len() < BATCH && batch.jobs.len() < 4096 && batch.lost.len() < 4096 {
            if self.current.is_none() && !self.next_segment(batch)? {
                return Ok(());
            }
            let Some(current) = &mut self.current else { continue };
            let Some(first) = current.placements.get(current.next) else {
                self.current = None;
                continue;
            };
            let Some(frame) = current.table.frame_of(first.index).copied() else {
                lose_placement(&current.table, first, "its segment has no frame for it", &mut batch.lost);
                current.next += 1;
                continue;
            };
            let end = frame.first.get() + frame.count.get();
            let begin = current.next;
            current.next += current.placements[begin..].partition_point(|p| p.index < end);
            let (table, placements) = (current.table.clone(), current.placements.clone());
            let bytes = self.volumes.record(&current.home, &frame, &mut batch.bytes);
            batch.jobs.push(Job { table, frame, bytes, placements, wanted: begin..current.next });
        }
        Ok(())
    }

    fn next_segment(&mut self, batch: &mut Batch) -> Result<bool> {
        let Some(first) = self.extents.first() else { return Ok(false) };
        let same = self.extents.partition_point(|e| (e.set, e.segment) == (first.set, first.segment));
        let (extents, rest) = self.extents.split_at(same.max(1));
        self.extents = rest;
        let table = self.tables.get(first.set, first.segment)?;
        let (Some(table), Some(catalog)) = (table, self.pool.set(first.set)) else { return Ok(true) };
        let placements = place(&table, extents, |target, range| {
            batch.lost.push((
                target,
                range,
                "its frame is lost and its segment was made again without it".into(),
            ));
        });
        let placements = placements.into();
        self.current = Some(Current { table, placements, next: 0, home: Home::of(catalog) });
        Ok(true)
    }
}

fn lose_placement(
    table: &Segment,
    placement: &Placement,
    why: &str,
    lost: &mut Vec<(u32, Range<u64>, String)>,
) {
    let length = table.chunks.get(placement.index as usize).map_or(0, |c| u64::from(c.length.get()));
    lost.push((placement.target, placement.offset..placement.offset + length, why.to_owned()));
}

/// The chunks of a frame that somebody wants: the index of each, and where it lies in the plain bytes.
fn wanted(job: &Job) -> Vec<(u32, Range<usize>)> {
    let mut wanted = Vec::new();
    let mut placements = job.placements().iter().peekable();
    let mut at = 0;
    for index in job.frame.first.get().. {
        let (Some(next), Some(entry)) = (placements.peek(), job.table.chunks.get(index as usize)) else {
            break;
        };
        let begin = at;
        at += entry.length.get() as usize;
        if next.index == index {
            wanted.push((index, begin..at));
        }
        while placements.next_if(|p| p.index <= index).is_some() {}
    }
    wanted
}

/// Where these chunks of a frame go.
fn stretches(job: &Job, chunks: &[(u32, Range<usize>)]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut chunks = chunks.iter().peekable();
    for Placement { index, target, offset } in job.placements() {
        while chunks.next_if(|(before, _)| before < index).is_some() {}
        let Some((_, range)) = chunks.peek().filter(|(found, _)| found == index) else { continue };
        match stretches.last_mut() {
            Some(before)
                if before.target == *target
                    && before.offset + before.range.len() as u64 == *offset
                    && before.range.end == range.start =>
            {
                before.range.end = range.end;
            }
            _ => stretches.push(Stretch { target: *target, offset: *offset, range: range.clone() }),
        }
    }
    stretches
}

struct Worker<'a, 'p> {
    feed: &'a Mutex<Feed<'p>>,
    report: &'a Mutex<PassReport>,
    sink: &'a dyn Sink,
    monitor: &'a Monitor,
    stop: &'a AtomicBool,
    /// Digests are computed and held against what they should be; only a benchmark goes without.
    digests: bool,
}

impl Worker<'_, '_> {
    fn work(&mut self) -> Result<()> {
        let mut decoder = FrameDecoder::new()?;
        decoder.digests(self.digests);
        let mut batch = Batch::default();
        while !self.stop.load(Ordering::Relaxed) && !self.monitor.is_cancelled() {
            self.feed.lock().unwrap_or_else(PoisonError::into_inner).next_batch(&mut batch)?;
            if batch.jobs.is_empty() && batch.lost.is_empty() {
                break;
            }
            for (target, range, why) in &batch.lost {
                self.lose(*target, range.clone(), why)?;
            }
            for job in &batch.jobs {
                self.job(&mut decoder, &batch.bytes, job)?;
            }
            let stored = batch.bytes.len() as u64;
            self.monitor.counters().stored.fetch_add(stored, Ordering::Relaxed);
            self.report.lock().unwrap_or_else(PoisonError::into_inner).stored_bytes += stored;
        }
        Ok(())
    }

    fn job(&self, decoder: &mut FrameDecoder, bytes: &[u8], job: &Job) -> Result<()> {
        let record = job.bytes.clone().map(|range| &bytes[range]);
        let frame = match record.and_then(|record| open(record, &job.table, &job.frame)) {
            Ok(frame) => frame,
            Err(why) => return self.lose_all(job, &why),
        };
        let wanted = wanted(job);
        let stretches = stretches(job, &wanted);
        match self.sink.room(&stretches)? {
            Some(mut room) => {
                let plain = decoder.decode_into(&frame, room.bytes_mut());
                let good = self.verified(job, plain, wanted, stretches)?;
                self.sink.send(room, &good)
            }
            None => {
                let plain = decoder.decode(&frame);
                let bytes = plain.as_ref().map_or(&[][..], |plain| plain);
                let good = self.verified(job, plain, wanted, stretches)?;
                good.iter().try_for_each(|s| self.sink.write(s.target, s.offset, &bytes[s.range.clone()]))
            }
        }
    }

    /// Holds the chunks that are wanted against their digests. Gives the stretches of those that have them; the others are lost.
    fn verified(
        &self,
        job: &Job,
        plain: Result<&[u8]>,
        mut wanted: Vec<(u32, Range<usize>)>,
        mut found: Vec<Stretch>,
    ) -> Result<Vec<Stretch>> {
        let plain = match plain {
            Ok(plain) => plain,
            Err(why) => return self.lose_all(job, &why.to_string()).map(|()| Vec::new()),
        };
        let chunks = wanted
            .iter()
            .map(|(index, range)| job.table.chunks.get(*index as usize).zip(plain.get(range.clone())));
        let good: Vec<bool> =
            if self.digests { check_chunks(chunks) } else { chunks.map(|chunk| chunk.is_some()).collect() };
        if good.contains(&false) {
            let mut good = good.into_iter();
            let bad: Vec<_> = wanted.extract_if(.., |_| good.next() != Some(true)).collect();
            for Stretch { target, offset, range } in stretches(job, &bad) {
                let why = "the chunk does not have the digest that its segment says";
                self.lose(target, offset..offset + range.len() as u64, why)?;
            }
            found = stretches(job, &wanted);
        }
        let bytes: usize = found.iter().map(|stretch| stretch.range.len()).sum();
        self.monitor.counters().done.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(found)
    }

    fn lose_all(&self, job: &Job, why: &str) -> Result<()> {
        for placement in job.placements() {
            let length =
                job.table.chunks.get(placement.index as usize).map_or(0, |c| u64::from(c.length.get()));
            self.lose(placement.target, placement.offset..placement.offset + length, why)?;
        }
        Ok(())
    }

    fn lose(&self, target: u32, range: Range<u64>, why: &str) -> Result<()> {
        {
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            lose(report.lost.entry(target).or_default(), range.clone());
            if report.reasons.last().is_none_or(|r| r != why) && report.reasons.len() < MAX_REASONS {
                report.reasons.push(why.to_owned());
            }
        }
        self.sink.lost(target, &range)
    }
}
