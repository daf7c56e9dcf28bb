//! The space of a tree: the extents of pages that it owns, and those of them that nothing uses yet (reference,
//! database.md sections 5 and 7). A tree takes its extents out of the available ones of its parent; the database's own
//! tree, at page 1, owns them all.

mod owned_end;

pub use owned_end::owned_end;

use super::tree::{Lost, Tree};
use crate::error::{Error, Result};
use crate::ese::database::{Database, DatabaseFile};
use crate::ese::page::Page;
use crate::ese::page::node::Node;
use crate::le::{u8_at, u32_at};

/// Root and object id of the database's own tree.
pub const DATABASE: (u32, u32) = (1, 1);
const JET_DATABASE_CORRUPTED: i32 = -1206;
const HEADER_LEN: usize = 16;
/// Fields that may stand before and behind the space header in the newer form.
const HAS_SPACE_HEADER: u8 = 0x01;
const HAS_AUTO_INCREMENT: u8 = 0x02;
const MULTIPLE_EXTENTS: u32 = 0x1;
const NON_UNIQUE: u32 = 0x2;
const POOLED_KEY: u8 = 0x80;

/// A run of pages; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent {
    /// The first page.
    pub first: u32,
    /// The last page.
    pub last: u32,
}

impl Extent {
    /// The `len` pages up to `last`; `None` for no pages, or more than there are up to there.
    pub fn ending(last: u32, len: u32) -> Option<Self> {
        let first = last.checked_sub(len.checked_sub(1)?)?;
        (first > 0).then_some(Self { first, last })
    }

    /// The `len` pages from `first` on; `None` for no pages, or more than can be numbered.
    pub fn starting(first: u32, len: u32) -> Option<Self> {
        let last = first.checked_add(len.checked_sub(1)?)?;
        (first > 0).then_some(Self { first, last })
    }

    /// Number of pages.
    pub fn pages(self) -> u64 {
        u64::from(self.last) - u64::from(self.first) + 1
    }

    /// Whether all of `other` lies in it.
    pub fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// What the root of a tree says of its space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceHeader {
    /// Pages of the first extent, which begins with the root; of the last extent in newer trees with several.
    pub pages: u32,
    /// The root of the tree that the extents were taken from; 0 for the database's own.
    pub parent: u32,
    /// Keys of the tree need not be unique.
    pub non_unique: bool,
    /// Where the extents are written down.
    pub kept: Kept,
}

/// Where a tree's extents are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// One extent: bit k is set where page root + 1 + k is available.
    Bits(u32),
    /// In a tree of owned extents at this page, and one of available extents at the next.
    Trees(u32),
}

impl SpaceHeader {
    /// Reads the external header of a root, in the old form or the newer one that begins with the set of its fields.
    pub fn parse(external: &[u8]) -> Option<Self> {
        let fields = if external.len() == HEADER_LEN {
            external
        } else {
            let set = u8_at(external, 0)?;
            let rest = external.get(1..)?;
            let len = HEADER_LEN + if set & HAS_AUTO_INCREMENT == 0 { 0 } else { 8 };
            if set & HAS_SPACE_HEADER == 0 || rest.len() != len {
                return None;
            }
            rest
        };
        let (flags, kept) = (u32_at(fields, 8)?, u32_at(fields, 12)?);
        Some(Self {
            pages: u32_at(fields, 0)?,
            parent: u32_at(fields, 4)?,
            non_unique: flags & NON_UNIQUE != 0,
            kept: if flags & MULTIPLE_EXTENTS == 0 { Kept::Bits(kept) } else { Kept::Trees(kept) },
        })
    }

    /// The root of the tree of owned extents, if there is one.
    pub fn extents_root(&self) -> Option<u32> {
        match self.kept {
            Kept::Trees(root) => Some(root),
            Kept::Bits(_) => None,
        }
    }

    /// That of the tree with this root. The error is a root that cannot be read, or has none.
    pub fn of_root(page: Page<'_>, pgno: u32) -> Result<Self> {
        let external = page.external_header()?;
        Self::parse(external).ok_or_else(|| {
            let found = format_args!("{} bytes", external.len());
            Error::format(format_args!("page {pgno}"), 0, found, "a space header")
                .with_jet(JET_DATABASE_CORRUPTED)
        })
    }
}

/// What available pages are kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// Whatever comes.
    General,
    /// Data that shall lie together.
    Contiguous,
    /// Nothing: they lie behind the end of the file, which was shrunk.
    Shelved,
    /// A number without meaning.
    Unknown(u8),
}

/// The extent that a node of a space tree stands for, and its pool; `None` inside for an extent of no pages.
pub fn extent_of(node: &Node<'_>) -> Option<(Pool, Option<Extent>)> {
    let (key, len) = (node.key(), u32::from_le_bytes(*node.data().as_array()?));
    let (pool, last) = match key.as_slice() {
        [pool, last @ ..] if last.len() == 4 && pool & POOLED_KEY != 0 => match pool & !POOLED_KEY {
            0 => (Pool::General, last),
            1 => (Pool::Contiguous, last),
            2 => (Pool::Shelved, last),
            other => (Pool::Unknown(other), last),
        },
        last => (Pool::General, last),
    };
    let last = u32::from_be_bytes(*last.as_array()?);
    if len == 0 {
        return Some((pool, None));
    }
    Some((pool, Some(Extent::ending(last, len)?)))
}

