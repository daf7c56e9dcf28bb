//! What records that change a page have in common.

use crate::le::Fields;

/// Stands for an update counter that is not logged: absent siblings, and the node operation behind the splits of a macro.
pub const NO_DBTIME: u64 = u64::MAX;

/// A change of a page: who, where, when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOp {
    /// The session.
    pub procid: u16,
    /// The database, 1 to 6.
    pub dbid: u8,
    /// The page.
    pub pgno: u32,
    /// Update counter of the page after the change.
    pub dbtime: u64,
    /// Update counter of the page before the change, or [`NO_DBTIME`].
    pub dbtime_before: u64,
    /// Begin time of the session's outermost transaction.
    pub trx: u32,
    /// Level of the transaction that it belongs to.
    pub level: u8,
    /// Line of the page.
    pub line: u16,
    /// How it was done.
    pub flags: PageOpFlags,
}

impl PageOp {
    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self {
            procid: fields.u16(1),
            dbid: fields.u8(3),
            pgno: fields.u32(4),
            dbtime: fields.u64(8),
            dbtime_before: fields.u64(16),
            trx: fields.u32(24),
            level: fields.u8(28),
            line: fields.u16(29),
            flags: PageOpFlags(fields.u8(31)),
        }
    }
}

/// How a page was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOpFlags(pub u8);

impl PageOpFlags {
    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// The change can be undone.
    pub fn is_versioned(self) -> bool {
        self.has(1)
    }

    /// The node was deleted; no longer logged.
    pub fn is_deleted(self) -> bool {
        self.has(2)
    }

    /// Keys of the tree are unique.
    pub fn is_unique(self) -> bool {
        self.has(4)
    }

    /// The tree is one of owned or available extents.
    pub fn is_space_tree(self) -> bool {
        self.has(8)
    }

    /// An index is being built beside it.
    pub fn is_concurrent_create_index(self) -> bool {
        self.has(0x10)
    }

    /// The engine did it for itself.
    pub fn is_system_task(self) -> bool {
        self.has(0x20)
    }
}

/// A change of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeOp {
    /// The page and the line.
    pub page: PageOp,
    /// Number of the version that the change made; 0 without one. Wraps around: compare by signed difference.
    pub rceid: u32,
    /// First page of the tree.
    pub fdp: u32,
    /// Object id of the tree.
    pub objid: u32,
}

impl NodeOp {
    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self {
            page: PageOp::parse(fields),
            rceid: fields.u32(32),
            fdp: fields.u32(36),
            objid: fields.u32(40),
        }
    }
}
