//! Plans: which chunks a restore wants and where they go, in medium order. Making one reads catalogs only; every stream's
//! recipe is held against its root on the way, so that a right chunk in a wrong place cannot pass.

use crate::error::{Class, Error, Result};
use crate::index::previous::SegmentTables;
use crate::memory::Memory;
use crate::pool::{Catalog, Pool};
use crate::root::{Nothing, PartRoots, StreamRoot};
use reel_tape::layout::recipe::{Fragment, Run, StreamEnd, StreamHead};
use reel_tape::layout::segment::Segment;
use std::ops::Range;
use std::sync::Arc;

/// One stream of a plan.
#[derive(Debug, Clone)]
pub struct StreamPlan {
    /// Its number in the set.
    pub stream: u32,
    /// Name and attributes.
    pub head: StreamHead,
    /// Its end; `None` where that is lost, or was never written.
    pub end: Option<StreamEnd>,
    /// Bytes that its fragments cover, or its length where that is known.
    pub length: u64,
    /// Ranges that chunks are placed in, sorted and joined; what lies between is zeros, holes, or lost.
    pub data: Vec<Range<u64>>,
    /// Ranges that cannot be restored, known from the catalogs alone.
    pub lost: Vec<Range<u64>>,
    /// Its chunks, put together as its recipe says, do not come to its root.
    pub root_differs: bool,
}

/// Chunks of one segment that go to one place of a stream, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Place of the set among the sets in medium order.
    order: u32,
    /// Set number.
    pub set: u32,
    /// Segment of the set.
    pub segment: u32,
    /// Index of the first chunk.
    pub first: u32,
    /// Number of chunks.
    pub count: u32,
    /// Bytes of the chunks.
    pub length: u32,
    /// The stream, by its place in the plan.
    pub target: u32,
    /// Where the first chunk goes in it.
    pub offset: u64,
}

#[cfg(test)]
impl Extent {
    /// Chunks (first, count) of a segment (set, segment), for tests of what is made of them.
    pub(crate) fn new(segment: (u32, u32), chunks: (u32, u32), length: u32, offset: u64) -> Self {
        let ((set, segment), (first, count)) = (segment, chunks);
        Extent { order: 0, set, segment, first, count, length, target: 0, offset }
    }
}

/// What a restore will do.
pub struct Plan {
    /// The streams, in the order of the set.
    pub streams: Vec<StreamPlan>,
    /// What to read, in medium order.
    pub extents: Vec<Extent>,
}

impl Plan {
    /// Plans the streams of a set that `wanted` chooses by name and attributes.
    ///
    /// # Errors
    /// When the plan does not fit into the memory, or a catalog cannot be read.
    pub fn new(
        pool: &Arc<Pool>,
        catalog: &Arc<Catalog>,
        memory: Memory,
        wanted: impl FnMut(&StreamHead) -> bool,
    ) -> Result<Plan> {
        let mut extents = Vec::new();
        let mut streams = Vec::new();
        // At worst every extent is a range of data by itself.
        let each = size_of::<Extent>() + size_of::<Range<u64>>();
        let limit = usize::try_from(memory.bytes() / 2).unwrap_or(usize::MAX) / each;
        let keep = |extent| {
            extents.push(extent);
            if extents.len() <= limit {
                return Ok(());
            }
            let mib = memory.bytes() >> 21;
            let sentence = format!("the plan needs more than {mib} MiB: raise --memory, or restore in parts");
            Err(Error::new(Class::Limit, "plan", sentence))
        };
        walk(pool, catalog, memory, wanted, keep, |stream| {
            streams.push(stream);
            Ok(())
        })?;
        extents.sort_unstable_by_key(|e| (e.order, e.segment, e.first, e.target, e.offset));
        Ok(Plan { streams, extents })
    }

    /// Bytes of all streams.
    pub fn bytes(&self) -> u64 {
        self.streams.iter().map(|s| s.length).sum()
    }
}

