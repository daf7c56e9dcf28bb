//! The claim: in piece order, each chunk without a name is looked up, and the new ones are numbered. Who owns a duplicate
//! therefore never depends on timing.

use super::piece::{CutPiece, Kind};
use crate::error::Result;
use crate::index::{Index, Name};
use reel_tape::layout::label::PoolParams;
use reel_tape::layout::segment::MAX_CHUNKS;

/// What the claim of a piece decided.
pub struct Claimed {
    /// The segment of the new chunks.
    pub segment: u32,
    /// Index of the first new one.
    pub first: u32,
    /// The new chunks, as places in the piece's list, in claim order.
    pub new: Vec<usize>,
    /// Input bytes of the piece, zeros and holes not counted.
    pub input: u64,
    /// The segment closes behind this piece.
    pub closes: bool,
}

/// The state of the claim.
pub struct Claim {
    index: Index,
    set: u32,
    segment: u32,
    chunks: u32,
    input: u64,
    unsure_bytes: u64,
}

impl Claim {
    /// The claim of a set, over what is known of earlier sets.
    pub fn new(set: u32, index: Index) -> Self {
        Claim { index, set, segment: 0, chunks: 0, input: 0, unsure_bytes: 0 }
    }

    /// Names every chunk of a piece.
    pub fn piece(&mut self, cut: &mut CutPiece) -> Result<Claimed> {
        let mut claimed =
            Claimed { segment: self.segment, first: self.chunks, new: Vec::new(), input: 0, closes: false };
        for (at, chunk) in cut.chunks.iter_mut().enumerate() {
            let Kind::Data { digest, name } = &mut chunk.kind else { continue };
            claimed.input += u64::from(chunk.length);
            if name.is_some() {
                continue;
            }
            *name = self.index.find(digest)?;
            if name.is_none() {
                if self.index.left_out() > 0 {
                    self.unsure_bytes += u64::from(chunk.length);
                }
                self.index.add(digest, self.segment, self.chunks)?;
                *name = Some(Name { set: self.set, segment: self.segment, index: self.chunks });
                self.chunks += 1;
                claimed.new.push(at);
            }
        }
        self.input += claimed.input;
        if self.input >= u64::from(PoolParams::DRAFT.segment.get()) || self.chunks >= MAX_CHUNKS {
            claimed.closes = true;
            self.input = 0;
            if self.chunks > 0 {
                self.segment += 1;
                self.chunks = 0;
            }
        }
        Ok(claimed)
    }

    /// Chunks that found no room in the index.
    pub fn left_out(&self) -> u64 {
        self.index.left_out()
    }

    /// Bytes of new chunks that were looked up while others had no room: at most so many may stand in the pool already.
    pub fn unsure_bytes(&self) -> u64 {
        self.unsure_bytes
    }
}
