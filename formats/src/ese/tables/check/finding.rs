//! What a check has to say: how bad it is, what and where, the engine's number for it, and what to do.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Information,
    /// Wrong, and no data is lost by it; or what a database that was not shut down cleanly may well have.
    Warning,
    /// Damage.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What kind of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The database was not shut down cleanly.
    Dirty,
    /// One of the two copies of the header is bad, or they differ.
    HeaderCopy,
    /// Pages of a database that was shut down cleanly were changed after that.
    LaterPage,
    /// A page cannot be read, or fails its checksum.
    UnreadablePage,
    /// One bit of a page is flipped, and its checksum says which.
    CorrectablePage,
    /// A page is not what the tree that names it needs: another tree's, another kind, another level.
    WrongPage,
    /// What lies inside a page does not add up.
    PageLayout,
    /// Keys of a page are not in order.
    KeyOrder,
    /// A page holds a key that its parent has elsewhere.
    ParentKey,
    /// A leaf names other neighbours than its tree has.
    SiblingLink,
    /// Two trees name the same page.
    UsedTwice,
    /// The space of a tree cannot be read.
    UnreadableSpace,
    /// Two trees own the same page, or one owns it twice.
    OwnedTwice,
    /// A tree uses a page that it does not own.
    NotOwned,
    /// A tree owns pages that its parent does not, or that the file does not have.
    OutsideParent,
    /// A page is in use, and among those that are available.
    UsedAndAvailable,
    /// A tree has available pages that it does not own, or has them twice.
    AvailableNotOwned,
    /// Pages are owned and neither available nor in use.
    Leaked,
    /// The catalog and its shadow copy differ.
    ShadowCatalog,
    /// A record cannot be taken apart.
    Record,
    /// An index has an entry for a row that is not there.
    IndexEntry,
    /// A row refers to a long value that is not there.
    LongValueMissing,
    /// A long value's chunks are not what its root says.
    LongValue,
    /// Long values to which no row refers.
    LongValueUnused,
    /// Something was too much to be checked, or is in a format that is not.
    Unchecked,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub kind: Kind,
    /// The page, where it is about one.
    pub page: Option<u32>,
    /// The tree: its table, and its index if it is not the table's own.
    pub tree: Option<String>,
    /// The number that the engine gives for it, where there is one.
    pub jet: Option<i32>,
    /// What was found.
    pub what: String,
}

