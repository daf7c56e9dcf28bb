//! Writes records one by one, and knows what the pages count.

use crate::replay::base::{Base, DBTIME, INDEX, TABLE};
use reel_formats::ese::log::record::{NO_DBTIME, RecordType, SplitOper, SplitType};
use std::collections::HashMap;

const VERSIONED: u8 = 1;
pub const UNIQUE: u8 = 4;
/// Flags of a leaf.
pub const LEAF: u32 = 0x802;
/// Tags of a page, 4 bytes each, stand at its end.
const TAG_LEN: usize = 4;

/// A record that is being written.
pub struct Written(pub Vec<u8>);

impl Written {
    pub fn new(kind: RecordType) -> Self {
        let mut bytes = vec![0; kind.fixed_len().expect("a known type")];
        bytes[0] = kind.0;
        Self(bytes)
    }

    pub fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub fn byte(self, at: usize, value: u8) -> Self {
        self.put(at, &[value])
    }

    pub fn short(self, at: usize, value: usize) -> Self {
        self.put(at, &u16::try_from(value).expect("a short field").to_le_bytes())
    }

    pub fn long(self, at: usize, value: u32) -> Self {
        self.put(at, &value.to_le_bytes())
    }

    pub fn wide(self, at: usize, value: u64) -> Self {
        self.put(at, &value.to_le_bytes())
    }

    /// Appends a part whose length stands at `len_at`.
    pub fn part(self, len_at: usize, part: &[u8]) -> Self {
        let mut written = self.short(len_at, part.len());
        written.0.extend_from_slice(part);
        written
    }

    pub fn long_part(self, len_at: usize, part: &[u8]) -> Self {
        let mut written = self.long(len_at, u32::try_from(part.len()).expect("a short part"));
        written.0.extend_from_slice(part);
        written
    }
}

/// A log that is being written, and what the pages count.
pub struct Script {
    base: Base,
    pub bytes: Vec<u8>,
    /// The counter of the change that is being written.
    pub dbtime: u64,
    /// What pages count that were changed.
    pub dbtimes: HashMap<u32, u64>,
    /// The last version's number.
    pub version: u32,
}

/// Pages beside one that is split, merged or moved.
#[derive(Clone, Copy, Default)]
pub struct Around {
    pub left: u32,
    pub right: u32,
    pub parent: u32,
}

impl Script {
    pub fn new(page_size: u32) -> Self {
        let base = Base { page_size, dirty: false, logs: 1 };
        Self { base, bytes: Vec::new(), dbtime: DBTIME, dbtimes: HashMap::new(), version: 0 }
    }

    pub fn add(&mut self, record: Written) {
        self.bytes.extend_from_slice(&record.0);
    }

    pub fn begin(&mut self) {
        self.add(Written::new(RecordType::BEGIN0).short(1, 1).byte(3, 0x10).long(4, 7));
    }

    pub fn commit(&mut self) {
        self.add(Written::new(RecordType::COMMIT0).short(1, 1).long(4, 9));
    }

    /// What a page counts, which is this change from now on.
    pub fn before(&mut self, pgno: u32) -> u64 {
        if pgno == 0 { NO_DBTIME } else { self.dbtimes.insert(pgno, self.dbtime).unwrap_or(DBTIME) }
    }

    /// A record of a page, part of the change that the counter stands at.
    pub fn part_of_page(&mut self, kind: RecordType, pgno: u32, line: usize, flags: u8) -> Written {
        let before = self.before(pgno);
        let written = Written::new(kind).short(1, 1).byte(3, 1).long(4, pgno).wide(8, self.dbtime);
        written.wide(16, before).long(24, 7).byte(28, 1).short(29, line).byte(31, flags)
    }

    pub fn page(&mut self, kind: RecordType, pgno: u32, line: usize) -> Written {
        self.dbtime += 1;
        self.part_of_page(kind, pgno, line, UNIQUE)
    }

    /// A record of a node, with a version.
    pub fn node(&mut self, kind: RecordType, tree: u32, pgno: u32, line: usize) -> Written {
        self.dbtime += 1;
        self.version += 1;
        let unique = if tree == INDEX { 0 } else { UNIQUE };
        let written = self.part_of_page(kind, pgno, line, VERSIONED | unique);
        written.long(32, self.version).long(36, tree).long(40, 7)
    }

