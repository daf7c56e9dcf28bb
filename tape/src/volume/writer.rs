//! Writes labels and backup sets: frames into full data blocks, everything else into blocks of its own behind them
//! (`docs/format.md` sections 1, 3 and 10).

use crate::error::{Error, Result};
use crate::layout::block::{BlockHeader, BlockKind, HEADER_LEN, NO_RECORD};
use crate::layout::label::Label;
use crate::layout::record::{self, RecordKind};
use crate::layout::segment::Place;
use crate::layout::set::{Checkpoint, PoolState, SetHead};
use crate::medium::Medium;
use std::collections::VecDeque;
use uuid::Uuid;
use zerocopy::IntoBytes;

/// Writes the labels of a new volume and their filemark, and flushes them.
pub fn write_labels(medium: &mut dyn Medium, label: &Label, session: u64) -> Result<()> {
    medium.write(&[&label.vol1()])?;
    let mut payload = Vec::new();
    record::append_plain(&mut payload, RecordKind::Label, &[&label.encode()]);
    let header = BlockHeader {
        kind: BlockKind::Label,
        pool: label.pool,
        volume: label.volume,
        object: medium.position(),
        session,
        set: 0,
        copy: 0,
        part: 0,
        index: 0,
        first_record: 0,
        payload: payload.len() as u32,
    };
    medium.write(&[&header.encode(&[&payload]), &payload])?;
    medium.write_filemark()?;
    medium.flush()
}

/// The payload of a block that is being filled with records of one kind.
struct Filling {
    kind: BlockKind,
    payload: Vec<u8>,
    first_record: u32,
}

impl Filling {
    fn new(kind: BlockKind) -> Self {
        Filling { kind, payload: Vec::new(), first_record: NO_RECORD }
    }
}

/// Metadata that waits for the data block in which the last frame of its segment ends.
struct Waiting {
    /// Bytes of the data stream that must have been written.
    after: u64,
    segment: Option<Vec<u8>>,
    fragments: Vec<u8>,
}

/// Writes one backup set: header block, frames, metadata, catalog, trailer, filemark.
///
/// Dropped before [`finish`](Self::finish) it leaves a torn file, which the next run closes.
pub struct SetWriter {
    medium: Box<dyn Medium>,
    pool: Uuid,
    volume: Uuid,
    head: SetHead,
    header_object: u64,
    capacity: usize,
    data: Filling,
    /// Bytes of the data stream in written blocks, and in all.
    emitted: u64,
    appended: u64,
    waiting: VecDeque<Waiting>,
    since_checkpoint: u64,
    stored: u64,
    checkpoints: u32,
}

impl SetWriter {
    /// Begins a set at the end of data of `medium`; `state` is written on the first set of a volume.
    pub fn begin(
        mut medium: Box<dyn Medium>,
        pool: Uuid,
        volume: Uuid,
        head: SetHead,
        state: Option<&PoolState>,
    ) -> Result<SetWriter> {
        let header_object = medium.locate_end()?;
        let mut writer = SetWriter {
            medium,
            pool,
            volume,
            header_object,
            capacity: head.block_size as usize - HEADER_LEN,
            head,
            data: Filling::new(BlockKind::Data),
            emitted: 0,
            appended: 0,
            waiting: VecDeque::new(),
            since_checkpoint: 0,
            stored: 0,
            checkpoints: 0,
        };
        let mut records = Vec::new();
        record::append_plain(&mut records, RecordKind::Set, &[&writer.head.encode()]);
        let mut header = Filling::new(BlockKind::Header);
        writer.append(&mut header, &records)?;
        if let Some(state) = state {
            records.clear();
            record::append_packed(&mut records, RecordKind::PoolState, &state.encode());
            writer.append(&mut header, &records)?;
        }
        writer.emit_rest(&mut header)?;
        Ok(writer)
    }

    /// Object number of the set's header block.
    pub fn header_object(&self) -> u64 {
        self.header_object
    }

    /// Index of the block that will be written next, counted from the header block.
    pub fn next_index(&self) -> u32 {
        (self.medium.position() - self.header_object) as u32
    }

    /// Stored bytes of frames so far.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Appends frame records, one behind the other, and tells where each of them begins. `stored` are their stored bytes,
    /// without heads. Only what does not fill a block is copied.
    pub fn frames(&mut self, records: &[u8], stored: u64) -> Result<Vec<Place>> {
        let mut data = std::mem::replace(&mut self.data, Filling::new(BlockKind::Data));
        let places = self.append(&mut data, records);
        self.data = data;
        self.stored += stored;
        self.since_checkpoint += stored;
        places
    }

    /// Hands over the metadata of a closed segment: its record (none without new chunks) and the fragments records of its input.
    pub fn close_segment(&mut self, segment: Option<Vec<u8>>, fragments: Vec<u8>) -> Result<()> {
        let after = if segment.is_some() { self.appended } else { 0 };
        self.waiting.push_back(Waiting { after, segment, fragments });
        if self.data.payload.is_empty() {
            self.write_waiting()?;
        }
        Ok(())
    }

