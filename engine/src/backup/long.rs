//! A stream of a window or more, read window by window.

use super::pieces::{Bytes, Cuts, Ending, Member, WINDOW, copy_from};
use super::window::{Open, Trail, lead_of};
use crate::chunk::chain::Cut as ChunkCut;
use crate::chunk::gear::{self, Gear};
use crate::chunk::pages::Shape;
use crate::error::Result;
use crate::index::previous::{Cursor, PreviousRecipes};
use crate::root::Nothing;
use crate::source::{PositionedRead, Source};
use reel_tape::layout::recipe::{Cut, StreamHead};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// A long stream that is being read.
pub struct Long {
    /// Taken when the stream ends.
    source: Option<Box<dyn Source>>,
    positioned: Option<Arc<dyn PositionedRead>>,
    stream: u32,
    head: Option<Box<StreamHead>>,
    shape: Shape,
    owned_end: u32,
    /// `None`: only reading will tell.
    length: Option<u64>,
    /// Begin of the next window.
    window: u64,
    /// Where the next chunk begins.
    next: u64,
    /// Bytes of the stream from `next` on that were read already.
    carry: Vec<u8>,
    /// Nothing of the stream is left to read.
    all_read: bool,
    lead: Option<(Nothing, u64)>,
    /// Holes that may reach into the next window.
    holes: VecDeque<Range<u64>>,
    no_more_holes: bool,
    previous: Option<Cursor>,
    trail: Arc<Trail>,
}

/// How far before and behind its window a chunk of the earlier version may be found again.
const SLACK: u64 = 1 << 20;

impl Long {
    /// A stream of which `first` was looked at: read away from a pipe, or read at its place from a file.
    pub fn new(
        source: Box<dyn Source>,
        positioned: Option<Arc<dyn PositionedRead>>,
        stream: u32,
        head: Box<StreamHead>,
        shape: Shape,
        first: Vec<u8>,
        previous: Option<Cursor>,
    ) -> Self {
        let owned_end = owned_end(&shape, |offset, page| match &positioned {
            Some(positioned) => positioned.read_at(page, offset).is_ok_and(|got| got == page.len()),
            None => copy_from(&first, offset, page),
        });
        Long {
            length: source.len(),
            source: Some(source),
            carry: if positioned.is_some() { Vec::new() } else { first },
            positioned,
            stream,
            head: Some(head),
            shape,
            owned_end,
            window: 0,
            next: 0,
            all_read: false,
            lead: None,
            holes: VecDeque::new(),
            no_more_holes: false,
            previous,
            trail: Arc::default(),
        }
    }

    /// Whether the last window was handed out.
    pub fn is_read(&self) -> bool {
        self.all_read && self.carry.is_empty()
    }

    /// The next window; the stream's end is in the last one.
    pub fn next_window(
        &mut self,
        previous: &mut PreviousRecipes,
        gear: &Gear,
        buffer: &mut Vec<u8>,
    ) -> Result<Member> {
        let begin = self.window;
        let offset = self.next;
        let (bytes, cuts, length) = match (self.shape.cut, &self.positioned, self.length) {
            (Cut::Content, Some(positioned), Some(length)) => {
                return self.open_window(positioned.clone(), length, previous);
            }
            (Cut::Content, ..) => self.content_window(begin + WINDOW, gear, buffer)?,
            (Cut::Pages(unit), ..) => self.page_window(begin + WINDOW, unit, buffer)?,
        };
        self.next += length;
        let ended = self.is_read();
        let end = if ended { self.next } else { begin + WINDOW };
        self.window = end;
        let holes = self.holes_in(offset..self.next)?;
        let mut known = Vec::new();
        if let Some(cursor) = &mut self.previous {
            previous.window(cursor, offset..end, &mut known)?;
        }
        let lead = self.lead.take().map(|(kind, length)| (kind, length.min(end - begin)));
        let member = Member {
            stream: self.stream,
            head: self.head.take(),
            owned_end: self.owned_end,
            shape: self.shape,
            offset,
            length,
            bytes,
            cuts,
            window: begin..end,
            lead,
            holes,
            previous: known,
            guided: false,
            end: ended.then(|| Ending { length: end, source: self.source.take() }),
        };
        self.lead = lead_of(&member, buffer);
        Ok(member)
    }

    /// A window that its worker reads and cuts. The stream may end with a chunk that begins in it, or with the next one.
    fn open_window(
        &mut self,
        positioned: Arc<dyn PositionedRead>,
        stream_length: u64,
        previous: &mut PreviousRecipes,
    ) -> Result<Member> {
        let begin = self.window;
        let end = stream_length.min(begin + WINDOW);
        let reach = begin + WINDOW + gear::MAX as u64;
        let furthest = stream_length.min(reach);
        let holes = self.holes_in(begin..reach)?;
        let in_hole = furthest == reach && holes.iter().any(|h| h.start <= begin && reach <= h.end);
        let mut known = Vec::new();
        let mut guided = false;
        if let Some(cursor) = &mut self.previous {
            // The names are those of the same place, the cuts may come from where the bytes were before.
            let shift = self.trail.shift().clamp(-(WINDOW as i64), WINDOW as i64);
            let moved = |at: u64| at.saturating_add_signed(-shift);
            let from = begin.min(moved(begin).saturating_sub(SLACK));
            previous.window(cursor, from..end.max(moved(furthest) + SLACK), &mut known)?;
            guided = cursor.cut() == Cut::Content;
        }
        self.window = end;
        self.all_read = end == stream_length;
        let may_end = furthest == stream_length;
        Ok(Member {
            stream: self.stream,
            head: self.head.take(),
            owned_end: self.owned_end,
            shape: self.shape,
            offset: begin,
            length: furthest - begin,
            bytes: if in_hole { Bytes::Nothing } else { Bytes::There(positioned) },
            cuts: Cuts::Window(Open { stream_length, last: self.all_read, trail: self.trail.clone() }),
            window: begin..end,
            lead: None,
            holes,
            previous: known,
            guided,
            end: may_end.then(|| Ending { length: stream_length, source: self.source.take() }),
        })
    }