/// The space of one tree.
#[derive(Debug)]
pub struct Space {
    /// What its root says.
    pub header: SpaceHeader,
    /// Extents that it owns, those of the trees below it among them, ascending as far as their tree is in order.
    pub owned: Vec<Extent>,
    /// Those of its pages that nothing uses, by pool.
    pub available: Vec<(Pool, Extent)>,
    /// Pages kept back for the two trees of extents themselves.
    pub reserved: Vec<Extent>,
    /// Pages of the trees of extents that cannot be used.
    pub lost: Vec<Box<Lost>>,
    /// Nodes of them that are no extents.
    pub malformed: Vec<Error>,
}

impl Space {
    /// Reads the space of the tree with root `root` and object id `objid`. The error is that of the root.
    pub fn read<F: DatabaseFile>(database: &Database<F>, (root, objid): (u32, u32)) -> Result<Self> {
        let page = database.page(root)?;
        let header = SpaceHeader::of_root(page.view(), root)?;
        let mut space = Self {
            header,
            owned: Vec::new(),
            available: Vec::new(),
            reserved: Vec::new(),
            lost: Vec::new(),
            malformed: Vec::new(),
        };
        match header.kept {
            Kept::Bits(available) => {
                space.owned.extend(Extent::starting(root, header.pages));
                let free = (0..u32::BITS).filter(|bit| available >> bit & 1 == 1);
                let page = |bit| Extent::starting(root.saturating_add(1).saturating_add(bit), 1);
                space.available.extend(free.filter_map(page).map(|page| (Pool::General, page)));
            }
            Kept::Trees(owned) => {
                let mut owned_extents = Vec::new();
                space.read_tree(database, (owned, objid), &mut owned_extents);
                space.owned = owned_extents.into_iter().map(|(_, extent)| extent).collect();
                let mut available = Vec::new();
                space.read_tree(database, (owned.saturating_add(1), objid), &mut available);
                space.available = available;
            }
        }
        Ok(space)
    }

    /// Whether all of it could be read.
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.malformed.is_empty()
    }

    /// Pages that it owns.
    pub fn owned_pages(&self) -> u64 {
        self.owned.iter().map(|extent| extent.pages()).sum()
    }

    /// Pages of them that nothing uses; shelved ones, which the file does not have, are not counted.
    pub fn available_pages(&self) -> u64 {
        let there = self.available.iter().filter(|(pool, _)| *pool != Pool::Shelved);
        there.map(|(_, extent)| extent.pages()).sum()
    }

    fn read_tree<F: DatabaseFile>(
        &mut self,
        database: &Database<F>,
        (root, objid): (u32, u32),
        extents: &mut Vec<(Pool, Extent)>,
    ) {
        if let Ok(page) = database.page(root)
            && let Ok(external) = page.view().external_header()
        {
            let extent = |at| Extent::ending(u32_at(external, at)?, u32_at(external, at + 4)?);
            self.reserved.extend([0, 8].into_iter().filter_map(extent));
        }
        for entry in Tree::new(database, root, objid).entries() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(lost) => {
                    self.lost.push(lost);
                    continue;
                }
            };
            if entry.node().is_deleted() {
                continue;
            }
            match extent_of(&entry.node()) {
                Some((pool, extent)) => extents.extend(extent.map(|extent| (pool, extent))),
                None => {
                    let object = format_args!("page {}, line {}", entry.pgno(), entry.line());
                    let expected = "the last page and the number of pages";
                    let error = Error::format(object, 0, "no extent", expected);
                    self.malformed.push(error.with_jet(JET_DATABASE_CORRUPTED));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_space_header_are_read() {
        // Page 1 of basic.edb, as the reference gives it.
        let old = [0xfe, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
        let header = SpaceHeader::parse(&old).expect("a space header");
        let wanted = SpaceHeader { pages: 254, parent: 0, non_unique: false, kept: Kept::Trees(2) };
        assert_eq!(header, wanted);
        assert_eq!(SpaceHeader::parse(&[&[1], &old[..]].concat()), Some(wanted));
        assert_eq!(SpaceHeader::parse(&[&[3], &old[..], &[9; 8]].concat()), Some(wanted));
        for wrong in [vec![], vec![1], [&[2], &old[..]].concat(), [&[3], &old[..]].concat()] {
            assert_eq!(SpaceHeader::parse(&wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_extent_has_its_bounds() {
        assert_eq!(Extent::ending(254, 254), Some(Extent { first: 1, last: 254 }));
        assert_eq!(Extent::ending(254, 255), None);
        assert_eq!(Extent::ending(5, 0), None);
        assert_eq!(Extent::starting(u32::MAX, 2), None);
        assert_eq!(Extent::starting(u32::MAX, 1).map(Extent::pages), Some(1));
    }
}
