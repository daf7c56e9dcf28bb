//! One database page: its checksums, header, tags and nodes (reference, database.md section 4).

pub mod checksum;
mod checksum_simd;
pub mod edit;
pub mod node;
mod parity;

pub use checksum_simd::Kernel;

use super::PAGE_SIZES;
use crate::error::{Error, Result};
use crate::le::{Fields, bytes_at, u16_at};
use node::Node;
use std::ops::Range;

const JET_DATABASE_CORRUPTED: i32 = -1206;
const SMALL_HEADER_LEN: usize = 40;
const LARGE_HEADER_LEN: usize = 80;
const TAG_LEN: usize = 4;

/// What kind of page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageFlags(pub u32);

impl PageFlags {
    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// The root of its tree.
    pub fn is_root(self) -> bool {
        self.has(0x1)
    }

    /// Holds records; a page without this holds child page numbers.
    pub fn is_leaf(self) -> bool {
        self.has(0x2)
    }

    /// Its children are leaves.
    pub fn is_parent_of_leaf(self) -> bool {
        self.has(0x4)
    }

    /// Was given back and holds nothing.
    pub fn is_empty(self) -> bool {
        self.has(0x8)
    }

    /// Belongs to a tree of owned or available extents.
    pub fn is_space_tree(self) -> bool {
        self.has(0x20)
    }

    /// Belongs to a secondary index.
    pub fn is_index(self) -> bool {
        self.has(0x40)
    }

    /// Belongs to a tree of long values.
    pub fn is_long_value(self) -> bool {
        self.has(0x80)
    }

    /// Keys of the tree need not be unique.
    pub fn is_non_unique(self) -> bool {
        self.has(0x400)
    }

    /// Records are in today's format, not that of before 1999.
    pub fn has_new_records(self) -> bool {
        self.has(0x800)
    }

    /// The checksum is in the new format.
    pub fn has_new_checksum(self) -> bool {
        self.has(0x2000)
    }

    /// Allocated and not yet used.
    pub fn is_preinitialised(self) -> bool {
        self.has(0x20000)
    }
}

/// The bytes of one page, seen as header, tags and nodes. Nothing is trusted: what does not lie inside the page is an
/// error. Checksums are not looked at; use [`checksum::verify`] first.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    bytes: &'a [u8],
    pgno: u32,
}

/// Where a tag points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag {
    /// From the page's first byte.
    start: usize,
    len: usize,
    /// Top three bits of the offset; on large pages the flags are in the node instead.
    flags: u8,
}

impl<'a> Page<'a> {
    /// The page of these bytes; `pgno` is only used in errors. The error is a length that is no page size.
    pub fn new(bytes: &'a [u8], pgno: u32) -> Result<Self> {
        if PAGE_SIZES.iter().any(|size| *size as usize == bytes.len()) {
            Ok(Self { bytes, pgno })
        } else {
            let found = format_args!("{} bytes", bytes.len());
            Err(Error::format(format_args!("page {pgno}"), 0, found, "2, 4, 8, 16 or 32 KiB"))
        }
    }

    /// All bytes of the page.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether the page is over 8 KiB: longer header, flags in the nodes.
    pub fn is_large(self) -> bool {
        self.bytes.len() > 8192
    }

    /// Where nodes begin, in bytes from the page's start.
    pub fn data_start(self) -> usize {
        if self.is_large() { LARGE_HEADER_LEN } else { SMALL_HEADER_LEN }
    }

    /// Update counter of the last change.
    pub fn dbtime(self) -> u64 {
        self.fields().u64(8)
    }

    /// The leaf to the left; 0 for none.
    pub fn previous(self) -> u32 {
        self.fields().u32(16)
    }

    /// The leaf to the right; 0 for none.
    pub fn next(self) -> u32 {
        self.fields().u32(20)
    }

    /// Object id of the tree.
    pub fn objid(self) -> u32 {
        self.fields().u32(24)
    }

    /// Free bytes.
    pub fn free_bytes(self) -> u16 {
        self.fields().u16(28)
    }

    /// The first byte behind all nodes that may be taken, in bytes from the page's start.
    pub fn free_start(self) -> usize {
        self.data_start() + usize::from(self.fields().u16(32))
    }

    /// What kind of page it is.
    pub fn flags(self) -> PageFlags {
        PageFlags(self.fields().u32(36))
    }

    /// Number of tags, reserved ones included.
    pub fn tag_count(self) -> usize {
        usize::from(self.fields().u16(34) & 0x0FFF)
    }

    /// Tags before the first line; the first of them is the external header.
    pub fn reserved_tag_count(self) -> usize {
        usize::from(self.fields().u16(34) >> 12 & 7).max(1)
    }

    /// Number of lines, deleted ones included.
    pub fn line_count(self) -> usize {
        self.tag_count().saturating_sub(self.reserved_tag_count())
    }

