//! What a worker does with a piece before the claim: read, verify pages, cut, hash, compare with the previous recipe.

use super::pieces::{Bytes, Cuts, Member, Piece};
use super::window;
use crate::chunk::chain::Cut;
use crate::chunk::gear::Gear;
use crate::chunk::pages::PageTally;
use crate::digest::{self, Digest};
use crate::error::Result;
use crate::index::Name;
use crate::index::previous::Known;
use crate::root::{Nothing, PartRoots};
use crate::source::PositionedRead;
use reel_formats::ese::page::checksum::is_zero;
use reel_tape::layout::recipe::Run;
use std::iter::Peekable;
use std::ops::Range;
use std::slice::Iter;

/// What a chunk is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Bytes, with their digest; named by the previous recipe or by the claim.
    Data {
        /// The digest.
        digest: Digest,
        /// The name, once there is one.
        name: Option<Name>,
    },
    /// Zeros or a hole.
    Nothing(Nothing),
}

/// A chunk of a piece.
#[derive(Debug, Clone, Copy)]
pub struct Chunk {
    /// Where its bytes begin in the piece's buffer. Those of a chunk that the previous recipe names may be gone from there.
    pub at: usize,
    /// Its length in bytes.
    pub length: u32,
    /// What it is.
    pub kind: Kind,
}

/// A piece whose chunks are known.
pub struct CutPiece {
    /// The piece.
    pub piece: Piece,
    /// The chunks of all members, one after the other.
    pub chunks: Vec<Chunk>,
    /// Which of the chunks belong to each member.
    pub ranges: Vec<Range<usize>>,
    /// What the check of each member's pages found.
    pub tallies: Vec<PageTally>,
}

/// Bytes that are read at once: whole units of any size, few enough to be hashed while the cache still holds them.
const STEP: usize = 512 << 10;

/// Reads `length` bytes from `offset` of a source into `buffer`, and shows `taken` after each step all that is kept by then, and
/// where in it the step begins. Where `taken` gives no for an answer, the step is not kept: the next one is read over it, which
/// the nearest cache still holds.
pub fn read_in_steps(
    source: &dyn PositionedRead,
    offset: u64,
    length: u64,
    buffer: &mut Vec<u8>,
    mut taken: impl FnMut(&[u8], usize) -> bool,
) -> Result<()> {
    // What stands in the buffer is overwritten; to clear it first would cost as much as to read.
    buffer.truncate(length as usize);
    let (mut read, mut kept) = (0, 0);
    while read < length {
        let step = (length - read).min(STEP as u64);
        let end = kept + step as usize;
        if buffer.len() < end {
            buffer.resize(end, 0);
        }
        let got = source.read_at(&mut buffer[kept..end], offset + read)?;
        // A file that became shorter meanwhile: zeros, and reported as a change.
        buffer[kept + got..end].fill(0);
        read += step;
        if taken(&buffer[..end], kept) {
            kept = end;
        }
    }
    Ok(())
}

/// Reads what is still to be read, finds the chunks, and hashes them.
pub fn cut(mut piece: Piece, gear: &Gear) -> Result<CutPiece> {
    let (mut chunks, mut ranges, mut tallies) = (Vec::new(), Vec::new(), Vec::new());
    for member in &piece.members {
        let begin = chunks.len();
        let found = match (&member.cuts, &member.bytes) {
            (Cuts::Content, Bytes::Here(range)) => {
                window::content(member, &piece.buffer[range.clone()], gear)
            }
            _ => Vec::new(),
        };
        let mut cutter = Cutter::new(member, &found);
        match &member.bytes {
            Bytes::Here(range) => {
                cutter.cut(member.length, range.start, Some(&piece.buffer[range.clone()]), &mut chunks);
            }
            Bytes::Nothing => cutter.cut(member.length, 0, None, &mut chunks),
            Bytes::There(source) => {
                read_in_steps(&**source, member.offset, member.length, &mut piece.buffer, |bytes, begin| {
                    let (step, first) = (&bytes[begin..], chunks.len());
                    cutter.cut(step.len() as u64, begin, Some(step), &mut chunks);
                    // Of what the previous recipe names, and of nothing, the bytes are not wanted any more.
                    chunks[first..].iter().any(|chunk| matches!(chunk.kind, Kind::Data { name: None, .. }))
                })?;
            }
        }
        ranges.push(begin..chunks.len());
        tallies.push(cutter.tally);
    }
    Ok(CutPiece { piece, chunks, ranges, tallies })
}

/// Takes the bytes of a member as they come and finds its chunks.
struct Cutter<'a> {
    member: &'a Member,
    /// Bytes of the member that are in chunks.
    done: u64,
    cuts: Iter<'a, Cut>,
    holes: Peekable<Iter<'a, Range<u64>>>,
    known: Peekable<Iter<'a, Known>>,
    tally: PageTally,
    digests: Vec<Digest>,
}

impl<'a> Cutter<'a> {
    /// A cutter of a member; `found` are its chunks where it is cut by its content.
    fn new(member: &'a Member, found: &'a [Cut]) -> Self {
        Cutter {
            member,
            done: 0,
            cuts: match &member.cuts {
                Cuts::Lengths(cuts) => cuts.iter(),
                _ => found.iter(),
            },
            holes: member.holes.iter().peekable(),
            known: member.previous.iter().peekable(),
            tally: PageTally::default(),
            digests: Vec::new(),
        }
    }

