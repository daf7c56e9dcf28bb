//! One node: a key, of which a part may stand in the page's external header, and data (reference, database.md section 5).

use crate::le::{bytes_at, u16_at};

/// Flag of a tag or node: the key's beginning stands in the external header.
pub(super) const COMPRESSED: u8 = 4;
pub(super) const DELETED: u8 = 2;
const VERSIONED: u8 = 1;
/// The upper bits of both counts may hold flags.
const COUNT_MASK: u16 = 0x1FFF;

/// A node of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    flags: u8,
    prefix: &'a [u8],
    suffix: &'a [u8],
    data: &'a [u8],
}

impl<'a> Node<'a> {
    /// Takes the bytes of a node apart; `prefix` is the page's external header. `None` if they do not add up.
    pub(super) fn parse(bytes: &'a [u8], flags: u8, prefix: &'a [u8]) -> Option<Self> {
        let count_at = |at| u16_at(bytes, at).map(|count| usize::from(count & COUNT_MASK));
        let (prefix_len, suffix_at) = if flags & COMPRESSED == 0 { (0, 0) } else { (count_at(0)?, 2) };
        let suffix_len = count_at(suffix_at)?;
        let suffix = bytes_at(bytes, suffix_at + 2, suffix_len)?;
        let data = bytes.get(suffix_at + 2 + suffix_len..)?;
        Some(Self { flags, prefix: prefix.get(..prefix_len)?, suffix, data })
    }

    /// Logically absent, though it keeps its line.
    pub fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    /// Had versions when the page was written; meaningless on disk.
    pub fn is_versioned(&self) -> bool {
        self.flags & VERSIONED != 0
    }

    /// The part of the key that stands in the external header.
    pub fn key_prefix(&self) -> &'a [u8] {
        self.prefix
    }

    /// The rest of the key.
    pub fn key_suffix(&self) -> &'a [u8] {
        self.suffix
    }

    /// The whole key, put together.
    pub fn key(&self) -> Vec<u8> {
        [self.prefix, self.suffix].concat()
    }

    /// Everything behind the key: a record, a child page number, an extent's length.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}