/// Walks over the recipes of a set: `extent` gets every stretch of chunks, `done` every stream after its last one.
pub fn walk(
    pool: &Arc<Pool>,
    catalog: &Arc<Catalog>,
    memory: Memory,
    mut wanted: impl FnMut(&StreamHead) -> bool,
    mut extent: impl FnMut(Extent) -> Result<()>,
    mut done: impl FnMut(StreamPlan) -> Result<()>,
) -> Result<()> {
    let order = medium_order(pool);
    let mut tables = SegmentTables::new(pool.clone(), memory.tables());
    let mut open: Option<Open> = None;
    let mut skipped = None;
    let mut targets = 0;
    for fragment in catalog.fragments(0) {
        let fragment = fragment?;
        if skipped == Some(fragment.stream) {
            continue;
        }
        if open.as_ref().is_some_and(|o| o.plan.stream != fragment.stream)
            && let Some(open) = open.take()
        {
            done(open.close())?;
        }
        let open = match &mut open {
            Some(open) => open,
            none => {
                let head = fragment.head.clone().unwrap_or_else(|| StreamHead {
                    // Its first fragment is lost, and with it its name.
                    name: format!("reel-lost-name-{}", fragment.stream).into_bytes(),
                    mode: 0o600,
                    ..StreamHead::default()
                });
                if !wanted(&head) {
                    skipped = Some(fragment.stream);
                    continue;
                }
                targets += 1;
                none.insert(Open::new(fragment.stream, head, targets - 1))
            }
        };
        open.fragment(&fragment, &order, &mut tables, &mut extent)?;
    }
    open.map_or(Ok(()), |open| done(open.close()))
}

/// Sets by where they stand: volumes by their place in the pool, then header blocks.
fn medium_order(pool: &Pool) -> Vec<u32> {
    let mut sets: Vec<_> = pool
        .sets()
        .map(|c| {
            let volume = pool.volumes.iter().position(|v| v.name == c.info.volume);
            (volume, c.info.header_object, c.set())
        })
        .collect();
    sets.sort_unstable();
    sets.into_iter().map(|(_, _, set)| set).collect()
}

/// A stream that is being planned.
struct Open {
    plan: StreamPlan,
    target: u32,
    at: u64,
    parts: PartRoots,
    root: StreamRoot,
    /// Some digest is not known, so the root cannot be computed.
    incomplete: bool,
    next_fragment: u32,
}

impl Open {
    fn new(stream: u32, head: StreamHead, target: u32) -> Self {
        let (data, lost) = (Vec::new(), Vec::new());
        let plan = StreamPlan { stream, head, end: None, length: 0, data, lost, root_differs: false };
        let (parts, root) = (PartRoots::new(0, 0), StreamRoot::default());
        Open { plan, target, at: 0, parts, root, incomplete: false, next_fragment: 0 }
    }

    fn fragment(
        &mut self,
        fragment: &Fragment,
        order: &[u32],
        tables: &mut SegmentTables,
        extent: &mut impl FnMut(Extent) -> Result<()>,
    ) -> Result<()> {
        if fragment.fragment != self.next_fragment || fragment.offset != self.at {
            self.incomplete = true;
            if fragment.offset > self.at {
                self.lose(self.at..fragment.offset);
            }
            self.at = fragment.offset;
        }
        self.next_fragment = fragment.fragment.saturating_add(1);
        for run in &fragment.runs {
            match *run {
                Run::Zero(length) => self.parts.nothing(Nothing::Zero, length),
                Run::Hole(length) => self.parts.nothing(Nothing::Hole, length),
                Run::Data { set, segment, first, count, length } => {
                    let table = tables.get(set, segment)?;
                    match order.iter().position(|s| *s == set).zip(table) {
                        Some((order, table)) if self.check_run(&table, first, count, length) => {
                            lose(&mut self.plan.data, self.at..self.at + u64::from(length));
                            extent(Extent {
                                order: order as u32,
                                set,
                                segment,
                                first,
                                count,
                                length,
                                target: self.target,
                                offset: self.at,
                            })?;
                        }
                        _ => {
                            self.incomplete = true;
                            self.lose(self.at..self.at + u64::from(length));
                        }
                    }
                }
            }
            self.at += run.len();
            let roots = self.parts.take();
            self.root.parts(&roots);
        }
        if let Some(end) = &fragment.end {
            self.plan.end = Some(end.clone());
        }
        Ok(())
    }

