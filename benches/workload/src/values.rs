//! The long-value tree: bodies and attachments, cut into chunks (reference, database.md section 10).
//!
//! Each leaf has one slot for a chunk, or four on large pages. The values of an extent fill its slots one after the
//! other and never reach into the next extent, so a walk over one extent finds what stands on any of its leaves.

use crate::content;
use crate::layout::Tree;
use crate::page::{PageWriter, node, node_count};
use crate::random::{Random, hash};
use crate::store::Store;

/// Extents that share one choice of contents which are stored more than once.
const SHARING_EXTENTS: u32 = 4;
/// Contents in that choice, and how many of 100 values are taken from it: about a fifth of all bytes are copies.
const SHARED_CONTENTS: u32 = 50;
const SHARED_PERCENT: u32 = 40;

/// One long value of an extent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    /// Its name in the tree and in the record.
    pub(crate) lid: u32,
    pub(crate) content: u64,
    /// The slot of its first chunk, counted from the first leaf of the extent.
    pub(crate) slot: u32,
    chunks: u32,
    /// Bytes in its last chunk.
    last: u32,
}

/// How long values are cut at one page size.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    /// Most bytes of a chunk.
    pub(crate) chunk: u32,
    /// Chunks on a leaf.
    pub(crate) slots: u32,
}

impl Cut {
    pub(crate) fn of(page_size: u32) -> Self {
        match page_size {
            0..=8192 => Cut { chunk: page_size - 82, slots: 1 },
            8193..=16384 => Cut { chunk: 4050, slots: 4 },
            _ => Cut { chunk: 8150, slots: 4 },
        }
    }
}

impl Value {
    fn len(&self, chunk: u32) -> u32 {
        (self.chunks - 1) * chunk + self.last
    }
}

/// The key of the chunk of `lid` that starts at byte `offset`.
fn chunk_key(lid: u32, offset: u32) -> [u8; 8] {
    (u64::from(lid) << 32 | u64::from(offset)).to_be_bytes()
}

impl Store {
    /// The values of extent `extent`, by their place.
    pub(crate) fn values(&self, extent: u32) -> impl Iterator<Item = Value> {
        let cut = Cut::of(self.page_size());
        let slots =
            self.layout().extent(Tree::LongValues, extent).map_or(0, |shape| shape.leaves * cut.slots);
        let mut random = Random::new(hash(&[self.seed(), 0x1F, u64::from(extent)]));
        let sharing = hash(&[self.seed(), 0x54, u64::from(extent / SHARING_EXTENTS)]);
        let (mut slot, mut lid) = (0, extent << 8);
        std::iter::from_fn(move || {
            let left = slots - slot;
            if left == 0 {
                return None;
            }
            let shared = random.below(100) < SHARED_PERCENT;
            let own = random.next();
            let content = if shared { hash(&[sharing, own % u64::from(SHARED_CONTENTS)]) } else { own };
            let (chunks, last) = content::size(content, cut.chunk);
            let value = Value { lid: lid + 1, content, slot, chunks: chunks.min(left), last };
            lid = value.lid;
            slot += value.chunks;
            Some(value)
        })
    }

    /// The first key of leaf `leaf`.
    pub(crate) fn value_key(&self, extent: u32, leaf: u32) -> Vec<u8> {
        let cut = Cut::of(self.page_size());
        let slot = leaf * cut.slots;
        let value = self.values(extent).find(|value| slot < value.slot + value.chunks);
        value.map_or_else(Vec::new, |value| match slot - value.slot {
            0 => value.lid.to_be_bytes().to_vec(),
            index => chunk_key(value.lid, index * cut.chunk).to_vec(),
        })
    }

    /// Adds the nodes of leaf `leaf`.
    pub(crate) fn fill_values(&self, writer: &mut PageWriter, extent: u32, leaf: u32) {
        let cut = Cut::of(self.page_size());
        let (first, end) = (leaf * cut.slots, (leaf + 1) * cut.slots);
        let values = self.values(extent).skip_while(|value| value.slot + value.chunks <= first);
        for value in values.take_while(|value| value.slot < end) {
            if value.slot >= first {
                let root = u64::from(value.len(cut.chunk)) << 32 | 1;
                writer.push(0, &value.lid.to_be_bytes(), &root.to_le_bytes());
            }
            for slot in value.slot.max(first)..(value.slot + value.chunks).min(end) {
                let index = slot - value.slot;
                let length = if index + 1 == value.chunks { value.last } else { cut.chunk };
                let data = writer.node(0, &chunk_key(value.lid, index * cut.chunk), length as usize);
                content::fill(self.dictionary(), value.content, index, data);
            }
        }
    }

    /// Overwrites a piece of one chunk, as an edited attachment would.
    pub(crate) fn edit_values(&self, page: &mut [u8], random: &mut Random) {
        let count = node_count(page) as u32;
        let start = random.below(count);
        let chunk = (0..count)
            .map(|line| node(page, ((start + line) % count) as usize))
            .find(|node| node.data.len() > 8);
        let Some(chunk) = chunk else { return };
        let data = &mut page[chunk.data];
        let length = random.between(100, 600).min(data.len() as u32);
        let at = random.below(data.len() as u32 - length + 1) as usize;
        self.dictionary().text(random, &mut data[at..at + length as usize]);
    }
}