    /// The external header: space header of a root, key prefix of another page. May be empty.
    pub fn external_header(self) -> Result<&'a [u8]> {
        if self.tag_count() == 0 { Ok(&[]) } else { self.tagged(self.tag(0)?) }
    }

    /// The node of line `line`, counted from 0.
    pub fn node(self, line: usize) -> Result<Node<'a>> {
        if line >= self.line_count() {
            let expected = format_args!("less than {}", self.line_count());
            return Err(self.damaged(34, format_args!("line {line}"), expected));
        }
        let tag = self.tag(line.saturating_add(self.reserved_tag_count()))?;
        let bytes = self.tagged(tag)?;
        let flags = if self.is_large() { (u16_at(bytes, 0).unwrap_or(0) >> 13) as u8 } else { tag.flags };
        let prefix = if flags & node::COMPRESSED == 0 { &[] } else { self.key_prefix()? };
        Node::parse(bytes, flags, prefix).ok_or_else(|| {
            self.damaged(tag.start, format_args!("{} bytes of line {line}", tag.len), "a node")
        })
    }

    /// All nodes in line order.
    pub fn nodes(self) -> impl DoubleEndedIterator<Item = Result<Node<'a>>> {
        (0..self.line_count()).map(move |line| self.node(line))
    }

    /// Where the external header and all lines lie, in the order of their tags, in bytes from the page's start.
    pub fn spans(self) -> impl Iterator<Item = Result<Range<usize>>> {
        (0..self.tag_count()).map(move |number| {
            let tag = self.tag(number)?;
            self.tagged(tag)?;
            Ok(tag.start..tag.start + tag.len)
        })
    }

    /// Where the tags begin, which grow down from the page's end, in bytes from its start; 0 if it has no room for them.
    pub fn tags_start(self) -> usize {
        self.bytes.len().saturating_sub(self.tag_count().saturating_mul(TAG_LEN))
    }

    fn fields(self) -> Fields<'a> {
        Fields(self.bytes)
    }

    /// What nodes with compressed keys leave out. A root's external header is no key.
    fn key_prefix(self) -> Result<&'a [u8]> {
        if self.flags().is_root() { Ok(&[]) } else { self.external_header() }
    }

    fn tag(self, number: usize) -> Result<Tag> {
        let from_end = number.saturating_add(1).saturating_mul(TAG_LEN);
        let place = self.bytes.len().checked_sub(from_end).filter(|at| *at >= self.data_start());
        let Some(at) = place else {
            return Err(self.damaged(34, format_args!("tag {number}"), "tags inside the page"));
        };
        let (len, offset) = (self.fields().u16(at), self.fields().u16(at + 2));
        let mask = if self.is_large() { 0x7FFF } else { 0x1FFF };
        Ok(Tag {
            start: self.data_start() + usize::from(offset & mask),
            len: usize::from(len & mask),
            flags: if self.is_large() { 0 } else { (offset >> 13) as u8 },
        })
    }

    /// The bytes that a tag points to, which must lie before the tags.
    fn tagged(self, tag: Tag) -> Result<&'a [u8]> {
        let data = self.bytes.get(..self.tags_start()).unwrap_or(&[]);
        bytes_at(data, tag.start, tag.len).ok_or_else(|| {
            self.damaged(tag.start, format_args!("{} bytes", tag.len), "bytes before the tags")
        })
    }

    fn damaged(self, at: usize, found: impl std::fmt::Display, expected: impl std::fmt::Display) -> Error {
        Error::format(format_args!("page {}", self.pgno), at as u64, found, expected)
            .with_jet(JET_DATABASE_CORRUPTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Page 2 of basic.edb, as test-vectors.md section 1 gives it.
    fn owned_extents_root() -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..40].copy_from_slice(&[
            0xd4, 0x59, 0xec, 0, 0x92, 1, 0x92, 1, 0x46, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
            0, 0, 0xb6, 0x0f, 0, 0, 0x1a, 0, 2, 0, 0x23, 0xa8, 0, 0,
        ]);
        page[56..66].copy_from_slice(&[4, 0, 0, 0, 0, 0xfe, 0xfe, 0, 0, 0]);
        page[4088..].copy_from_slice(&[0x0a, 0, 0x10, 0, 0x10, 0, 0, 0]);
        page
    }

    #[test]
    fn a_real_page_reads_as_the_reference_says() {
        let bytes = owned_extents_root();
        assert_eq!(checksum::verify(&bytes, 2), checksum::PageState::Good);
        let page = Page::new(&bytes, 2).expect("a page size");
        assert_eq!((page.dbtime(), page.objid(), page.tag_count(), page.line_count()), (0x46, 1, 2, 1));
        assert!(page.flags().is_root() && page.flags().is_leaf() && page.flags().is_space_tree());
        assert_eq!(page.external_header().expect("a good tag"), [0; 16]);
        let node = page.node(0).expect("a good node");
        assert_eq!(node.key(), [0, 0, 0, 0xfe]);
        assert_eq!(node.data(), [0xfe, 0, 0, 0]);
        assert!(page.node(1).is_err());
    }

    #[test]
    fn flags_of_large_pages_stand_in_the_node() {
        let mut bytes = vec![0; 16384];
        bytes[34] = 2;
        bytes[36] = 2;
        bytes[80..83].copy_from_slice(b"abc");
        bytes[83..92].copy_from_slice(&[3, 0xC0, 1, 0, b'd', b'x', 0, 0, 0]);
        bytes[16376..].copy_from_slice(&[6, 0, 3, 0, 3, 0, 0, 0]);
        let page = Page::new(&bytes, 2).expect("a page size");
        let node = page.node(0).expect("a good node");
        assert!(node.is_deleted());
        assert_eq!((node.key().as_slice(), node.data()), (&b"abcd"[..], &b"x"[..]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_page_panic(seed in any::<[u8; 32]>(), size in 0usize..5, tags in any::<u16>()) {
            let mut bytes = seed.repeat(PAGE_SIZES[size] as usize / 32);
            bytes[34..36].copy_from_slice(&tags.to_le_bytes());
            let page = Page::new(&bytes, 1).expect("a page size");
            let _ = page.external_header();
            for node in page.nodes().flatten() {
                prop_assert!(node.key().len() <= bytes.len());
            }
        }
    }
}
