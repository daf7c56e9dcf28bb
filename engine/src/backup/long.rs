//! A stream of a window or more, read window by window.

use super::pieces::{Bytes, Cuts, Ending, Member, WINDOW, copy_from};
use crate::chunk::gear;
use crate::chunk::pages::Shape;
use crate::error::Result;
use crate::index::previous::{Cursor, PreviousRecipes};
use crate::root::Nothing;
use crate::source::{PositionedRead, Source};
use reel_formats::ese::page::checksum::is_zero;
use reel_tape::layout::recipe::{Cut, StreamHead};
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
    hole: Option<Range<u64>>,
    no_more_holes: bool,
    previous: Option<Cursor>,
}

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
            hole: None,
            no_more_holes: false,
            previous,
        }
    }

    /// The next window; the stream's end is in the last one.
    pub fn next_window(&mut self, previous: &mut PreviousRecipes, buffer: &mut Vec<u8>) -> Result<Member> {
        let begin = self.window;
        let offset = self.next;
        let (bytes, cuts, length) = match self.shape.cut {
            Cut::Pages(unit) => self.page_window(begin + WINDOW, unit, buffer)?,
            Cut::Content => self.content_window(begin + WINDOW, buffer)?,
        };
        self.next += length;
        let ended = self.all_read && self.carry.is_empty();
        let end = if ended { self.next } else { begin + WINDOW };
        self.window = end;
        let holes = self.holes_in(offset..self.next)?;
        let mut known = Vec::new();
        if let Some(cursor) = &mut self.previous {
            previous.window(cursor, offset, end, &mut known)?;
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
            end: ended.then(|| Ending { length: end, source: self.source.take() }),
        };
        self.lead = lead_of(&member, buffer);
        Ok(member)
    }

    fn page_window(&mut self, end: u64, unit: u32, buffer: &mut Vec<u8>) -> Result<(Bytes, Cuts, u64)> {
        let cuts = Cuts::Pages(unit);
        if let (Some(positioned), Some(stream_length)) = (self.positioned.clone(), self.length) {
            let end = end.min(stream_length);
            self.all_read = end == stream_length;
            let hole = self.hole_at(self.next)?;
            let in_hole = hole.is_some_and(|h| h.start <= self.next && h.end >= end);
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

    fn content_window(&mut self, end: u64, buffer: &mut Vec<u8>) -> Result<(Bytes, Cuts, u64)> {
        let starts = end - self.next;
        if self.positioned.is_some()
            && let Some(hole) = self.hole_at(self.next)?
            && hole.start <= self.next
            && hole.end >= end + gear::MAX as u64
        {
            let cut = gear::cut_of_zeros();
            let count = starts.div_ceil(cut as u64);
            // What was read ahead is zeros too.
            self.carry.clear();
            let cuts = Cuts::Lengths(vec![cut as u32; count as usize]);
            return Ok((Bytes::Nothing, cuts, count * cut as u64));
        }
        let starts = starts as usize;
        self.fill(buffer, starts + gear::MAX)?;
        let (mut at, mut lengths) = (0, Vec::new());
        while at < buffer.len() && at < starts {
            let length = gear::cut(&buffer[at..]);
            lengths.push(length as u32);
            at += length;
        }
        self.carry.extend_from_slice(&buffer[at..]);
        buffer.truncate(at);
        Ok((Bytes::Here(0..at), Cuts::Lengths(lengths), at as u64))
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
            let got = match (&self.positioned, &mut self.source) {
                (Some(positioned), _) => positioned.read_at(&mut buffer[have..], self.next + have as u64)?,
                (None, Some(source)) => source.read(&mut buffer[have..])?,
                (None, None) => 0,
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

    /// The hole at or behind `from`.
    fn hole_at(&mut self, from: u64) -> Result<Option<Range<u64>>> {
        while !self.no_more_holes && self.hole.as_ref().is_none_or(|h| h.end <= from) {
            self.hole = match &self.source {
                Some(source) => source.holes(from)?,
                None => None,
            };
            self.no_more_holes = self.hole.is_none();
        }
        Ok(self.hole.clone().filter(|h| h.end > from))
    }

    fn holes_in(&mut self, range: Range<u64>) -> Result<Vec<Range<u64>>> {
        let mut holes = Vec::new();
        let mut at = range.start;
        while at < range.end
            && let Some(hole) = self.hole_at(at)?
            && hole.start < range.end
        {
            at = hole.end;
            holes.push(hole);
        }
        Ok(holes)
    }
}

/// What the member's last chunk covers behind its window, where that chunk is nothing.
fn lead_of(member: &Member, buffer: &[u8]) -> Option<(Nothing, u64)> {
    let end = member.offset + member.length;
    let beyond = end.checked_sub(member.window.end).filter(|b| *b > 0)?;
    let Cuts::Lengths(lengths) = &member.cuts else { return None };
    let last = *lengths.last()?;
    let begin = end - u64::from(last);
    if member.holes.iter().any(|h| h.start <= begin && end <= h.end) {
        return Some((Nothing::Hole, beyond));
    }
    let Bytes::Here(range) = &member.bytes else { return None };
    let chunk = buffer.get(range.end - last as usize..range.end)?;
    is_zero(chunk).then_some((Nothing::Zero, beyond))
}

/// The last page that a database owns, its pages read by byte offset; 0 where it is no database or cannot be known.
pub(super) fn owned_end(shape: &Shape, mut read: impl FnMut(u64, &mut [u8]) -> bool) -> u32 {
    let Some(page_size) = shape.ese_page() else { return 0 };
    let page = |number: u32, page: &mut [u8]| Ok(read((u64::from(number) + 1) * u64::from(page_size), page));
    reel_formats::ese::owned_end(page_size, page).ok().flatten().unwrap_or(0)
}