    /// Writes a checkpoint where one is due: a sync point. Call it between pieces.
    pub fn checkpoint_if_due(&mut self) -> Result<()> {
        if self.since_checkpoint < self.head.checkpoint {
            return Ok(());
        }
        self.since_checkpoint = 0;
        self.checkpoints += 1;
        let body = Checkpoint::new(self.head.set, self.checkpoints, self.stored);
        self.mark(RecordKind::Checkpoint, body.as_bytes())?;
        self.medium.flush()
    }

    /// Writes out what is being filled, what waits, and a mark block with one record.
    pub fn mark(&mut self, kind: RecordKind, body: &[u8]) -> Result<()> {
        let mut data = std::mem::replace(&mut self.data, Filling::new(BlockKind::Data));
        self.emit_rest(&mut data)?;
        self.write_waiting()?;
        let mut record = Vec::new();
        record::append_plain(&mut record, kind, &[body]);
        self.write_run(BlockKind::Mark, &record)
    }

    /// Writes the catalog from its records, one after the other. Gives the CRC-32C over them, for the trailer.
    pub fn catalog(&mut self, records: impl Iterator<Item = Result<Vec<u8>>>) -> Result<u32> {
        let mut catalog = Filling::new(BlockKind::Catalog);
        let mut crc = 0;
        for record in records {
            let record = record?;
            crc = crc32c::crc32c_append(crc, &record);
            self.append(&mut catalog, &record)?;
        }
        self.emit_rest(&mut catalog)?;
        Ok(crc)
    }

    /// Commits the set: trailer, filemark, flush. Gives the medium back.
    pub fn finish(mut self, trailer: &[u8]) -> Result<Box<dyn Medium>> {
        let mut record = Vec::new();
        record::append_packed(&mut record, RecordKind::Trailer, trailer);
        self.write_run(BlockKind::Trailer, &record)?;
        self.medium.write_filemark()?;
        self.medium.flush()?;
        Ok(self.medium)
    }

    /// Ends the run early: what is complete is written and flushed, the set stays torn.
    pub fn abandon(mut self) -> Result<Box<dyn Medium>> {
        let mut data = std::mem::replace(&mut self.data, Filling::new(BlockKind::Data));
        self.emit_rest(&mut data)?;
        self.write_waiting()?;
        self.medium.flush()?;
        Ok(self.medium)
    }

    /// Appends whole records, writing each block that they fill, and tells where each of them begins.
    fn append(&mut self, filling: &mut Filling, records: &[u8]) -> Result<Vec<Place>> {
        if filling.kind == BlockKind::Data {
            self.appended += records.len() as u64;
        }
        let mut places = Vec::new();
        // What is in no written block yet, and where in it the next record begins.
        let (mut rest, mut next) = (records, 0);
        while next < rest.len() {
            let offset = (filling.payload.len() + next) as u32;
            places.push(Place { part: self.head.part, index: self.next_index(), offset });
            if filling.first_record == NO_RECORD {
                filling.first_record = offset;
            }
            next += record::length(&rest[next..]);
            while filling.payload.len() + next >= self.capacity {
                let (now, later) = rest.split_at(self.capacity - filling.payload.len());
                self.emit(filling, now)?;
                (rest, next) = (later, next - now.len());
                if filling.kind == BlockKind::Data {
                    self.write_waiting()?;
                }
            }
        }
        filling.payload.extend_from_slice(rest);
        Ok(places)
    }

    /// Writes what a filling holds, if anything.
    fn emit_rest(&mut self, filling: &mut Filling) -> Result<()> {
        if filling.payload.is_empty() { Ok(()) } else { self.emit(filling, &[]) }
    }

    /// Writes a block of what a filling holds and `more`.
    fn emit(&mut self, filling: &mut Filling, more: &[u8]) -> Result<()> {
        let payload = [&filling.payload[..], more];
        let length = filling.payload.len() + more.len();
        if filling.kind == BlockKind::Data {
            self.emitted += length as u64;
        }
        let object = self.medium.position();
        let Ok(index) = u32::try_from(object - self.header_object) else {
            return Err(Error::State {
                medium: self.medium.name().to_owned(),
                what: "a part of a set cannot have more than 4,294,967,296 blocks".into(),
            });
        };
        let header = BlockHeader {
            kind: filling.kind,
            pool: self.pool,
            volume: self.volume,
            object,
            session: self.head.session,
            set: self.head.set,
            copy: 0,
            part: self.head.part,
            index,
            first_record: filling.first_record,
            payload: length as u32,
        };
        self.medium.write(&[&header.encode(&payload), payload[0], payload[1]])?;
        filling.payload.clear();
        filling.first_record = NO_RECORD;
        Ok(())
    }

    /// Writes the metadata whose frames stand in written data blocks.
    fn write_waiting(&mut self) -> Result<()> {
        while self.waiting.front().is_some_and(|w| w.after <= self.emitted) {
            let Some(waiting) = self.waiting.pop_front() else { break };
            if let Some(segment) = waiting.segment {
                self.write_run(BlockKind::Segment, &segment)?;
            }
            self.write_run(BlockKind::Recipe, &waiting.fragments)?;
        }
        Ok(())
    }

    /// Writes whole records into blocks of their own.
    fn write_run(&mut self, kind: BlockKind, records: &[u8]) -> Result<()> {
        let mut filling = Filling::new(kind);
        self.append(&mut filling, records)?;
        self.emit_rest(&mut filling)
    }
}