    fn page_window(&mut self, end: u64, unit: u32, buffer: &mut Vec<u8>) -> Result<(Bytes, Cuts, u64)> {
        let cuts = Cuts::Pages(unit);
        if let (Some(positioned), Some(stream_length)) = (self.positioned.clone(), self.length) {
            let end = end.min(stream_length);
            self.all_read = end == stream_length;
            let holes = self.holes_in(self.next..end)?;
            let in_hole = holes.iter().any(|h| h.start <= self.next && h.end >= end);
            let bytes = if in_hole { Bytes::Nothing } else { Bytes::There(positioned) };
            return Ok((bytes, cuts, end - self.next));
        }
        self.fill(buffer, (end - self.next) as usize)?;
        if !self.all_read && self.carry.is_empty() {
            // Only a byte more tells whether the stream ends with its window.
            let mut more = Vec::new();
            let next = self.next;
            self.next += buffer.len() as u64;
            self.fill(&mut more, 1)?;
            self.next = next;
            self.carry = more;
        }
        Ok((Bytes::Here(0..buffer.len()), cuts, buffer.len() as u64))
    }

    /// A window of a stream that only the reader can read: it cuts it, too.
    fn content_window(&mut self, end: u64, gear: &Gear, buffer: &mut Vec<u8>) -> Result<(Bytes, Cuts, u64)> {
        let starts = (end - self.next) as usize;
        self.fill(buffer, starts + gear::MAX)?;
        let mut lengths = Vec::new();
        gear.cuts(buffer, starts, &mut lengths);
        let at = lengths.iter().map(|length| *length as usize).sum();
        self.carry.extend_from_slice(&buffer[at..]);
        buffer.truncate(at);
        let cuts = lengths.into_iter().map(ChunkCut::plain).collect();
        Ok((Bytes::Here(0..at), Cuts::Lengths(cuts), at as u64))
    }

    /// Puts the stream's bytes from `next` on into `buffer`, `wanted` of them unless it ends before.
    fn fill(&mut self, buffer: &mut Vec<u8>, wanted: usize) -> Result<()> {
        let left = self.length.map(|l| l - self.next);
        let have = self.carry.len().min(wanted);
        let wanted = left.map_or(wanted, |l| wanted.min(usize::try_from(l).unwrap_or(usize::MAX)));
        let reads = have < wanted && !self.all_read;
        // What stands in the buffer is overwritten; to clear it first would cost as much as to read.
        buffer.resize(if reads { wanted } else { have }, 0);
        buffer[..have].copy_from_slice(&self.carry[..have]);
        self.carry.drain(..have);
        if reads {
            let got = match &mut self.source {
                Some(source) => source.read(&mut buffer[have..])?,
                None => 0,
            };
            match self.length {
                // A file that became shorter meanwhile: zeros, and reported as a change.
                Some(_) => buffer[have + got..].fill(0),
                None => {
                    buffer.truncate(have + got);
                    self.all_read = have + got < wanted;
                }
            }
        }
        if left.is_some_and(|l| (buffer.len() + self.carry.len()) as u64 >= l) {
            self.all_read = true;
        }
        Ok(())
    }

    /// The holes that reach into `range`, which begins no earlier than the one before.
    fn holes_in(&mut self, range: Range<u64>) -> Result<Vec<Range<u64>>> {
        while self.holes.pop_front_if(|h| h.end <= range.start).is_some() {}
        while !self.no_more_holes && self.holes.back().is_none_or(|h| h.end < range.end) {
            let from = self.holes.back().map_or(range.start, |h| h.end);
            let hole = match &self.source {
                Some(source) => source.holes(from)?.filter(|h| h.end > from),
                None => None,
            };
            self.no_more_holes = hole.is_none();
            self.holes.extend(hole);
        }
        Ok(self.holes.iter().take_while(|h| h.start < range.end).cloned().collect())
    }
}

/// The last page that a database owns, its pages read by byte offset; 0 where it is no database or cannot be known.
pub(super) fn owned_end(shape: &Shape, mut read: impl FnMut(u64, &mut [u8]) -> bool) -> u32 {
    let Some(page_size) = shape.ese_page() else { return 0 };
    let page = |number: u32, page: &mut [u8]| Ok(read((u64::from(number) + 1) * u64::from(page_size), page));
    reel_formats::ese::owned_end(page_size, page).ok().flatten().unwrap_or(0)
}
