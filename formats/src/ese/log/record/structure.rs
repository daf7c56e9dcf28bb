//! Records that change the shape of a tree (reference, log.md section 6.1).

use super::page::PageOp;
use crate::le::{Fields, array_at};

/// Why a page was split: what was going to be done to a node of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitOper(pub u8);

impl SplitOper {
    /// Nothing; the level above follows its child.
    pub const NONE: Self = Self(0);
    /// A node is inserted.
    pub const INSERT: Self = Self(1);
    /// A node's data is replaced.
    pub const REPLACE: Self = Self(2);
    /// A deleted node is made valid with new data.
    pub const FLAG_INSERT_AND_REPLACE: Self = Self(3);
}

/// How a page was split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitType(pub u8);

impl SplitType {
    /// A root: all its lines move to a new page below it.
    pub const VERTICAL: Self = Self(0);
    /// The right part of the lines moves to a new page.
    pub const RIGHT: Self = Self(1);
    /// A new page takes what is appended behind the last line.
    pub const APPEND: Self = Self(2);
}

/// A page was split, or (new page 0) a pointer in it follows the split of its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// The page that is split. Its line says nothing.
    pub page: PageOp,
    /// Whether it is of the form that can carry an image (Split2).
    pub is_v2: bool,
    /// The new page; 0 where this level is not split.
    pub new: u32,
    /// The page to the right; 0 for none.
    pub right: u32,
    /// Update counter of the page to the right before.
    pub right_dbtime_before: u64,
    /// The page above; 0 for none.
    pub parent: u32,
    /// Update counter of the page above before.
    pub parent_dbtime_before: u64,
    /// First page of the tree.
    pub fdp: u32,
    /// Object id of the tree.
    pub objid: u32,
    /// How it was split.
    pub split_type: SplitType,
    /// What caused it.
    pub oper: SplitOper,
    /// Line of the operation, among the lines with the new node.
    pub oper_line: u16,
    /// First line that moves.
    pub split_line: u16,
    /// Number of lines, with the new node.
    pub lines: u16,
    /// Flags of the new page.
    pub new_flags: u32,
    /// Flags of the split page.
    pub split_flags: u32,
    /// Uncommitted free bytes of the split page.
    pub uncommitted_free_source: i16,
    /// Uncommitted free bytes of the new page.
    pub uncommitted_free_dest: i16,
    /// The line whose key is the split page's new prefix; -1 for none.
    pub prefix_line_split: i32,
    /// The same of the new page, counted from the first line that moves; -1 for none.
    pub prefix_line_new: i32,
    /// The key that separates the pages in the page above.
    pub separator: &'a [u8],
    /// The split page's prefix before.
    pub old_prefix: &'a [u8],
    /// The split page's prefix after.
    pub new_prefix: &'a [u8],
    /// The image of the split page before; empty for none.
    pub image: Image<'a>,
}

/// The image of a page before a change, as logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Image<'a> {
    /// 1: the gap is left out; 2: compressed.
    pub flags: u32,
    /// The bytes; as many as a page has if nothing was done to it.
    pub bytes: &'a [u8],
}

impl Image<'_> {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the free gap is left out.
    pub fn is_dehydrated(self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether it is compressed with XPRESS.
    pub fn is_compressed(self) -> bool {
        self.flags & 2 != 0
    }
}

impl<'a> Split<'a> {
    /// Whether the image of the split page is there.
    pub fn has_image(&self) -> bool {
        !self.image.is_empty()
    }

