//! A volume image taken apart into its objects, to be changed and put together again.
//!
//! It knows the container and the block on its own terms, so that what it makes is right or wrong on purpose.

use reel_tape::layout::block::{BlockHeader, BlockKind, HEADER_LEN, NO_RECORD};
use reel_tape::layout::record::{self, RecordHeader, RecordKind};
use std::ops::Range;

/// One object of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A block, header and payload.
    Block(Vec<u8>),
    /// A filemark.
    Filemark,
}

/// An undamaged image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its objects; the index is the object number.
    pub objects: Vec<Object>,
}

impl Image {
    /// Takes an image apart.
    ///
    /// # Panics
    /// When it is damaged.
    pub fn parse(bytes: &[u8]) -> Image {
        let mut objects = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let length = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
            if length == 0 {
                objects.push(Object::Filemark);
                at += 4;
                continue;
            }
            objects.push(Object::Block(bytes[at + 4..at + 4 + length].to_vec()));
            at += 8 + length.next_multiple_of(2);
        }
        Image { objects }
    }

    /// The bytes of the image.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for object in &self.objects {
            match object {
                Object::Filemark => bytes.extend_from_slice(&[0; 4]),
                Object::Block(block) => {
                    let word = (block.len() as u32).to_le_bytes();
                    bytes.extend_from_slice(&word);
                    bytes.extend_from_slice(block);
                    bytes.resize(bytes.len().next_multiple_of(2), 0);
                    bytes.extend_from_slice(&word);
                }
            }
        }
        bytes
    }

    /// Where each object stands in the image, its length words included.
    pub fn ranges(&self) -> Vec<Range<usize>> {
        let mut at = 0;
        let length = |object: &Object| match object {
            Object::Filemark => 4,
            Object::Block(block) => 8 + block.len().next_multiple_of(2),
        };
        let ranges = self.objects.iter().map(|object| {
            at += length(object);
            at - length(object)..at
        });
        ranges.collect()
    }

    /// The bytes of a block.
    ///
    /// # Panics
    /// When the object is none.
    pub fn block(&self, object: usize) -> &[u8] {
        match &self.objects[object] {
            Object::Block(block) => block,
            Object::Filemark => panic!("object {object} is a filemark"),
        }
    }

    /// The bytes of a block, to be changed.
    ///
    /// # Panics
    /// When the object is none.
    pub fn block_mut(&mut self, object: usize) -> &mut Vec<u8> {
        match &mut self.objects[object] {
            Object::Block(block) => block,
            Object::Filemark => panic!("object {object} is a filemark"),
        }
    }

    /// The header of an object, where it is a good block of Reelmover.
    pub fn header(&self, object: usize) -> Option<BlockHeader> {
        match &self.objects[object] {
            Object::Block(block) => BlockHeader::decode(block).ok().map(|(header, _)| header),
            Object::Filemark => None,
        }
    }

    /// The blocks of a set of one kind, by object number.
    pub fn blocks_of(&self, set: u32, kind: BlockKind) -> Vec<usize> {
        let is = |object: &usize| self.header(*object).is_some_and(|h| (h.set, h.kind) == (set, kind));
        (0..self.objects.len()).filter(is).collect()
    }

    /// The first and the last object of a set.
    ///
    /// # Panics
    /// When there is no block of it.
    pub fn set(&self, set: u32) -> Range<usize> {
        let of = |object: &usize| self.header(*object).is_some_and(|h| h.set == set);
        let first = (0..self.objects.len()).find(of).expect("a block of the set");
        let last = (0..self.objects.len()).rfind(of).expect("the first is one");
        first..last + 1
    }

    /// Changes records of one kind in the blocks of one kind of a set; every checksum on the way is made anew. The records
    /// must go on to fit the blocks that they stand in.
    ///
    /// # Panics
    /// When they do not, or nothing was changed.
    pub fn edit_records(
        &mut self,
        set: u32,
        blocks: BlockKind,
        kind: RecordKind,
        mut edit: impl FnMut(&mut Vec<u8>) -> bool,
    ) {
        let objects = self.blocks_of(set, blocks);
        let capacity =
            objects.iter().map(|o| self.block(*o).len() - HEADER_LEN).max().expect("blocks of this kind");
        let stream: Vec<u8> = objects.iter().flat_map(|o| &self.block(*o)[HEADER_LEN..]).copied().collect();
        let (mut records, mut begins, mut at, mut edited) = (Vec::new(), Vec::new(), 0, false);
        let mut plain = Vec::new();
        while at < stream.len() {
            let header = RecordHeader::decode(&stream[at..]).expect("a good record header");
            let end = at + record::HEADER_LEN + header.body;
            begins.push(records.len());
            let mut body = header
                .open(&stream[at + record::HEADER_LEN..end], &mut plain)
                .expect("a good record")
                .to_vec();
            if header.kind == kind && edit(&mut body) {
                record::append_packed(&mut records, kind, &body);
                edited = true;
            } else {
                records.extend_from_slice(&stream[at..end]);
            }
            at = end;
        }
        assert!(edited, "no record was changed");
        assert_eq!(records.len().div_ceil(capacity), objects.len(), "the records need other blocks");
        for (number, object) in objects.into_iter().enumerate() {
            let payload = &records[number * capacity..records.len().min((number + 1) * capacity)];
            let begin = begins.iter().find(|b| **b >= number * capacity).map(|b| b - number * capacity);
            let first_record = begin.filter(|b| *b < payload.len()).map_or(NO_RECORD, |b| b as u32);
            let header = self.header(object).expect("it was chosen by its header");
            let header = BlockHeader { first_record, payload: payload.len() as u32, ..header };
            self.objects[object] = Object::Block([&header.encode(&[payload])[..], payload].concat());
        }
    }
}