    /// The operation behind the splits of a macro: what its page counts stands in the split.
    pub fn cause(&mut self, kind: RecordType, tree: u32, pgno: u32) -> Written {
        self.version += 1;
        let written = self.part_of_page(kind, pgno, 0, VERSIONED | UNIQUE).wide(16, NO_DBTIME);
        written.long(32, self.version).long(36, tree).long(40, 7)
    }

    pub fn in_macro(&mut self, write: impl FnOnce(&mut Self)) {
        self.dbtime += 1;
        let mark = |kind, dbtime| Written::new(kind).short(1, 1).wide(3, dbtime);
        self.add(mark(RecordType::MACRO_BEGIN, self.dbtime));
        write(self);
        self.add(mark(RecordType::MACRO_COMMIT, self.dbtime));
    }

    /// A split of a page of `tree` into it and `new`; (line of the operation, first line that moves, lines).
    pub fn split(
        &mut self,
        pgno: u32,
        new: u32,
        around: Around,
        kinds: (SplitType, SplitOper),
        lines: (usize, usize, usize),
    ) -> Written {
        let written = self.part_of_page(RecordType::SPLIT2, pgno, 0, UNIQUE).long(32, new);
        let right = self.before(around.right);
        let written = written.long(36, around.right).wide(40, right).long(48, around.parent);
        let written = written.wide(52, NO_DBTIME).long(60, TABLE).long(64, 7).byte(68, kinds.0.0);
        let written = written.byte(69, kinds.1.0).short(70, lines.0).short(72, lines.1).short(74, lines.2);
        written.long(76, LEAF).long(80, LEAF).long(88, u32::MAX).long(92, u32::MAX)
    }

    /// A merge of a page with a neighbour; the level above gets `line` and no neighbours.
    pub fn merge(&mut self, pgno: u32, line: usize, around: Around, kind: u8, flags: u8) -> Written {
        let written = self.part_of_page(RecordType::MERGE2, pgno, line, UNIQUE);
        let (right, left) = (self.before(around.right), self.before(around.left));
        let written = written.long(32, around.right).wide(36, right).long(44, around.left).wide(48, left);
        let written = written.long(56, around.parent).wide(60, NO_DBTIME).long(68, TABLE).long(72, 7);
        written.byte(84, flags).byte(85, kind)
    }

    pub fn moved(&mut self, pgno: u32, dest: u32, around: Around, parent_line: u32) -> Written {
        let written = self.part_of_page(RecordType::PAGE_MOVE, pgno, 0, UNIQUE).long(32, dest);
        let (left, right) = (self.before(around.left), self.before(around.right));
        let parent = self.before(around.parent);
        let written = written.long(36, around.left).long(40, around.right).long(44, around.parent);
        let written = written.wide(48, left).wide(56, right).wide(64, parent);
        written.long(72, TABLE).long(76, 7).long(80, parent_line)
    }

    pub fn insert(&mut self, tree: u32, pgno: u32, line: usize, prefix: &[u8], suffix: &[u8], data: &[u8]) {
        let written = self.node(RecordType::INSERT, tree, pgno, line);
        self.add(written.part(46, prefix).part(44, suffix).part(48, data));
    }

    /// A page of the base: what stands before its gap, and its tags.
    pub fn parts_of(&self, pgno: u32) -> (Vec<u8>, Vec<u8>) {
        let page = self.base.page(pgno);
        let short = |at: usize| usize::from(u16::from_le_bytes([page[at], page[at + 1]]));
        let data = if page.len() > 8192 { 80 } else { 40 };
        let tags = page.len() - (short(34) & 0xFFF) * TAG_LEN;
        (page[..data + short(32)].to_vec(), page[tags..].to_vec())
    }

    /// The image of a page of the base without its gap.
    pub fn dehydrated(&self, pgno: u32) -> Vec<u8> {
        let (mut front, tags) = self.parts_of(pgno);
        let gap = self.base.page_size as usize - front.len() - tags.len();
        let free = usize::from(u16::from_le_bytes([front[28], front[29]])) - gap;
        front[28..30].copy_from_slice(&u16::try_from(free).expect("less than a page").to_le_bytes());
        [front, tags].concat()
    }
}
