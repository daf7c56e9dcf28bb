//! Head of a backup set, pool state and marks (`docs/format.md` sections 6 and 10).

use super::label::{PoolParams, check_block_size};
use super::{Fields, Result, malformed, short_text};
use uuid::Uuid;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawSet {
    set: U32,
    copy: U16,
    part: U16,
    session: U64,
    started: I64,
    checkpoint: U64,
    params: PoolParams,
    block_size: U32,
    name: U16,
    host: U16,
    software: U16,
    reserved: [u8; 6],
}
const _: () = assert!(size_of::<RawSet>() == 96);

/// What the header block says of a backup set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetHead {
    /// Set number, from 1; pool-wide and never used again.
    pub set: u32,
    /// Part of the set on this volume.
    pub part: u16,
    /// Random number of the run.
    pub session: u64,
    /// Start of the run, nanoseconds since 1970 UTC.
    pub started: i64,
    /// Stored bytes between two checkpoints.
    pub checkpoint: u64,
    /// Block size of the volume in bytes.
    pub block_size: u32,
    /// The set's name; empty where none was given.
    pub name: String,
    /// Name of the host that wrote it.
    pub host: String,
    /// Name and version of the program that wrote it.
    pub software: String,
}

impl SetHead {
    /// Body of the set record.
    pub fn encode(&self) -> Vec<u8> {
        let [name, host, software] = [&self.name, &self.host, &self.software].map(|t| short_text(t));
        let raw = RawSet {
            set: self.set.into(),
            copy: 0.into(),
            part: self.part.into(),
            session: self.session.into(),
            started: self.started.into(),
            checkpoint: self.checkpoint.into(),
            params: PoolParams::DRAFT,
            block_size: self.block_size.into(),
            name: (name.len() as u16).into(),
            host: (host.len() as u16).into(),
            software: (software.len() as u16).into(),
            reserved: [0; 6],
        };
        [raw.as_bytes(), name.as_bytes(), host.as_bytes(), software.as_bytes()].concat()
    }

    /// Takes the body of a set record apart.
    pub fn decode(body: &[u8]) -> Result<SetHead> {
        let mut fields = Fields::new("set record", body);
        let raw: &RawSet = fields.one()?;
        raw.params.check()?;
        let head = SetHead {
            set: raw.set.get(),
            part: raw.part.get(),
            session: raw.session.get(),
            started: raw.started.get(),
            checkpoint: raw.checkpoint.get(),
            block_size: raw.block_size.get(),
            name: fields.text(raw.name.get())?,
            host: fields.text(raw.host.get())?,
            software: fields.text(raw.software.get())?,
        };
        fields.finish()?;
        check_block_size(head.block_size)?;
        Ok(head)
    }
}

/// State of a set in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum SetState {
    /// Its trailer was written.
    Complete = 1,
    /// Its run ended early.
    Torn = 2,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawEntry {
    set: U32,
    state: U16,
    part: U16,
    volume: [u8; 16],
    header_object: U64,
    last_object: U64,
    session: U64,
}
const _: () = assert!(size_of::<RawEntry>() == 48);

/// Where a set, or a part of one, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateEntry {
    /// Set number.
    pub set: u32,
    /// Complete or torn.
    pub state: SetState,
    /// Part of the set.
    pub part: u16,
    /// The volume.
    pub volume: Uuid,
    /// Block number of the part's header block.
    pub header_object: u64,
    /// Block number of the last good block.
    pub last_object: u64,
    /// Random number of the run.
    pub session: u64,
}

/// Appends entries to a body.
pub(crate) fn encode_entries(out: &mut Vec<u8>, entries: &[StateEntry]) {
    for entry in entries {
        let raw = RawEntry {
            set: entry.set.into(),
            state: (entry.state as u16).into(),
            part: entry.part.into(),
            volume: entry.volume.into_bytes(),
            header_object: entry.header_object.into(),
            last_object: entry.last_object.into(),
            session: entry.session.into(),
        };
        out.extend_from_slice(raw.as_bytes());
    }
}

