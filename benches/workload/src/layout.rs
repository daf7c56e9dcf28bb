//! Which page belongs to which tree, and who its neighbours are.
//!
//! Behind the system pages every day's pages are cut into extents of 64. An extent belongs to one tree: its first page
//! is an internal page and the rest are the leaves below it. A tree only grows at its right end, so a page keeps its place
//! and its neighbours for good; only the last leaf, the ancestors and the root of a tree notice a day's growth.

use crate::random::hash;

/// The first page of the first extent; the pages before it are roots, space trees and the catalog.
pub(crate) const FIRST_EXTENT_PAGE: u32 = 41;
/// The system pages that say how far the file and its trees reach: roots, and the owned extents of each tree.
const GROWING_PAGES: [u32; 7] = [2, 32, 33, 35, 36, 38, 39];
const EXTENT: u32 = 64;
/// A remainder of fewer pages stays unused.
const SMALLEST_EXTENT: u32 = 4;
/// Extents of all trees repeat in this cycle.
const CYCLE: u32 = 16;
const MESSAGE_PLACES: [u32; 2] = [2, 10];
const FOLDER_PLACES: [u32; 1] = [3];
const LONG_VALUE_PLACES: [u32; 13] = [0, 1, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15];
/// Of 100 full extents so many leave their last page unused: about 1 % of all pages.
const UNUSED_PERCENT: u64 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    Messages,
    Folders,
    LongValues,
}

impl Tree {
    pub(crate) const ALL: [Tree; 3] = [Tree::Messages, Tree::LongValues, Tree::Folders];

    fn places(self) -> &'static [u32] {
        match self {
            Tree::Messages => &MESSAGE_PLACES,
            Tree::Folders => &FOLDER_PLACES,
            Tree::LongValues => &LONG_VALUE_PLACES,
        }
    }

    /// The tree that owns extent `extent` of the file, and the extent's number in that tree.
    fn of_extent(extent: u32) -> (Tree, u32) {
        let (cycle, place) = (extent / CYCLE, extent % CYCLE);
        let tree = match place {
            2 | 10 => Tree::Messages,
            3 => Tree::Folders,
            _ => Tree::LongValues,
        };
        let before = tree.places().iter().filter(|&&other| other < place).count() as u32;
        (tree, cycle * tree.places().len() as u32 + before)
    }

    /// The number in the file of extent `ordinal` of this tree.
    pub(crate) fn extent(self, ordinal: u32) -> u32 {
        let places = self.places();
        let count = places.len() as u32;
        ordinal / count * CYCLE + places[(ordinal % count) as usize]
    }

    /// The long-value extents whose values the messages of extent `extent` name: those between it and the message
    /// extent before it.
    pub(crate) fn values_named_by(extent: u32) -> impl Iterator<Item = u32> {
        let here = Tree::Messages.extent(extent);
        let before = extent.checked_sub(1).map_or(0, |before| Tree::Messages.extent(before) + 1);
        (before..here)
            .map(Tree::of_extent)
            .filter(|(tree, _)| *tree == Tree::LongValues)
            .map(|(_, extent)| extent)
    }
}

/// The pages that one day added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    first_page: u32,
    pages: u32,
    first_extent: u32,
    extents: u32,
}

impl Region {
    fn new(first_page: u32, pages: u32, first_extent: u32) -> Self {
        let extents = pages / EXTENT + u32::from(pages % EXTENT >= SMALLEST_EXTENT);
        Region { first_page, pages, first_extent, extents }
    }

    pub(crate) fn pages(&self) -> std::ops::Range<u32> {
        self.first_page..self.first_page + self.pages
    }
}

/// A run of pages of one tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) first_page: u32,
    pub(crate) pages: u32,
    /// The number of the day that added it.
    pub(crate) day: u32,
    /// Pages before the first leaf.
    heads: u32,
    /// Leaves, all behind each other.
    pub(crate) leaves: u32,
}

impl Extent {
    pub(crate) fn leaf(&self, leaf: u32) -> u32 {
        self.first_page + self.heads + leaf
    }

    pub(crate) fn last_leaf(&self) -> u32 {
        self.leaf(self.leaves - 1)
    }
}

/// What a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A root, a space tree or the catalog.
    System,
    /// Never written: all zero.
    Unused,
    /// Leaf `leaf` of extent `extent` of a tree.
    Leaf { tree: Tree, extent: u32, leaf: u32 },
    /// The page above the leaves of extent `extent`.
    Parent { tree: Tree, extent: u32 },
    /// The page above the parents of the [`Layout::group`] extents from `extent` on.
    Ancestor { tree: Tree, extent: u32 },
}

/// The pages of a file on one day. Extents of a tree are meant by their number in that tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    seed: u64,
    page_size: u32,
    regions: Vec<Region>,
}

impl Layout {
    /// A file whose last page is `last_page`.
    pub(crate) fn new(seed: u64, page_size: u32, last_page: u32) -> Self {
        let first = Region::new(FIRST_EXTENT_PAGE, last_page + 1 - FIRST_EXTENT_PAGE, 0);
        Layout { seed, page_size, regions: vec![first] }
    }

    pub(crate) fn grow(&mut self, pages: u32) {
        let last = self.last_region();
        let next = Region::new(last.first_page + last.pages, pages, last.first_extent + last.extents);
        self.regions.push(next);
    }

    /// The layout of the day before; `None` on day 0.
    pub(crate) fn previous(&self) -> Option<Layout> {
        let (_, before) = self.regions.split_last()?;
        (!before.is_empty()).then(|| Layout { regions: before.to_vec(), ..self.clone() })
    }

    /// The pages that the newest day added.
    pub(crate) fn last_region(&self) -> Region {
        *self.regions.last().expect("a layout begins with the region of day 0")
    }