impl Kind {
    /// How bad it is in a database that was shut down cleanly.
    pub fn severity(self) -> Severity {
        match self {
            Self::Dirty | Self::Leaked | Self::LongValueUnused | Self::Unchecked => Severity::Information,
            Self::HeaderCopy | Self::CorrectablePage | Self::LaterPage | Self::ShadowCatalog => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }

    /// A word for it that stays the same.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dirty => "dirty",
            Self::HeaderCopy => "header-copy",
            Self::LaterPage => "later-page",
            Self::UnreadablePage => "unreadable-page",
            Self::CorrectablePage => "correctable-page",
            Self::WrongPage => "wrong-page",
            Self::PageLayout => "page-layout",
            Self::KeyOrder => "key-order",
            Self::ParentKey => "parent-key",
            Self::SiblingLink => "sibling-link",
            Self::UsedTwice => "used-twice",
            Self::UnreadableSpace => "unreadable-space",
            Self::OwnedTwice => "owned-twice",
            Self::NotOwned => "not-owned",
            Self::OutsideParent => "outside-parent",
            Self::UsedAndAvailable => "used-and-available",
            Self::AvailableNotOwned => "available-not-owned",
            Self::Leaked => "leaked",
            Self::ShadowCatalog => "shadow-catalog",
            Self::Record => "record",
            Self::IndexEntry => "index-entry",
            Self::LongValueMissing => "long-value-missing",
            Self::LongValue => "long-value",
            Self::LongValueUnused => "long-value-unused",
            Self::Unchecked => "unchecked",
        }
    }

    /// The number that the engine gives where it meets this.
    pub fn jet(self) -> Option<i32> {
        match self {
            Self::Dirty => Some(-550),
            Self::HeaderCopy | Self::UnreadablePage => Some(-1018),
            Self::WrongPage | Self::PageLayout | Self::KeyOrder | Self::UsedTwice | Self::Record => {
                Some(-1206)
            }
            Self::ParentKey => Some(-338),
            Self::SiblingLink => Some(-327),
            Self::UnreadableSpace | Self::OwnedTwice | Self::NotOwned | Self::OutsideParent => Some(-344),
            Self::UsedAndAvailable | Self::AvailableNotOwned => Some(-341),
            Self::ShadowCatalog => Some(-1220),
            Self::IndexEntry => Some(-1414),
            Self::LongValueMissing | Self::LongValue => Some(-1526),
            Self::CorrectablePage
            | Self::LaterPage
            | Self::Leaked
            | Self::LongValueUnused
            | Self::Unchecked => None,
        }
    }

    /// What it means to an administrator, and what to do.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Dirty => {
                "replay the transaction logs before judging the structure: until then pages of different age may disagree"
            }
            Self::HeaderCopy => {
                "the other copy is used; the engine writes both anew at the next clean shutdown, so take a backup and look at the disk"
            }
            Self::LaterPage => {
                "the file was copied or its machine stopped while it was in use, and no log tells what is missing; rows and indexes may disagree"
            }
            Self::UnreadablePage => {
                "the data on the page is lost; restore the database from a backup and replay its logs"
            }
            Self::CorrectablePage => {
                "the page can be read; the engine puts the bit right when it writes the page, so look at the disk and the memory"
            }
            Self::WrongPage | Self::UsedTwice => {
                "a write went to a wrong place or was lost; restore the database from a backup and replay its logs"
            }
            Self::PageLayout => {
                "the page was damaged before its checksum was made; do not let the engine change it, restore the database from a backup"
            }
            Self::KeyOrder | Self::ParentKey => {
                "searches may miss rows that are there; rebuild the index, or for a table restore the database from a backup"
            }
            Self::SiblingLink => {
                "scans may skip or repeat rows; a lost write is likely, so restore the database from a backup and replay its logs"
            }
            Self::UnreadableSpace => {
                "new pages of the tree may be taken from others; do not write to the database, restore it from a backup"
            }
            Self::OwnedTwice | Self::NotOwned | Self::OutsideParent => {
                "two trees may overwrite each other's pages; do not write to the database, restore it from a backup"
            }
            Self::UsedAndAvailable | Self::AvailableNotOwned => {
                "a page in use may be given away and overwritten; do not write to the database, restore it from a backup"
            }
            Self::Leaked => {
                "space that nothing uses, as a rolled-back creation of a table leaves it; an offline defragmentation gives it back"
            }
            Self::ShadowCatalog => "the catalog itself is used; an offline defragmentation writes both anew",
            Self::Record => "the row cannot be read; restore the database from a backup and replay its logs",
            Self::IndexEntry => {
                "queries by this index give rows that are not there; delete the index and let it be built again"
            }
            Self::LongValueMissing | Self::LongValue => {
                "the row's large value is lost in part; restore the database from a backup and replay its logs"
            }
            Self::LongValueUnused => "space that nothing uses; an offline defragmentation gives it back",
            Self::Unchecked => "nothing is known to be wrong there",
        }
    }
}

/// Findings as they come: as many as are listed, and counts of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first [`Findings::MAX_LISTED`], in the order in which they were found.
    pub listed: Vec<Finding>,
    /// How many there are of each severity.
    pub errors: u64,
    /// The same.
    pub warnings: u64,
    /// The same.
    pub information: u64,
}

impl Findings {
    /// The most findings that are listed.
    pub const MAX_LISTED: usize = 1000;

    pub(super) fn add(&mut self, finding: Finding) {
        *match finding.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
            Severity::Information => &mut self.information,
        } += 1;
        if self.listed.len() < Self::MAX_LISTED {
            self.listed.push(finding);
        }
    }

    /// Whether anything is wrong.
    pub fn is_clean(&self) -> bool {
        self.errors == 0 && self.warnings == 0
    }
}
