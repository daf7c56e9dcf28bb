//! Blocks in their order: frames into full data blocks, metadata behind them (`docs/format.md` sections 3 and 10).

use super::{OracleRun, Result};
use reel_tape::layout::block::{BlockHeader, BlockKind, HEADER_LEN, NO_RECORD};
use reel_tape::layout::record::{self, RecordKind};
use reel_tape::layout::segment::Place;
use reel_tape::medium::Medium;

/// Writes `VOL1`, the label block and their filemark.
pub(super) fn write_labels(medium: &mut dyn Medium, run: &OracleRun) -> Result<()> {
    let label = &run.label;
    medium.write(&[&label.vol1()])?;
    let mut payload = Vec::new();
    record::append_plain(&mut payload, RecordKind::Label, &[&label.encode()]);
    let header = BlockHeader {
        kind: BlockKind::Label,
        pool: label.pool,
        volume: label.volume,
        object: 1,
        session: run.session,
        set: 0,
        copy: 0,
        part: 0,
        index: 0,
        first_record: 0,
        payload: payload.len() as u32,
    };
    medium.write(&[&header.encode(&[&payload]), &payload])?;
    medium.write_filemark()?;
    Ok(medium.flush()?)
}

/// The blocks of one set.
pub(super) struct Blocks<'a> {
    medium: &'a mut dyn Medium,
    run: &'a OracleRun,
    header_object: u64,
    /// The data block being filled, and where the first record begins in it.
    data: Vec<u8>,
    first_record: Option<usize>,
    /// Runs of metadata blocks that wait for that data block.
    waiting: Vec<(BlockKind, Vec<Vec<u8>>)>,
}

impl<'a> Blocks<'a> {
    pub fn new(medium: &'a mut dyn Medium, run: &'a OracleRun) -> Result<Self> {
        let header_object = medium.locate_end()?;
        Ok(Blocks { medium, run, header_object, data: Vec::new(), first_record: None, waiting: Vec::new() })
    }

    /// Index of the block that is written next.
    pub fn next_index(&self) -> u32 {
        (self.medium.position() - self.header_object) as u32
    }

    /// Adds a frame record to the data blocks; where it begins.
    pub fn frame(&mut self, frame: &[u8]) -> Result<Place> {
        let offset = self.data.len();
        let place = Place { part: self.run.set_head.part, index: self.next_index(), offset: offset as u32 };
        self.first_record.get_or_insert(offset);
        let mut rest = frame;
        while !rest.is_empty() {
            let room = self.capacity() - self.data.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.data.extend_from_slice(now);
            rest = later;
            if self.data.len() == self.capacity() {
                self.settle()?;
            }
        }
        Ok(place)
    }

    /// Hands over the records of a closed segment: at once, if no data block is being filled.
    pub fn close(&mut self, segment: Option<Vec<u8>>, fragments: Vec<Vec<u8>>) -> Result<()> {
        if let Some(segment) = segment {
            self.waiting.push((BlockKind::Segment, vec![segment]));
        }
        self.waiting.push((BlockKind::Recipe, fragments));
        if self.data.is_empty() { self.settle() } else { Ok(()) }
    }

    /// Writes the data block being filled, and what waits for it.
    fn settle(&mut self) -> Result<()> {
        let data = std::mem::take(&mut self.data);
        if !data.is_empty() {
            let first_record = self.first_record.take();
            self.block(BlockKind::Data, first_record, &data)?;
        }
        for (kind, records) in std::mem::take(&mut self.waiting) {
            self.run(kind, &records)?;
        }
        Ok(())
    }

    /// Writes everything so far, then a block with one mark.
    pub fn mark(&mut self, kind: RecordKind, body: &[u8]) -> Result<()> {
        self.settle()?;
        let mut mark = Vec::new();
        record::append_plain(&mut mark, kind, &[body]);
        self.run(BlockKind::Mark, &[mark])
    }

    /// Writes records into blocks of their own.
    pub fn run(&mut self, kind: BlockKind, records: &[Vec<u8>]) -> Result<()> {
        let mut starts = Vec::new();
        let mut payload = Vec::new();
        for record in records {
            starts.push(payload.len());
            payload.extend_from_slice(record);
        }
        for (number, part) in payload.chunks(self.capacity()).enumerate() {
            let from = number * self.capacity();
            let first = starts.iter().find(|start| (from..from + part.len()).contains(start));
            self.block(kind, first.map(|start| start - from), part)?;
        }
        Ok(())
    }

    pub fn flush(&mut self) -> Result<()> {
        Ok(self.medium.flush()?)
    }

    pub fn finish(self) -> Result<()> {
        self.medium.write_filemark()?;
        Ok(self.medium.flush()?)
    }

    fn block(&mut self, kind: BlockKind, first_record: Option<usize>, payload: &[u8]) -> Result<()> {
        let head = &self.run.set_head;
        let header = BlockHeader {
            kind,
            pool: self.run.label.pool,
            volume: self.run.label.volume,
            object: self.medium.position(),
            session: head.session,
            set: head.set,
            copy: 0,
            part: head.part,
            index: self.next_index(),
            first_record: first_record.map_or(NO_RECORD, |first| first as u32),
            payload: payload.len() as u32,
        };
        Ok(self.medium.write(&[&header.encode(&[payload]), payload])?)
    }

    fn capacity(&self) -> usize {
        self.run.set_head.block_size as usize - HEADER_LEN
    }
}