/// Takes entries from a body.
pub(crate) fn decode_entries(fields: &mut Fields<'_>, count: u32) -> Result<Vec<StateEntry>> {
    let raw: &[RawEntry] = fields.many(count)?;
    raw.iter()
        .map(|e| {
            let state = match e.state.get() {
                1 => SetState::Complete,
                2 => SetState::Torn,
                other => {
                    return malformed(format!("set state {other} is not known: a newer release is needed"));
                }
            };
            Ok(StateEntry {
                set: e.set.get(),
                state,
                part: e.part.get(),
                volume: Uuid::from_bytes(e.volume),
                header_object: e.header_object.get(),
                last_object: e.last_object.get(),
                session: e.session.get(),
            })
        })
        .collect()
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawPoolState {
    next_set: U32,
    count: U32,
    reserved: U64,
}
const _: () = assert!(size_of::<RawPoolState>() == 16);

/// Everything of a pool that is still valid, on the first set of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolState {
    /// The next set number.
    pub next_set: u32,
    /// The sets.
    pub entries: Vec<StateEntry>,
}

impl PoolState {
    /// Body of the pool-state record.
    pub fn encode(&self) -> Vec<u8> {
        let raw = RawPoolState {
            next_set: self.next_set.into(),
            count: (self.entries.len() as u32).into(),
            reserved: 0.into(),
        };
        let mut body = raw.as_bytes().to_vec();
        encode_entries(&mut body, &self.entries);
        body
    }

    /// Takes the body of a pool-state record apart.
    pub fn decode(body: &[u8]) -> Result<PoolState> {
        let mut fields = Fields::new("pool state", body);
        let raw: &RawPoolState = fields.one()?;
        let entries = decode_entries(&mut fields, raw.count.get())?;
        fields.finish()?;
        Ok(PoolState { next_set: raw.next_set.get(), entries })
    }
}

/// Body of a checkpoint record.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Checkpoint {
    /// Set number.
    pub set: U32,
    /// Number of the checkpoint, from 1.
    pub number: U32,
    /// Stored bytes of frames so far.
    pub stored: U64,
    reserved: [u8; 16],
}
const _: () = assert!(size_of::<Checkpoint>() == 32);

impl Checkpoint {
    /// A checkpoint after `stored` bytes of frames.
    pub fn new(set: u32, number: u32, stored: u64) -> Self {
        Checkpoint { set: set.into(), number: number.into(), stored: stored.into(), reserved: [0; 16] }
    }
}

/// Body of the end record: what a reader should have seen before the catalog.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct End {
    /// Set number.
    pub set: U32,
    /// Number of segments.
    pub segments: U32,
    /// Number of streams.
    pub streams: U64,
    /// Bytes of all streams.
    pub input: U64,
    /// Plain bytes of new chunks.
    pub new: U64,
    /// Stored bytes of frames.
    pub stored: U64,
}
const _: () = assert!(size_of::<End>() == 40);

impl End {
    /// Takes the body of an end record apart.
    pub fn decode(body: &[u8]) -> Result<End> {
        let mut fields = Fields::new("end record", body);
        let end = *fields.one::<End>()?;
        fields.finish()?;
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_head_and_a_pool_state_read_back_as_written() {
        let head = SetHead {
            set: 7,
            part: 0,
            session: 1 << 60,
            started: 5,
            checkpoint: 1 << 30,
            block_size: 8192,
            name: "monday".into(),
            host: String::new(),
            software: "reel 0.1.0".into(),
        };
        assert_eq!(SetHead::decode(&head.encode()).unwrap(), head);
        let state = PoolState {
            next_set: 9,
            entries: vec![StateEntry {
                set: 8,
                state: SetState::Torn,
                part: 1,
                volume: Uuid::from_bytes([5; 16]),
                header_object: 10,
                last_object: 20,
                session: 3,
            }],
        };
        assert_eq!(PoolState::decode(&state.encode()).unwrap(), state);
        assert!(PoolState::decode(&state.encode()[..40]).is_err());
    }
}