    /// Finds the chunks of the next `length` bytes, up to a border of units or the member's end. They are `bytes`, and begin at
    /// `base` in the piece's buffer; `None` where they are a hole.
    fn cut(&mut self, length: u64, base: usize, bytes: Option<&[u8]>, chunks: &mut Vec<Chunk>) {
        let member = self.member;
        let begin = self.done;
        let end = begin + length;
        if let (Some(page), Some(bytes)) = (member.shape.ese_page(), bytes) {
            self.tally.check(bytes, member.offset + begin, page);
        }
        // Units are equal, and hashed together; other chunks are hashed while the nearest cache holds them.
        let batch = if matches!(member.cuts, Cuts::Pages(_)) { STEP as u64 } else { 1 };
        let mut data = Vec::new();
        while self.done < end {
            let (from, until) = (self.done, end.min(self.done + batch));
            let first = chunks.len();
            data.clear();
            while self.done < until {
                let at = (self.done - begin) as usize;
                let (length, digest) = match &member.cuts {
                    Cuts::Pages(unit) => (*unit, None),
                    _ => self.cuts.next().map_or((u32::MAX, None), |cut| (cut.length, cut.digest)),
                };
                let length = u64::from(length).min(member.length - self.done);
                let offset = member.offset + self.done;
                let chunk = bytes.map(|b| &b[at..at + length as usize]);
                let kind = match chunk.filter(|_| !self.is_hole(offset, length)) {
                    None => Kind::Nothing(Nothing::Hole),
                    Some(chunk) if is_zero(chunk) => Kind::Nothing(Nothing::Zero),
                    Some(chunk) => {
                        data.push((chunk, digest));
                        Kind::Data { digest: Digest::default(), name: None }
                    }
                };
                chunks.push(Chunk { at: base + at, length: length as u32, kind });
                self.done += length;
            }
            self.digest(&mut chunks[first..], member.offset + from, &data);
        }
    }

    fn is_hole(&mut self, offset: u64, length: u64) -> bool {
        while self.holes.next_if(|h| h.end <= offset).is_some() {}
        self.holes.peek().is_some_and(|h| h.start <= offset && offset + length <= h.end)
    }

    /// Gives those of `chunks`, which begin at `offset` in the stream, that are data their digests, and their names where the
    /// previous recipe has them. `data` are their bytes, with the digests of those that were hashed when they were cut.
    fn digest(&mut self, chunks: &mut [Chunk], mut offset: u64, data: &[(&[u8], Option<Digest>)]) {
        let unknown: Vec<&[u8]> = data.iter().filter(|(_, d)| d.is_none()).map(|(chunk, _)| *chunk).collect();
        self.digests.clear();
        digest::of_each(&unknown, &mut self.digests);
        let mut hashed = self.digests.iter();
        let mut digests = data.iter().map(|(_, digest)| digest.or_else(|| hashed.next().copied()));
        for chunk in chunks {
            let at = offset;
            offset += u64::from(chunk.length);
            let Kind::Data { digest, name } = &mut chunk.kind else { continue };
            *digest = digests.next().flatten().expect("one for each chunk of data");
            while self.known.next_if(|k| k.offset < at).is_some() {}
            let same = |k: &&&Known| k.offset == at && k.length == chunk.length && k.digest == *digest;
            *name = self.known.peek().filter(same).map(|k| k.name);
        }
    }
}

/// The runs of a member whose chunks are all named.
pub fn runs(chunks: &[Chunk]) -> Vec<Run> {
    let mut runs = Vec::new();
    for chunk in chunks {
        let length = chunk.length;
        let run = match chunk.kind {
            Kind::Nothing(Nothing::Zero) => Run::Zero(u64::from(length)),
            Kind::Nothing(Nothing::Hole) => Run::Hole(u64::from(length)),
            Kind::Data { name, .. } => {
                let Name { set, segment, index } = name.expect("the claim names every chunk");
                Run::Data { set, segment, first: index, count: 1, length }
            }
        };
        Run::push(&mut runs, run);
    }
    runs
}

/// The roots of the parts in a member's window.
pub fn part_roots(member: &Member, chunks: &[Chunk]) -> Vec<Digest> {
    let begin = if member.lead.is_some() { member.window.start } else { member.offset };
    let mut roots = PartRoots::new(member.window.start, begin);
    if let Some((kind, length)) = member.lead {
        roots.nothing(kind, length);
    }
    for chunk in chunks {
        match &chunk.kind {
            Kind::Nothing(kind) => roots.nothing(*kind, u64::from(chunk.length)),
            Kind::Data { digest, .. } => roots.chunk(u64::from(chunk.length), digest),
        }
    }
    roots.finish(member.window.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source whose bytes end before its length does.
    struct Shorter(Vec<u8>);

    impl PositionedRead for Shorter {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
            let rest = self.0.get(offset as usize..).unwrap_or_default();
            let got = rest.len().min(buf.len());
            buf[..got].copy_from_slice(&rest[..got]);
            Ok(got)
        }
    }

    #[test]
    fn steps_that_are_not_kept_are_read_over_and_what_a_source_lacks_is_zeros() {
        let bytes: Vec<u8> = (0..5 * STEP).map(|at| 1 + (at / STEP) as u8).collect();
        let source = Shorter(bytes[..5 * STEP - 100].to_vec());
        // What a longer piece left there.
        let mut buffer = vec![9; 6 * STEP];
        let (mut seen, mut kept) = (Vec::new(), Vec::new());
        read_in_steps(&source, 10, (5 * STEP - 10) as u64, &mut buffer, |bytes, begin| {
            assert!(bytes[..begin] == kept);
            seen.extend_from_slice(&bytes[begin..]);
            let keeps = seen.len() / STEP % 2 == 1;
            if keeps {
                kept.extend_from_slice(&bytes[begin..]);
            }
            keeps
        })
        .unwrap();
        let mut expected = bytes[10..].to_vec();
        let end = expected.len();
        expected[end - 100..].fill(0);
        assert!(seen == expected);
        assert!(buffer.starts_with(&kept) && buffer.len() <= 5 * STEP - 10);
    }
}