    pub(super) fn parse(bytes: &'a [u8], fixed_len: usize, is_v2: bool) -> Option<Self> {
        let fields = Fields(bytes);
        let mut rest = Cursor::new(bytes, fixed_len)?;
        Some(Self {
            page: PageOp::parse(fields),
            is_v2,
            new: fields.u32(32),
            right: fields.u32(36),
            right_dbtime_before: fields.u64(40),
            parent: fields.u32(48),
            parent_dbtime_before: fields.u64(52),
            fdp: fields.u32(60),
            objid: fields.u32(64),
            split_type: SplitType(fields.u8(68)),
            oper: SplitOper(fields.u8(69)),
            oper_line: fields.u16(70),
            split_line: fields.u16(72),
            lines: fields.u16(74),
            new_flags: fields.u32(76),
            split_flags: fields.u32(80),
            uncommitted_free_source: fields.u16(84) as i16,
            uncommitted_free_dest: fields.u16(86) as i16,
            prefix_line_split: fields.u32(88) as i32,
            prefix_line_new: fields.u32(92) as i32,
            separator: rest.take(usize::from(fields.u16(100)))?,
            old_prefix: rest.take(usize::from(fields.u16(96)))?,
            new_prefix: rest.take(usize::from(fields.u16(98)))?,
            image: if is_v2 { Image { flags: fields.u32(102), bytes: rest.rest } } else { Image::default() },
        })
    }
}

/// How pages were merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeType(pub u8);

impl MergeType {
    /// The level above follows its child.
    pub const NONE: Self = Self(0);
    /// The page was empty and goes.
    pub const EMPTY_PAGE: Self = Self(1);
    /// All lines move to the right.
    pub const FULL_RIGHT: Self = Self(2);
    /// The last lines move to the right.
    pub const PARTIAL_RIGHT: Self = Self(3);
    /// The tree was emptied.
    pub const EMPTY_TREE: Self = Self(4);
    /// All lines move to the left.
    pub const FULL_LEFT: Self = Self(5);
    /// The first lines move to the left.
    pub const PARTIAL_LEFT: Self = Self(6);
    /// The page moves.
    pub const PAGE_MOVE: Self = Self(7);
}

/// A page was merged with a neighbour, or a line in it follows the merge of its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge<'a> {
    /// The page, and the line in it to touch.
    pub page: PageOp,
    /// Whether it is of the form that can carry an image (Merge2).
    pub is_v2: bool,
    /// The page to the right; 0 for none.
    pub right: u32,
    /// Update counter of the page to the right before.
    pub right_dbtime_before: u64,
    /// The page to the left; 0 for none.
    pub left: u32,
    /// Update counter of the page to the left before.
    pub left_dbtime_before: u64,
    /// The page above; 0 for none.
    pub parent: u32,
    /// Update counter of the page above before.
    pub parent_dbtime_before: u64,
    /// First page of the tree.
    pub fdp: u32,
    /// Object id of the tree.
    pub objid: u32,
    /// Bytes of the lines that move.
    pub size_total: u16,
    /// The same with what updates in flight may add.
    pub size_max_total: u16,
    /// Uncommitted free bytes of the page that they move to.
    pub uncommitted_free_dest: u16,
    /// Line where the moved part begins (right) or ends (left).
    pub merge_line: u16,
    /// 1: a key changes; 2: a node goes; 4: the page becomes empty.
    pub flags: u8,
    /// How they were merged.
    pub merge_type: MergeType,
    /// The key that separates the pages in the page above; only in the leaf's record.
    pub separator: &'a [u8],
    /// The image of the page before; empty for none.
    pub image: Image<'a>,
}

