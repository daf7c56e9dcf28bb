//! Volume labels: `VOL1` and the label record with the pool's parameters (`docs/format.md` sections 2 and 5).

use super::block::{MAX_BLOCK_SIZE, MIN_BLOCK_SIZE};
use super::{Fields, Result, malformed, short_text};
use uuid::Uuid;
use zerocopy::little_endian::{I64, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the `VOL1` block.
pub const VOL1_LEN: usize = 80;

/// The `VOL1` block of a volume (ANSI X3.27).
pub fn vol1(volume_id: &str, pool_name: &str) -> [u8; VOL1_LEN] {
    let mut label = [b' '; VOL1_LEN];
    let mut put = |at: usize, len: usize, text: &str| {
        for (slot, byte) in label[at..at + len].iter_mut().zip(text.bytes()) {
            *slot = if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'?' };
        }
    };
    put(0, 4, "VOL1");
    put(4, 6, volume_id);
    put(24, 13, "REELMOVER");
    put(37, 14, pool_name);
    put(79, 1, "4");
    label
}

/// Is this the `VOL1` block of a Reelmover volume?
pub fn is_our_vol1(block: &[u8]) -> bool {
    block.len() == VOL1_LEN && block.starts_with(b"VOL1") && block[24..].starts_with(b"REELMOVER")
}

/// What decides where chunks begin and end, and how they are named: fixed for a pool.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct PoolParams {
    /// Smallest chunk unit of page files in bytes.
    pub page_unit: U32,
    /// Content-defined chunks: minimum in bytes.
    pub cdc_min: U32,
    /// Average in bytes.
    pub cdc_avg: U32,
    /// Maximum in bytes.
    pub cdc_max: U32,
    /// Window of a stream that makes a piece, in bytes.
    pub piece: U32,
    /// Most plain bytes of a frame.
    pub frame: U32,
    /// Input bytes at which a segment closes.
    pub segment: U32,
    /// Part of a stream's root, in bytes.
    pub part: U32,
    /// Gear table: 1 = AES gear.
    pub table: U16,
    /// Masks: 1 = 16 and 12 bits.
    pub masks: U16,
    /// Digest kind: 1 = plain BLAKE3.
    pub digest: u8,
    reserved: [u8; 11],
}
const _: () = assert!(size_of::<PoolParams>() == 48);

impl PoolParams {
    /// The parameters of the draft: the only ones that are read or written.
    pub const DRAFT: PoolParams = PoolParams {
        page_unit: U32::new(4096),
        cdc_min: U32::new(4096),
        cdc_avg: U32::new(16_384),
        cdc_max: U32::new(65_536),
        piece: U32::new(8 << 20),
        frame: U32::new(256 << 10),
        segment: U32::new(64 << 20),
        part: U32::new(4 << 20),
        table: U16::new(1),
        masks: U16::new(1),
        digest: 1,
        reserved: [0; 11],
    };

    pub(crate) fn check(&self) -> Result<()> {
        if *self == Self::DRAFT {
            return Ok(());
        }
        malformed(
            "the pool's chunk units, table, masks or digest kind are not known: a newer release is needed",
        )
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawLabel {
    vol1: [u8; VOL1_LEN],
    pool: [u8; 16],
    volume: [u8; 16],
    created: I64,
    sequence: U32,
    block_size: U32,
    params: PoolParams,
    pool_name: U16,
    barcode: U16,
    reserved: [u8; 12],
}
const _: () = assert!(size_of::<RawLabel>() == 192);

/// What the label block says of a volume and its pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The pool.
    pub pool: Uuid,
    /// The volume.
    pub volume: Uuid,
    /// Time of labelling, nanoseconds since 1970 UTC.
    pub created: i64,
    /// The volume's place in its pool, from 1.
    pub sequence: u32,
    /// Block size in bytes, header included.
    pub block_size: u32,
    /// The pool's parameters.
    pub params: PoolParams,
    /// The pool's name.
    pub pool_name: String,
    /// The barcode; its first six characters are the volume identifier.
    pub barcode: String,
}

impl Label {
    /// The `VOL1` block that belongs to the label.
    pub fn vol1(&self) -> [u8; VOL1_LEN] {
        vol1(&self.barcode, &self.pool_name)
    }

    /// Body of the label record.
    pub fn encode(&self) -> Vec<u8> {
        let (pool_name, barcode) = (short_text(&self.pool_name), short_text(&self.barcode));
        let raw = RawLabel {
            vol1: self.vol1(),
            pool: self.pool.into_bytes(),
            volume: self.volume.into_bytes(),
            created: self.created.into(),
            sequence: self.sequence.into(),
            block_size: self.block_size.into(),
            params: self.params,
            pool_name: (pool_name.len() as u16).into(),
            barcode: (barcode.len() as u16).into(),
            reserved: [0; 12],
        };
        [raw.as_bytes(), pool_name.as_bytes(), barcode.as_bytes()].concat()
    }

    /// Takes the body of a label record apart.
    pub fn decode(body: &[u8]) -> Result<Label> {
        let mut fields = Fields::new("label", body);
        let raw: &RawLabel = fields.one()?;
        raw.params.check()?;
        let label = Label {
            pool: Uuid::from_bytes(raw.pool),
            volume: Uuid::from_bytes(raw.volume),
            created: raw.created.get(),
            sequence: raw.sequence.get(),
            block_size: raw.block_size.get(),
            params: raw.params,
            pool_name: fields.text(raw.pool_name.get())?,
            barcode: fields.text(raw.barcode.get())?,
        };
        fields.finish()?;
        check_block_size(label.block_size)?;
        Ok(label)
    }
}

/// Is this a block size that a volume may have?
pub fn check_block_size(block_size: u32) -> Result<()> {
    if (MIN_BLOCK_SIZE..=MAX_BLOCK_SIZE).contains(&block_size) && block_size.is_multiple_of(MIN_BLOCK_SIZE) {
        return Ok(());
    }
    malformed(format!(
        "block size {block_size}, expected a multiple of {MIN_BLOCK_SIZE} up to {MAX_BLOCK_SIZE}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_reads_back_as_written_and_names_the_volume_in_vol1() {
        let label = Label {
            pool: Uuid::from_bytes([3; 16]),
            volume: Uuid::from_bytes([4; 16]),
            created: -5,
            sequence: 1,
            block_size: 4096,
            params: PoolParams::DRAFT,
            pool_name: "mägazin".into(),
            barcode: "RM0001L9".into(),
        };
        assert_eq!(Label::decode(&label.encode()).unwrap(), label);
        let vol1 = label.vol1();
        assert_eq!(&vol1[..10], b"VOL1RM0001");
        assert_eq!(&vol1[37..51], b"m??gazin      ");
        assert!(is_our_vol1(&vol1) && vol1[79] == b'4');
        assert!(Label::decode(&label.encode()[1..]).is_err());
    }
}
