//! Segments: tables of new chunks and of the places of their frames (`docs/format.md` section 8).

use super::{Fields, Result, malformed};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A segment also closes at the end of the piece in which it reaches this many new chunks.
pub const MAX_CHUNKS: u32 = 65_536;
const PLAIN: u8 = 1;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawSegment {
    set: U32,
    segment: U32,
    chunks: U32,
    frames: U32,
    input: U64,
    reserved: U64,
}
const _: () = assert!(size_of::<RawSegment>() == 32);

/// One chunk of a segment's table.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ChunkEntry {
    /// Digest of the chunk.
    pub digest: [u8; 32],
    /// Length in bytes.
    pub length: U32,
    kind: u8,
    reserved: [u8; 3],
}
const _: () = assert!(size_of::<ChunkEntry>() == 40);

impl ChunkEntry {
    /// A plain chunk.
    pub fn plain(digest: [u8; 32], length: u32) -> Self {
        ChunkEntry { digest, length: length.into(), kind: PLAIN, reserved: [0; 3] }
    }
}

/// Where one frame of a segment stands.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FrameEntry {
    /// Index in the segment of its first chunk.
    pub first: U32,
    /// Number of its chunks.
    pub count: U32,
    /// Part of the set.
    pub part: U16,
    reserved: U16,
    /// Block, counted from the part's header block.
    pub index: U32,
    /// Byte in that block's payload at which the record begins.
    pub offset: U32,
    /// Bytes of the record, its header included.
    pub length: U32,
}
const _: () = assert!(size_of::<FrameEntry>() == 24);

/// A place on a volume, seen from the set: (part, block counted from the part's header block, byte in its payload).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Part of the set.
    pub part: u16,
    /// Block, counted from the part's header block.
    pub index: u32,
    /// Byte in that block's payload.
    pub offset: u32,
}

impl FrameEntry {
    /// A frame of `count` chunks from `first`, whose record of `length` bytes begins at `place`.
    pub fn new(first: u32, count: u32, place: Place, length: u32) -> Self {
        FrameEntry {
            first: first.into(),
            count: count.into(),
            part: place.part.into(),
            reserved: 0.into(),
            index: place.index.into(),
            offset: place.offset.into(),
            length: length.into(),
        }
    }

    /// Where its record begins.
    pub fn place(&self) -> Place {
        Place { part: self.part.get(), index: self.index.get(), offset: self.offset.get() }
    }
}

/// A segment's tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Segment {
    /// Set number.
    pub set: u32,
    /// Segment of the set.
    pub segment: u32,
    /// Input bytes that it stands for, zeros and holes not counted.
    pub input: u64,
    /// The chunks, by index.
    pub chunks: Vec<ChunkEntry>,
    /// The frames, by first index.
    pub frames: Vec<FrameEntry>,
}

impl Segment {
    /// Body of the segment record.
    pub fn encode(&self) -> Vec<u8> {
        let raw = RawSegment {
            set: self.set.into(),
            segment: self.segment.into(),
            chunks: (self.chunks.len() as u32).into(),
            frames: (self.frames.len() as u32).into(),
            input: self.input.into(),
            reserved: 0.into(),
        };
        [raw.as_bytes(), self.chunks.as_bytes(), self.frames.as_bytes()].concat()
    }

    /// Takes the body of a segment record apart; the frames cover its chunks without gap or overlap.
    pub fn decode(body: &[u8]) -> Result<Segment> {
        SegmentTables::decode(body).map(|tables| tables.to_segment())
    }

    /// The frame that holds chunk `index`.
    pub fn frame_of(&self, index: u32) -> Option<&FrameEntry> {
        let at = self.frames.partition_point(|f| f.first.get() <= index).checked_sub(1)?;
        self.frames.get(at).filter(|f| index - f.first.get() < f.count.get())
    }
}

/// A segment's tables where they stand in the body of its record.
#[derive(Debug, Clone, Copy)]
pub struct SegmentTables<'a> {
    /// Set number.
    pub set: u32,
    /// Segment of the set.
    pub segment: u32,
    /// Input bytes that it stands for, zeros and holes not counted.
    pub input: u64,
    /// The chunks, by index.
    pub chunks: &'a [ChunkEntry],
    /// The frames, by first index.
    pub frames: &'a [FrameEntry],
}

impl<'a> SegmentTables<'a> {
    /// Finds the tables in the body of a segment record; the frames cover its chunks without gap or overlap.
    pub fn decode(body: &'a [u8]) -> Result<SegmentTables<'a>> {
        let mut fields = Fields::new("segment", body);
        let raw: &RawSegment = fields.one()?;
        let chunks: &[ChunkEntry] = fields.many(raw.chunks.get())?;
        let frames: &[FrameEntry] = fields.many(raw.frames.get())?;
        fields.finish()?;
        if let Some(other) = chunks.iter().find(|c| c.kind != PLAIN) {
            return malformed(format!("chunk kind {} is not known: a newer release is needed", other.kind));
        }
        let mut next = 0u64;
        for frame in frames {
            if u64::from(frame.first.get()) != next || frame.count.get() == 0 {
                return malformed(format!("the frames of segment {} do not follow each other", raw.segment));
            }
            next += u64::from(frame.count.get());
        }
        if next != chunks.len() as u64 {
            return malformed(format!(
                "the frames of segment {} hold {next} of {} chunks",
                raw.segment,
                chunks.len()
            ));
        }
        let (set, segment, input) = (raw.set.get(), raw.segment.get(), raw.input.get());
        Ok(SegmentTables { set, segment, input, chunks, frames })
    }

    /// The same tables, on their own.
    pub fn to_segment(&self) -> Segment {
        Segment {
            set: self.set,
            segment: self.segment,
            input: self.input,
            chunks: self.chunks.to_vec(),
            frames: self.frames.to_vec(),
        }
    }

    /// Byte of the body at which the digest of chunk `index` begins.
    pub fn digest_at(index: u32) -> u64 {
        (size_of::<RawSegment>() + size_of::<ChunkEntry>() * index as usize) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_reads_back_as_written_and_finds_the_frame_of_a_chunk() {
        let place = |index| Place { part: 0, index, offset: 7 };
        let segment = Segment {
            set: 1,
            segment: 2,
            input: 99,
            chunks: (0..5).map(|i| ChunkEntry::plain([i; 32], 10)).collect(),
            frames: vec![FrameEntry::new(0, 2, place(1), 50), FrameEntry::new(2, 3, place(4), 60)],
        };
        let body = segment.encode();
        assert_eq!(Segment::decode(&body).unwrap(), segment);
        assert_eq!(segment.frame_of(1).unwrap().place(), place(1));
        assert_eq!(segment.frame_of(4).unwrap().place(), place(4));
        assert!(segment.frame_of(5).is_none());
        let at = SegmentTables::digest_at(3) as usize;
        assert_eq!(body[at..at + 32], segment.chunks[3].digest);
        for len in 0..body.len() {
            assert!(Segment::decode(&body[..len]).is_err());
        }
        let mut gap = segment.clone();
        gap.frames[1] = FrameEntry::new(3, 2, place(4), 60);
        assert!(Segment::decode(&gap.encode()).is_err());
    }
}
