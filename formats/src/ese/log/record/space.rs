//! Records about pages that were not changed line by line: space, scans, freed extents.

use super::RecordType;
use super::page::PageOp;
use crate::le::Fields;

/// A tree with trees of its extents was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateMultipleExtentFdp {
    /// The first page of the tree.
    pub page: PageOp,
    /// Object id of the tree.
    pub objid: u32,
    /// Root of the owned extents.
    pub owned: u32,
    /// Root of the available extents.
    pub available: u32,
    /// First page of the tree that it was taken from.
    pub parent: u32,
    /// Pages of the first extent.
    pub primary_pages: u32,
    /// Flags of the pages.
    pub page_flags: u32,
}

impl CreateMultipleExtentFdp {
    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self {
            page: PageOp::parse(fields),
            objid: fields.u32(32),
            owned: fields.u32(36),
            available: fields.u32(40),
            parent: fields.u32(44),
            primary_pages: fields.u32(48),
            page_flags: fields.u32(52),
        }
    }
}

/// A tree of one extent was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateSingleExtentFdp {
    /// The first page of the tree.
    pub page: PageOp,
    /// Object id of the tree.
    pub objid: u32,
    /// First page of the tree that it was taken from.
    pub parent: u32,
    /// Pages of the extent.
    pub primary_pages: u32,
    /// Flags of the page.
    pub page_flags: u32,
}

impl CreateSingleExtentFdp {
    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self {
            page: PageOp::parse(fields),
            objid: fields.u32(32),
            parent: fields.u32(36),
            primary_pages: fields.u32(40),
            page_flags: fields.u32(44),
        }
    }
}

/// A tree of one extent got trees of its extents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvertFdp {
    /// The first page of the tree.
    pub page: PageOp,
    /// Object id of the tree.
    pub objid: u32,
    /// Root of the owned extents.
    pub owned: u32,
    /// Root of the available extents.
    pub available: u32,
    /// First page of the tree that it was taken from.
    pub parent: u32,
    /// First page of the second extent.
    pub secondary_first: u32,
    /// Pages of the first extent.
    pub primary_pages: u32,
    /// Pages of the second extent.
    pub secondary_pages: u32,
    /// What formats up to 7.3704.6 do not log.
    pub v2: Option<ConvertFdp2>,
}

/// The part of [`ConvertFdp`] that newer formats log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvertFdp2 {
    /// Free pages of the first extent: bit k is the page k + 1 behind the first.
    pub available_bits: u32,
    /// Flags of the pages.
    pub page_flags: u32,
}

impl ConvertFdp {
    pub(super) fn parse(fields: Fields<'_>, is_v2: bool) -> Self {
        Self {
            page: PageOp::parse(fields),
            objid: fields.u32(32),
            owned: fields.u32(36),
            available: fields.u32(40),
            parent: fields.u32(44),
            secondary_first: fields.u32(48),
            primary_pages: fields.u32(52),
            secondary_pages: fields.u32(56),
            v2: is_v2.then(|| ConvertFdp2 { available_bits: fields.u32(60), page_flags: fields.u32(64) }),
        }
    }
}

/// A page was taken into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPage {
    /// The session.
    pub procid: u16,
    /// The database, 1 to 6.
    pub dbid: u8,
    /// The page.
    pub pgno: u32,
    /// Object id of its tree.
    pub objid: u32,
    /// Update counter of the page after.
    pub dbtime: u64,
}

impl NewPage {
    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self {
            procid: fields.u16(1),
            dbid: fields.u8(3),
            pgno: fields.u32(4),
            objid: fields.u32(8),
            dbtime: fields.u64(12),
        }
    }
}

/// The root of a tree was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootPageMove {
    /// The session.
    pub procid: u16,
    /// The database, 1 to 6.
    pub dbid: u8,
    /// Object id of the tree.
    pub objid: u32,
    /// Update counter of all its pages after.
    pub dbtime: u64,
}

impl RootPageMove {
    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self { procid: fields.u16(14), dbid: fields.u8(9), objid: fields.u32(10), dbtime: fields.u64(1) }
    }
}

/// A database file was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShrinkDb {
    /// Which of the three records it is.
    pub kind: RecordType,
    /// The database, 1 to 6.
    pub dbid: u8,
    /// The last page that is left.
    pub last: u32,
    /// Pages that were cut off.
    pub pages: u32,
    /// Update counter; only in the third record.
    pub dbtime: Option<u64>,
}

impl ShrinkDb {
    pub(super) fn parse(kind: RecordType, fields: Fields<'_>) -> Self {
        Self {
            kind,
            dbid: fields.u8(1),
            last: fields.u32(2),
            pages: fields.u32(6),
            dbtime: (kind == RecordType::SHRINK_DB3).then(|| fields.u64(10)),
        }
    }
}

/// Pages were given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtentFreed {
    /// The database, 1 to 6.
    pub dbid: u8,
    /// The first page.
    pub first: u32,
    /// Number of pages.
    pub pages: u32,
    /// 1: the root of a table; 2: an empty tree was deleted.
    pub flags: u8,
    /// Update counter; only in the second record.
    pub dbtime: Option<u64>,
}

impl ExtentFreed {
    pub(super) fn parse(fields: Fields<'_>, is_v2: bool) -> Self {
        Self {
            dbid: fields.u8(1),
            first: fields.u32(2),
            pages: fields.u32(6),
            flags: fields.u8(10),
            dbtime: is_v2.then(|| fields.u64(11)),
        }
    }
}

/// A tree was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeFdp {
    /// The database, 1 to 6.
    pub dbid: u8,
    /// First page of the tree.
    pub fdp: u32,
    /// Commit time of the transaction that deleted it.
    pub trx: u32,
    /// 1 a table, 2 an index.
    pub tree_type: u8,
}

impl FreeFdp {
    pub(super) const LEN: usize = 15;

    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self { dbid: fields.u8(5), fdp: fields.u32(6), trx: fields.u32(10), tree_type: fields.u8(14) }
    }
}

/// A page was checked by a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanCheck {
    /// The database, 1 to 6.
    pub dbid: u8,
    /// The page.
    pub pgno: u32,
    /// Its update counter.
    pub dbtime_page: u64,
    /// The database's update counter.
    pub dbtime_current: u64,
    /// Update counter before the scan's own change.
    pub dbtime_before: u64,
    /// Update counter after it.
    pub dbtime_after: u64,
    /// Short form of the page's hash.
    pub checksum: u16,
}

impl ScanCheck {
    pub(super) const LEN: usize = 44;

    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self {
            dbid: fields.u8(5),
            pgno: fields.u32(6),
            dbtime_page: fields.u64(10),
            dbtime_current: fields.u64(18),
            dbtime_before: fields.u64(26),
            dbtime_after: fields.u64(34),
            checksum: fields.u16(42),
        }
    }
}

/// A page was checked by a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanCheck2 {
    /// The database, 1 to 6.
    pub dbid: u8,
    /// The page.
    pub pgno: u32,
    /// 0x80: the object id is not valid; 0x40: empty; 0x20: its tree is being deleted; the low 2 bits say who checked.
    pub flags: u8,
    /// Its update counter.
    pub dbtime_page: u64,
    /// The database's update counter.
    pub dbtime_current: u64,
    /// Short form of the page's hash.
    pub checksum: u32,
}

impl ScanCheck2 {
    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self {
            dbid: fields.u8(1),
            pgno: fields.u32(2),
            flags: fields.u8(6),
            dbtime_page: fields.u64(7),
            dbtime_current: fields.u64(15),
            checksum: fields.u32(23),
        }
    }
}
