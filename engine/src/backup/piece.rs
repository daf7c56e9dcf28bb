//! What a worker does with a piece before the claim: read, verify pages, cut, hash, compare with the previous recipe.

use super::pieces::{Bytes, Cuts, Member, Piece};
use crate::chunk::gear;
use crate::chunk::pages::PageTally;
use crate::digest::{self, Digest};
use crate::error::Result;
use crate::index::Name;
use crate::root::{Nothing, PartRoots};
use reel_formats::ese::page::checksum::is_zero;
use reel_tape::layout::recipe::Run;
use std::ops::Range;

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
    /// Where its bytes begin in the piece's buffer.
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

/// Reads what is still to be read, finds the chunks, and hashes them.
pub fn cut(mut piece: Piece) -> Result<CutPiece> {
    let (mut chunks, mut ranges, mut tallies) = (Vec::new(), Vec::new(), Vec::new());
    for member in &mut piece.members {
        let bytes = fetch(member, &mut piece.buffer)?;
        let mut tally = PageTally::default();
        if let (Some(page), Some(bytes)) = (member.shape.ese_page(), &bytes) {
            tally.check(&piece.buffer[bytes.clone()], member.offset, page);
        }
        let begin = chunks.len();
        chunk_member(member, bytes, &piece.buffer, &mut chunks);
        ranges.push(begin..chunks.len());
        tallies.push(tally);
    }
    Ok(CutPiece { piece, chunks, ranges, tallies })
}

/// The member's bytes in the buffer; `None` where it is a hole.
fn fetch(member: &Member, buffer: &mut Vec<u8>) -> Result<Option<Range<usize>>> {
    match &member.bytes {
        Bytes::Here(range) => Ok(Some(range.clone())),
        Bytes::Nothing => Ok(None),
        Bytes::There(source) => {
            let begin = buffer.len();
            buffer.resize(begin + member.length as usize, 0);
            let got = source.read_at(&mut buffer[begin..], member.offset)?;
            // A file that became shorter meanwhile: zeros, and reported as a change.
            buffer[begin + got..].fill(0);
            Ok(Some(begin..buffer.len()))
        }
    }
}

fn chunk_member(member: &Member, bytes: Option<Range<usize>>, buffer: &[u8], chunks: &mut Vec<Chunk>) {
    let begin = bytes.as_ref().map_or(0, |b| b.start);
    let bytes = bytes.map(|b| &buffer[b]);
    let (mut done, mut holes, mut known) =
        (0, member.holes.iter().peekable(), member.previous.iter().peekable());
    let mut lengths = match &member.cuts {
        Cuts::Lengths(lengths) => lengths.iter(),
        _ => [].iter(),
    };
    while done < member.length {
        let at = done as usize;
        let length = match &member.cuts {
            Cuts::Lengths(_) => lengths.next().map_or(member.length - done, |l| u64::from(*l)),
            Cuts::Pages(unit) => u64::from(*unit),
            Cuts::Content => bytes.map_or(member.length, |b| gear::cut(&b[at..]) as u64),
        };
        let length = length.min(member.length - done);
        let offset = member.offset + done;
        while holes.next_if(|h| h.end <= offset).is_some() {}
        let in_hole = holes.peek().is_some_and(|h| h.start <= offset && offset + length <= h.end);
        let chunk = bytes.map(|b| &b[at..at + length as usize]);
        let kind = match chunk {
            _ if in_hole => Kind::Nothing(Nothing::Hole),
            None => Kind::Nothing(Nothing::Hole),
            Some(chunk) if is_zero(chunk) => Kind::Nothing(Nothing::Zero),
            Some(chunk) => {
                let digest = digest::of(chunk);
                while known.next_if(|k| k.offset < offset).is_some() {}
                let same = known
                    .peek()
                    .filter(|k| k.offset == offset && u64::from(k.length) == length && k.digest == digest);
                Kind::Data { digest, name: same.map(|k| k.name) }
            }
        };
        chunks.push(Chunk { at: begin + at, length: length as u32, kind });
        done += length;
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