    pub(crate) fn last_page(&self) -> u32 {
        self.last_region().pages().end - 1
    }

    /// The most pages of a file: what one root of the tree with the most extents can hold, with keys of four bytes,
    /// and what document numbers of 31 bits can count.
    pub(crate) fn most_pages(page_size: u32) -> u32 {
        let ancestors = page_size / 14 - 8;
        (ancestors * (page_size / 64)).saturating_mul(EXTENT).min(1 << 26)
    }

    /// Extents below one ancestor: as many as fit on its page with room to spare.
    pub(crate) fn group(&self) -> u32 {
        self.page_size / 64
    }

    /// Extent `extent` of `tree`, if the file has it.
    pub(crate) fn extent(&self, tree: Tree, extent: u32) -> Option<Extent> {
        let number = tree.extent(extent);
        let day = self.regions.partition_point(|region| region.first_extent + region.extents <= number);
        let region = self.regions.get(day)?;
        let skipped = EXTENT * (number - region.first_extent);
        let pages = (region.pages - skipped).min(EXTENT);
        let unused = pages == EXTENT && hash(&[self.seed, 0xE4, u64::from(number)]) % 100 < UNUSED_PERCENT;
        let heads = 1 + u32::from(extent.is_multiple_of(self.group()));
        Some(Extent {
            first_page: region.first_page + skipped,
            pages,
            day: day as u32,
            heads,
            leaves: pages - heads - u32::from(unused),
        })
    }

    /// How many extents a tree has.
    pub(crate) fn extents(&self, tree: Tree) -> u32 {
        let last = self.last_region();
        let all = last.first_extent + last.extents;
        let places = tree.places();
        let open = places.iter().filter(|&&place| place < all % CYCLE).count();
        all / CYCLE * places.len() as u32 + open as u32
    }

    pub(crate) fn role(&self, page: u32) -> Role {
        if page < FIRST_EXTENT_PAGE {
            return Role::System;
        }
        let day = self.regions.partition_point(|region| region.pages().end <= page);
        let Some(region) = self.regions.get(day) else { return Role::Unused };
        let offset = page - region.first_page;
        if offset / EXTENT >= region.extents {
            return Role::Unused;
        }
        let (tree, extent) = Tree::of_extent(region.first_extent + offset / EXTENT);
        let Some(shape) = self.extent(tree, extent) else { return Role::Unused };
        match offset % EXTENT {
            0 => Role::Parent { tree, extent },
            place if place < shape.heads => Role::Ancestor { tree, extent },
            place if place < shape.heads + shape.leaves => {
                Role::Leaf { tree, extent, leaf: place - shape.heads }
            }
            _ => Role::Unused,
        }
    }

    /// The leaves before and behind a leaf; 0 for none.
    pub(crate) fn neighbours(&self, tree: Tree, extent: u32, leaf: u32) -> (u32, u32) {
        let Some(here) = self.extent(tree, extent) else { return (0, 0) };
        let prev = match (leaf, extent) {
            (0, 0) => 0,
            (0, _) => self.extent(tree, extent - 1).map_or(0, |before| before.last_leaf()),
            _ => here.leaf(leaf - 1),
        };
        let next = if leaf + 1 < here.leaves {
            here.leaf(leaf + 1)
        } else {
            self.extent(tree, extent + 1).map_or(0, |behind| behind.leaf(0))
        };
        (prev, next)
    }

    /// The newest day that changed the shape of `page`: added it, gave it a neighbour or a child.
    pub(crate) fn shaped_on(&self, page: u32) -> u32 {
        let newest = |tree, first: u32, end: u32| {
            let last = end.min(self.extents(tree)).max(first + 1) - 1;
            self.extent(tree, last).map_or(0, |extent| extent.day)
        };
        match self.role(page) {
            Role::System if GROWING_PAGES.contains(&page) => {
                self.regions.iter().rposition(|region| region.pages > 0).unwrap_or(0) as u32
            }
            Role::System | Role::Unused => 0,
            Role::Parent { tree, extent } => newest(tree, extent, extent + 1),
            Role::Ancestor { tree, extent } => newest(tree, extent, extent + self.group()),
            Role::Leaf { tree, extent, .. } => {
                let last = self.extent(tree, extent).is_some_and(|here| here.last_leaf() == page);
                newest(tree, extent, extent + 1 + u32::from(last))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_of_the_file_and_its_number_in_its_tree_name_each_other() {
        for number in 0..200 {
            let (tree, ordinal) = Tree::of_extent(number);
            assert_eq!(tree.extent(ordinal), number);
        }
    }

    #[test]
    fn every_leaf_is_linked_in_both_directions() {
        let mut layout = Layout::new(1, 4096, 3000);
        layout.grow(131);
        layout.grow(3);
        layout.grow(700);
        for page in FIRST_EXTENT_PAGE..=layout.last_page() {
            let Role::Leaf { tree, extent, leaf } = layout.role(page) else { continue };
            let (prev, next) = layout.neighbours(tree, extent, leaf);
            if let Role::Leaf { tree: other, extent, leaf } = layout.role(next) {
                assert_eq!((other, layout.neighbours(other, extent, leaf).0), (tree, page));
            } else {
                assert_eq!(next, 0);
            }
            if let Role::Leaf { tree, extent, leaf } = layout.role(prev) {
                assert_eq!(layout.neighbours(tree, extent, leaf).1, page);
            }
        }
    }

    #[test]
    fn growth_changes_the_role_of_no_page() {
        let before = Layout::new(9, 32768, 1111);
        let mut after = before.clone();
        after.grow(333);
        for page in 0..=before.last_page() {
            assert_eq!(before.role(page), after.role(page));
        }
        assert_eq!(after.previous(), Some(before));
    }
}