impl<'a> Merge<'a> {
    /// Whether the key of the line changes.
    pub fn changes_key(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether the line goes.
    pub fn deletes_node(&self) -> bool {
        self.flags & 2 != 0
    }

    /// Whether the page becomes empty.
    pub fn empties_page(&self) -> bool {
        self.flags & 4 != 0
    }

    /// Whether the image of the page is there.
    pub fn has_image(&self) -> bool {
        !self.image.is_empty()
    }

    pub(super) fn parse(bytes: &'a [u8], fixed_len: usize, is_v2: bool) -> Option<Self> {
        let fields = Fields(bytes);
        let mut rest = Cursor::new(bytes, fixed_len)?;
        Some(Self {
            page: PageOp::parse(fields),
            is_v2,
            right: fields.u32(32),
            right_dbtime_before: fields.u64(36),
            left: fields.u32(44),
            left_dbtime_before: fields.u64(48),
            parent: fields.u32(56),
            parent_dbtime_before: fields.u64(60),
            fdp: fields.u32(68),
            objid: fields.u32(72),
            size_total: fields.u16(76),
            size_max_total: fields.u16(78),
            uncommitted_free_dest: fields.u16(80),
            merge_line: fields.u16(82),
            flags: fields.u8(84),
            merge_type: MergeType(fields.u8(85)),
            separator: rest.take(usize::from(fields.u16(86)))?,
            image: if is_v2 { Image { flags: fields.u32(88), bytes: rest.rest } } else { Image::default() },
        })
    }
}

/// A page was moved. Inside a root move its parent, left and right fields say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageMove<'a> {
    /// The page that moves.
    pub page: PageOp,
    /// Where it moves to.
    pub dest: u32,
    /// The page to the left; 0 for none.
    pub left: u32,
    /// Update counter of the page to the left before.
    pub left_dbtime_before: u64,
    /// The page to the right; 0 for none.
    pub right: u32,
    /// Update counter of the page to the right before.
    pub right_dbtime_before: u64,
    /// The page above.
    pub parent: u32,
    /// Update counter of the page above before.
    pub parent_dbtime_before: u64,
    /// Line of the page above that points to the page.
    pub parent_line: i32,
    /// First page of the tree.
    pub fdp: u32,
    /// Object id of the tree.
    pub objid: u32,
    /// 1: root of the tree; 2: of its owned extents; 4: of its available extents. Only inside a root move.
    pub flags: u32,
    /// The first bytes of the page.
    pub header: &'a [u8],
    /// The last bytes of the page; what is between is zero.
    pub trailer: &'a [u8],
}

impl<'a> PageMove<'a> {
    pub(super) fn parse(bytes: &'a [u8], fixed_len: usize) -> Option<Self> {
        let fields = Fields(bytes);
        let mut rest = Cursor::new(bytes, fixed_len)?;
        Some(Self {
            page: PageOp::parse(fields),
            dest: fields.u32(32),
            left: fields.u32(36),
            left_dbtime_before: fields.u64(48),
            right: fields.u32(40),
            right_dbtime_before: fields.u64(56),
            parent: fields.u32(44),
            parent_dbtime_before: fields.u64(64),
            parent_line: fields.u32(80) as i32,
            fdp: fields.u32(72),
            objid: fields.u32(76),
            flags: fields.u32(84),
            header: rest.take(fields.u32(88) as usize)?,
            trailer: rest.rest,
        })
    }
}

/// A page that was emptied with its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptiedPage {
    /// Its update counter before.
    pub dbtime_before: u64,
    /// Its number.
    pub pgno: u32,
    /// Its flags.
    pub flags: u32,
}

/// The pages that were emptied with their tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptiedPages<'a>(pub(super) &'a [u8]);

impl<'a> EmptiedPages<'a> {
    /// Length of the list, in bytes.
    pub fn byte_len(self) -> usize {
        self.0.len()
    }

    /// The pages in the order of the record.
    pub fn iter(self) -> impl ExactSizeIterator<Item = EmptiedPage> + use<'a> {
        self.0.as_chunks::<16>().0.iter().map(|entry| {
            let fields = Fields(entry);
            EmptiedPage { dbtime_before: fields.u64(0), pgno: fields.u32(8), flags: fields.u32(12) }
        })
    }
}

/// Numbers of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageNumbers<'a>(pub(super) &'a [u8]);

impl<'a> PageNumbers<'a> {
    /// The numbers in the order of the record.
    pub fn iter(self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.0.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number))
    }
}

/// Takes the variable parts of a record one after the other.
pub(super) struct Cursor<'a> {
    pub rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], fixed_len: usize) -> Option<Self> {
        bytes.get(fixed_len..).map(|rest| Self { rest })
    }

    #[inline]
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = array_at(self.rest, 0)?;
        self.rest = self.rest.get(N..)?;
        Some(taken)
    }
}
