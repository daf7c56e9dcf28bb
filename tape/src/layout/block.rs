//! The block: header, payload and the CRC over both (`docs/format.md` section 3).

use super::{Result, malformed};
use uuid::Uuid;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first eight bytes of every block but `VOL1`.
pub const MAGIC: [u8; 8] = *b"REELBLK\x1a";
/// The draft's format version.
pub const VERSION: u16 = 0;
/// Bytes of a block header.
pub const HEADER_LEN: usize = size_of::<RawHeader>();
/// Smallest block size of a volume in bytes, header included.
pub const MIN_BLOCK_SIZE: u32 = 4096;
/// Largest block size of a volume in bytes, header included.
pub const MAX_BLOCK_SIZE: u32 = 8 << 20;
/// Block size of a new volume, unless told otherwise.
pub const DEFAULT_BLOCK_SIZE: u32 = 512 << 10;
/// "No record begins in this block."
pub const NO_RECORD: u32 = u32::MAX;

/// What a block carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum BlockKind {
    /// Pool, volume and pool parameters.
    Label = 1,
    /// Head of a set, with the pool state on the first set of a volume.
    Header = 2,
    /// Frames.
    Data = 3,
    /// Segment records.
    Segment = 4,
    /// Recipe fragments.
    Recipe = 5,
    /// Checkpoints and the end record.
    Mark = 6,
    /// The catalog.
    Catalog = 7,
    /// The trailer.
    Trailer = 8,
}

impl BlockKind {
    fn from_byte(byte: u8) -> Option<Self> {
        use BlockKind::*;
        [Label, Header, Data, Segment, Recipe, Mark, Catalog, Trailer].into_iter().find(|k| *k as u8 == byte)
    }

    /// The word for it in messages.
    pub fn word(self) -> &'static str {
        match self {
            BlockKind::Label => "label",
            BlockKind::Header => "header",
            BlockKind::Data => "data",
            BlockKind::Segment => "segment",
            BlockKind::Recipe => "recipe",
            BlockKind::Mark => "mark",
            BlockKind::Catalog => "catalog",
            BlockKind::Trailer => "trailer",
        }
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawHeader {
    magic: [u8; 8],
    version: U16,
    kind: u8,
    reserved0: u8,
    crc: U32,
    required: U32,
    optional: U32,
    pool: [u8; 16],
    volume: [u8; 16],
    object: U64,
    session: U64,
    set: U32,
    copy: U16,
    part: U16,
    index: U32,
    first_record: U32,
    payload: U32,
    reserved1: U32,
    key: U64,
    stripe: U32,
    parity: U32,
    reserved2: [u8; 16],
}
const _: () = assert!(size_of::<RawHeader>() == 128);
const CRC_AT: usize = 12;

/// A block header, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// What the block carries.
    pub kind: BlockKind,
    /// The pool that the volume belongs to.
    pub pool: Uuid,
    /// The volume that the block was written to.
    pub volume: Uuid,
    /// The medium's own number of the block.
    pub object: u64,
    /// Random number of the run that wrote it.
    pub session: u64,
    /// Set number; 0 in the label block.
    pub set: u32,
    /// Copy id; 0 for the original.
    pub copy: u16,
    /// Part of the set.
    pub part: u16,
    /// Blocks counted from the part's header block.
    pub index: u32,
    /// Offset in the payload at which the first record begins that starts here, or [`NO_RECORD`].
    pub first_record: u32,
    /// Bytes of payload.
    pub payload: u32,
}