    /// Adds a run to the root; `false` where it names chunks that the segment cannot have.
    fn check_run(&mut self, table: &Segment, first: u32, count: u32, length: u32) -> bool {
        let chunks = table.chunks.get(first as usize..).unwrap_or_default();
        let chunks = &chunks[..chunks.len().min(count as usize)];
        let known = chunks.iter().map(|c| u64::from(c.length.get())).sum::<u64>();
        if known > u64::from(length) || chunks.is_empty() {
            return false;
        }
        if known < u64::from(length) || chunks.len() < count as usize {
            // Frames of the segment are lost and with them lengths; what is known is placed, the rest is lost.
            self.incomplete = true;
        }
        for chunk in chunks {
            self.parts.chunk(u64::from(chunk.length.get()), &chunk.digest);
        }
        true
    }

    fn lose(&mut self, range: Range<u64>) {
        lose(&mut self.plan.lost, range);
    }

    fn close(mut self) -> StreamPlan {
        self.plan.length = self.at;
        if let Some(end) = &self.plan.end {
            if end.length > self.at {
                let range = self.at..end.length;
                self.incomplete = true;
                lose(&mut self.plan.lost, range);
            }
            let length = end.length;
            let expected = end.root;
            self.plan.length = length;
            if !self.incomplete {
                let roots = self.parts.finish(length);
                self.root.parts(&roots);
                self.plan.root_differs = self.root.finish(length) != expected || self.at != length;
            }
        }
        self.plan
    }
}

/// Adds a range to a list of ranges, lost ones above all, which stays sorted and joined.
pub fn lose(lost: &mut Vec<Range<u64>>, range: Range<u64>) {
    if range.is_empty() {
        return;
    }
    let from = lost.partition_point(|r| r.end < range.start);
    let to = lost.partition_point(|r| r.start <= range.end);
    let mut joined = range;
    for old in &lost[from..to] {
        joined = joined.start.min(old.start)..joined.end.max(old.end);
    }
    lost.splice(from..to, std::iter::once(joined));
}

/// A chunk of a segment and one place that wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement {
    /// Index of the chunk in the segment.
    pub index: u32,
    /// The stream, by its place in the plan.
    pub target: u32,
    /// Where it goes in the stream.
    pub offset: u64,
}

/// Takes the extents of one segment apart into chunks. Chunks whose length is lost with their frame give lost ranges.
pub fn place(table: &Segment, extents: &[Extent], mut lost: impl FnMut(u32, Range<u64>)) -> Vec<Placement> {
    let mut placements = Vec::new();
    for extent in extents {
        let length_of = |at: u32| {
            let index = extent.first.checked_add(at)?;
            table.chunks.get(index as usize).map(|c| u64::from(c.length.get())).filter(|l| *l > 0)
        };
        let (mut front, mut begin) = (0, extent.offset);
        while front < extent.count
            && let Some(length) = length_of(front)
        {
            placements.push(Placement { index: extent.first + front, target: extent.target, offset: begin });
            begin += length;
            front += 1;
        }
        let (mut back, mut end) = (extent.count, extent.offset + u64::from(extent.length));
        while back > front
            && let Some(length) = length_of(back - 1)
        {
            back -= 1;
            end -= length.min(end - begin);
            placements.push(Placement { index: extent.first + back, target: extent.target, offset: end });
        }
        if begin < end {
            lost(extent.target, begin..end);
        }
    }
    placements.sort_unstable();
    placements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_ranges_stay_sorted_and_joined() {
        let mut lost = Vec::new();
        for range in [10..20, 40..50, 20..25, 30..40, 0..5, 24..31] {
            lose(&mut lost, range);
        }
        assert_eq!(lost, [0..5, 10..50]);
    }
}
