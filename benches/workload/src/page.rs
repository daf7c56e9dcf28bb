//! Builds one page: nodes from the front, tags from the back (reference, database.md sections 4 and 5).

use reel_formats::ese::page::checksum;

pub(crate) const ROOT: u32 = 0x1;
pub(crate) const LEAF: u32 = 0x2;
pub(crate) const PARENT: u32 = 0x4;
pub(crate) const SPACE: u32 = 0x20;
pub(crate) const INDEX: u32 = 0x40;
pub(crate) const LONG_VALUE: u32 = 0x80;
pub(crate) const NON_UNIQUE: u32 = 0x400;
/// New record format, and the first of the three flush types.
const ALWAYS: u32 = 0x800 | 0x8000;

/// Node flag: the node is gone, though its bytes are still there.
pub(crate) const DELETED: u16 = 2;
/// Node flag: the key begins with bytes of the external header.
const COMPRESSED: u16 = 4;

/// Bytes of a tag.
const TAG: usize = 4;
/// Bytes of a node before its key, without and with a prefix.
const NODE_HEAD: usize = 2;
const PREFIX_HEAD: usize = 2;

/// The fields of a page's header that say what it is.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) dbtime: u64,
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) objid: u32,
    pub(crate) flags: u32,
}

/// Pages above 8 KiB have a longer header and keep the flags of a node in the node.
fn is_large(page: &[u8]) -> bool {
    page.len() > 8192
}

fn data_start(page: &[u8]) -> usize {
    if is_large(page) { 80 } else { 40 }
}

/// Bytes that nodes and tags share on a page of `page_size` bytes.
pub(crate) fn capacity(page_size: u32) -> usize {
    page_size as usize - if page_size > 8192 { 80 } else { 40 }
}

/// Bytes that a node without prefix costs beyond its key and data.
pub(crate) const NODE_COST: usize = NODE_HEAD + TAG;