impl BlockHeader {
    /// The header's bytes, with the CRC over them and the payload, which is given in parts.
    pub fn encode(&self, payload: &[&[u8]]) -> [u8; HEADER_LEN] {
        let raw = RawHeader {
            magic: MAGIC,
            version: VERSION.into(),
            kind: self.kind as u8,
            reserved0: 0,
            crc: 0.into(),
            required: 0.into(),
            optional: 0.into(),
            pool: self.pool.into_bytes(),
            volume: self.volume.into_bytes(),
            object: self.object.into(),
            session: self.session.into(),
            set: self.set.into(),
            copy: self.copy.into(),
            part: self.part.into(),
            index: self.index.into(),
            first_record: self.first_record.into(),
            payload: (payload.iter().map(|part| part.len()).sum::<usize>() as u32).into(),
            reserved1: 0.into(),
            key: 0.into(),
            stripe: 0.into(),
            parity: 0.into(),
            reserved2: [0; 16],
        };
        let mut bytes: [u8; HEADER_LEN] = zerocopy::transmute!(raw);
        let crc = payload.iter().fold(crc32c::crc32c(&bytes), |crc, part| crc32c::crc32c_append(crc, part));
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Takes a block apart: its header, checked against the CRC, and its payload.
    pub fn decode(block: &[u8]) -> Result<(BlockHeader, &[u8])> {
        let Ok((raw, payload)) = RawHeader::ref_from_prefix(block) else {
            return malformed(format!("a block of {} bytes, shorter than a block header", block.len()));
        };
        if raw.magic != MAGIC {
            return malformed("no block of Reelmover: the magic is missing");
        }
        let header_bytes = &block[..HEADER_LEN];
        let crc = crc32c::crc32c_append(0, &header_bytes[..CRC_AT]);
        let crc = crc32c::crc32c_append(crc, &[0; 4]);
        let crc = crc32c::crc32c_append(crc, &header_bytes[CRC_AT + 4..]);
        let crc = crc32c::crc32c_append(crc, payload);
        if crc != raw.crc.get() {
            return malformed(format!("CRC-32C is {crc:08x}, the block header says {:08x}", raw.crc));
        }
        if raw.version.get() != VERSION {
            return malformed(format!(
                "format version {}, but only {VERSION} is known: a newer release is needed",
                raw.version
            ));
        }
        if raw.required.get() != 0 {
            return malformed(format!(
                "required feature bits {:08x}, none is known: a newer release is needed",
                raw.required
            ));
        }
        if raw.key.get() != 0 {
            return malformed("an encrypted block: a newer release is needed");
        }
        let Some(kind) = BlockKind::from_byte(raw.kind) else {
            return malformed(format!("block kind {} is not known: a newer release is needed", raw.kind));
        };
        if raw.payload.get() as usize != payload.len() {
            return malformed(format!(
                "{} bytes of payload, the block header says {}",
                payload.len(),
                raw.payload
            ));
        }
        let header = BlockHeader {
            kind,
            pool: Uuid::from_bytes(raw.pool),
            volume: Uuid::from_bytes(raw.volume),
            object: raw.object.get(),
            session: raw.session.get(),
            set: raw.set.get(),
            copy: raw.copy.get(),
            part: raw.part.get(),
            index: raw.index.get(),
            first_record: raw.first_record.get(),
            payload: raw.payload.get(),
        };
        Ok((header, payload))
    }

    /// What bytes that look like the beginning of a block claim to be, without any check of the CRC: block number and
    /// length with header. For finding the next block behind damage.
    pub fn sight(bytes: &[u8]) -> Option<(u64, u32)> {
        let (raw, _) = RawHeader::ref_from_prefix(bytes).ok()?;
        let len = raw.payload.get().checked_add(HEADER_LEN as u32)?;
        (raw.magic == MAGIC && raw.version.get() == VERSION && len <= MAX_BLOCK_SIZE)
            .then_some((raw.object.get(), len))
    }

    /// The object number of the part's header block.
    pub fn header_object(&self) -> u64 {
        self.object.saturating_sub(u64::from(self.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BlockHeader {
        BlockHeader {
            kind: BlockKind::Data,
            pool: Uuid::from_bytes([1; 16]),
            volume: Uuid::from_bytes([2; 16]),
            object: 77,
            session: 9,
            set: 3,
            copy: 0,
            part: 0,
            index: 4,
            first_record: 5,
            payload: 6,
        }
    }

    #[test]
    fn a_block_reads_back_as_written() {
        let bytes = [&header().encode(&[b"ab", b"cdef"])[..], b"abcdef"].concat();
        let (read, payload) = BlockHeader::decode(&bytes).unwrap();
        assert_eq!((read, payload), (header(), &b"abcdef"[..]));
        assert_eq!(BlockHeader::sight(&bytes), Some((77, 134)));
        assert_eq!(read.header_object(), 73);
    }

    #[test]
    fn every_changed_byte_of_a_block_is_refused() {
        let good = [&header().encode(&[b"abcdef"])[..], b"abcdef"].concat();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(BlockHeader::decode(&bad).is_err(), "byte {at}");
        }
        for len in 0..good.len() {
            assert!(BlockHeader::decode(&good[..len]).is_err(), "length {len}");
        }
    }
}