fn put16(page: &mut [u8], at: usize, value: u16) {
    page[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

fn put32(page: &mut [u8], at: usize, value: u32) {
    page[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn get16(page: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([page[at], page[at + 1]])
}

/// A page while it is filled.
pub(crate) struct PageWriter<'a> {
    page: &'a mut [u8],
    start: usize,
    used: usize,
    tags: usize,
}

impl<'a> PageWriter<'a> {
    /// Starts a page in `page`, whose old bytes are lost. `external` is the external header: the space header of a
    /// root, else the common prefix of the page's keys.
    pub(crate) fn new(page: &'a mut [u8], head: Head, external: &[u8]) -> Self {
        page.fill(0);
        page[8..16].copy_from_slice(&head.dbtime.to_le_bytes());
        put32(page, 16, head.prev);
        put32(page, 20, head.next);
        put32(page, 24, head.objid);
        put32(page, 36, head.flags | ALWAYS);
        let start = data_start(page);
        let mut writer = PageWriter { page, start, used: 0, tags: 0 };
        writer.tag(0, external.len());
        writer.page[start..start + external.len()].copy_from_slice(external);
        writer.used = external.len();
        writer
    }

    /// Bytes left for nodes and their tags.
    pub(crate) fn room(&self) -> usize {
        self.page.len() - self.start - self.used - TAG * self.tags
    }

    fn tag(&mut self, flags: u16, length: usize) {
        let at = self.page.len() - TAG * (self.tags + 1);
        let flags = if is_large(self.page) { 0 } else { flags << 13 };
        put16(self.page, at, length as u16);
        put16(self.page, at + 2, self.used as u16 | flags);
        self.tags += 1;
    }

    /// Adds a node whose key is the first `prefix` bytes of the external header and then `suffix`, and hands out
    /// the `length` bytes of its data, all zero. There must be room.
    pub(crate) fn node(&mut self, prefix: usize, suffix: &[u8], length: usize) -> &mut [u8] {
        let flags = if prefix > 0 { COMPRESSED } else { 0 };
        let in_node = if is_large(self.page) { flags << 13 } else { 0 };
        let mut at = self.start + self.used;
        let first = at;
        if prefix > 0 {
            put16(self.page, at, prefix as u16 | in_node);
            put16(self.page, at + 2, suffix.len() as u16);
            at += PREFIX_HEAD + NODE_HEAD;
        } else {
            put16(self.page, at, suffix.len() as u16 | in_node);
            at += NODE_HEAD;
        }
        self.page[at..at + suffix.len()].copy_from_slice(suffix);
        at += suffix.len();
        let total = at + length - first;
        assert!(
            total + TAG <= self.room(),
            "a node of {total} bytes on a page with room for {}",
            self.room()
        );
        self.tag(flags, total);
        self.used += total;
        &mut self.page[at..at + length]
    }

    /// Adds a node with these data. There must be room.
    pub(crate) fn push(&mut self, prefix: usize, suffix: &[u8], data: &[u8]) {
        self.node(prefix, suffix, data.len()).copy_from_slice(data);
    }

    /// Writes the counts of free bytes, nodes and tags. The checksum is for [`seal`].
    pub(crate) fn finish(self) {
        let free = self.room() as u16;
        put16(self.page, 28, free);
        put16(self.page, 32, self.used as u16);
        put16(self.page, 34, self.tags as u16);
    }
}

/// Stores number and checksums; nothing may be changed afterwards.
pub(crate) fn seal(page: &mut [u8], pgno: u32) {
    checksum::store(page, pgno).expect("the length was checked when the store was described");
}

/// Where the parts of a node are: its key's prefix length, the key's suffix and its data.
pub(crate) struct Node {
    pub(crate) prefix: usize,
    pub(crate) suffix: std::ops::Range<usize>,
    pub(crate) data: std::ops::Range<usize>,
    /// Where the flags are, as the top bits of a 16-bit word.
    flags_at: usize,
}

impl Node {
    /// Marks the node as deleted.
    pub(crate) fn toggle_deleted(&self, page: &mut [u8]) {
        let word = get16(page, self.flags_at) ^ DELETED << 13;
        put16(page, self.flags_at, word);
    }
}

/// How many nodes are on a page that [`PageWriter`] made.
pub(crate) fn node_count(page: &[u8]) -> usize {
    usize::from(get16(page, 34) & 0xFFF).saturating_sub(1)
}

/// Node `line` of a page that [`PageWriter`] made; `line` must be less than [`node_count`].
pub(crate) fn node(page: &[u8], line: usize) -> Node {
    let tag = page.len() - TAG * (line + 2);
    let mask = if is_large(page) { 0x7FFF } else { 0x1FFF };
    let first = data_start(page) + usize::from(get16(page, tag + 2) & mask);
    let end = first + usize::from(get16(page, tag) & mask);
    let flags_at = if is_large(page) { first } else { tag + 2 };
    let (mut at, mut prefix) = (first, 0);
    if get16(page, flags_at) >> 13 & COMPRESSED != 0 {
        prefix = usize::from(get16(page, at) & 0x1FFF);
        at += PREFIX_HEAD;
    }
    let suffix = at + NODE_HEAD..at + NODE_HEAD + usize::from(get16(page, at) & 0x1FFF);
    Node { prefix, data: suffix.end..end, suffix, flags_at }
}

/// The external header of a page that [`PageWriter`] made.
pub(crate) fn external(page: &[u8]) -> &[u8] {
    let start = data_start(page);
    &page[start..start + usize::from(get16(page, page.len() - TAG))]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { dbtime: 0x40, prev: 0, next: 0, objid: 8, flags: LEAF };

    #[test]
    fn nodes_read_back_as_they_were_added_on_small_and_large_pages() {
        for size in [4096, 32768] {
            let mut page = vec![0xAA; size];
            let mut writer = PageWriter::new(&mut page, HEAD, b"prefix");
            writer.push(6, b"1", b"one");
            writer.push(0, b"second", b"two");
            writer.finish();
            assert_eq!((node_count(&page), external(&page)), (2, &b"prefix"[..]));
            let (one, two) = (node(&page, 0), node(&page, 1));
            assert_eq!((one.prefix, &page[one.suffix], &page[one.data]), (6, &b"1"[..], &b"one"[..]));
            assert_eq!((two.prefix, &page[two.suffix], &page[two.data]), (0, &b"second"[..], &b"two"[..]));
        }
    }

    #[test]
    fn a_sealed_page_verifies() {
        for size in [4096, 8192, 16384, 32768] {
            let mut page = vec![0; size];
            let mut writer = PageWriter::new(&mut page, HEAD, b"");
            writer.push(0, b"key", b"data");
            writer.finish();
            seal(&mut page, 77);
            assert_eq!(checksum::verify(&page, 77), checksum::PageState::Good);
        }
    }
}
