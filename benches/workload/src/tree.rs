//! The internal pages and roots of the three trees (reference, database.md section 6).

use crate::layout::{Extent, Tree};
use crate::messages::{folder_key, message_key};
use crate::page::{Head, INDEX, LEAF, LONG_VALUE, NODE_COST, NON_UNIQUE, PARENT, PageWriter, ROOT, SPACE};
use crate::store::Store;

impl Tree {
    /// The page of the root; the owned and the available extents have the two pages behind it.
    pub(crate) fn root(self) -> u32 {
        match self {
            Tree::Messages => 32,
            Tree::LongValues => 35,
            Tree::Folders => 38,
        }
    }

    /// The object's number in the catalog.
    pub(crate) fn objid(self) -> u32 {
        match self {
            Tree::Messages => 6,
            Tree::Folders => 7,
            Tree::LongValues => 8,
        }
    }

    /// The page flags that every page of the tree has.
    pub(crate) fn flags(self) -> u32 {
        match self {
            Tree::Messages => 0,
            Tree::Folders => INDEX | NON_UNIQUE,
            Tree::LongValues => LONG_VALUE,
        }
    }
}

/// A node of a space tree: the last page of an extent and its length.
fn push_extent(writer: &mut PageWriter, last_page: u32, pages: u32) {
    writer.push(0, &last_page.to_be_bytes(), &pages.to_le_bytes());
}

/// The external header of a root whose space tree begins at page `owned`.
pub(crate) fn space_header(pages: u32, parent: u32, unique: bool, owned: u32) -> [u8; 16] {
    let mut header = [0; 16];
    for (place, value) in [pages, parent, if unique { 1 } else { 3 }, owned].into_iter().enumerate() {
        header[4 * place..4 * place + 4].copy_from_slice(&value.to_le_bytes());
    }
    header
}

/// One page of a space tree that lists `extents`, each by its last page and its length, as many as fit.
pub(crate) fn write_space(page: &mut [u8], head: Head, extents: impl IntoIterator<Item = (u32, u32)>) {
    let head = Head { flags: head.flags | ROOT | LEAF | SPACE, ..head };
    let mut writer = PageWriter::new(page, head, &[0; 16]);
    for (last_page, pages) in extents {
        if writer.room() < NODE_COST + 8 {
            break;
        }
        push_extent(&mut writer, last_page, pages);
    }
    writer.finish();
}

impl Store {
    /// The first key of a leaf: what the pages above it are sorted by.
    fn first_key(&self, tree: Tree, extent: u32, leaf: u32) -> Vec<u8> {
        match tree {
            Tree::Messages => message_key(extent, leaf, 0).to_vec(),
            Tree::Folders => folder_key(extent, leaf),
            Tree::LongValues => self.value_key(extent, leaf),
        }
    }

    /// Adds a node for each child; the last one has no key, which means "everything above".
    fn push_children(writer: &mut PageWriter, children: impl Iterator<Item = (u32, Vec<u8>)>) {
        let mut children = children.peekable();
        while let Some((child, _)) = children.next() {
            let bound = children.peek().map_or(&[][..], |(_, first_key)| first_key);
            writer.push(0, bound, &child.to_le_bytes());
        }
    }

    /// The page above the leaves of one extent.
    pub(crate) fn write_parent(&self, page: &mut [u8], head: Head, tree: Tree, extent: u32, shape: &Extent) {
        let head = Head { flags: head.flags | PARENT, ..head };
        let mut writer = PageWriter::new(page, head, &[]);
        let leaves = (0..shape.leaves).map(|leaf| (shape.leaf(leaf), self.first_key(tree, extent, leaf)));
        Self::push_children(&mut writer, leaves);
        writer.finish();
    }

    /// The page above the parents of one group of extents.
    pub(crate) fn write_ancestor(&self, page: &mut [u8], head: Head, tree: Tree, extent: u32) {
        let layout = self.layout();
        let mut writer = PageWriter::new(page, head, &[]);
        let group = (extent..extent + layout.group()).map_while(|extent| {
            layout.extent(tree, extent).map(|shape| (shape.first_page, self.first_key(tree, extent, 0)))
        });
        Self::push_children(&mut writer, group);
        writer.finish();
    }

    /// The root of a tree.
    pub(crate) fn write_root(&self, page: &mut [u8], head: Head, tree: Tree) {
        let layout = self.layout();
        let extents = layout.extents(tree);
        let flags = head.flags | ROOT | if extents == 0 { LEAF } else { 0 };
        let parent = if tree == Tree::Messages { 1 } else { Tree::Messages.root() };
        let external = space_header(3, parent, tree != Tree::Folders, tree.root() + 1);
        let mut writer = PageWriter::new(page, Head { flags, ..head }, &external);
        let ancestors = (0..extents).step_by(layout.group() as usize).filter_map(|extent| {
            layout.extent(tree, extent).map(|shape| (shape.first_page + 1, self.first_key(tree, extent, 0)))
        });
        Self::push_children(&mut writer, ancestors);
        writer.finish();
    }

    /// What a tree owns: the table everything from its root on, the others their extents.
    pub(crate) fn write_owned(&self, page: &mut [u8], head: Head, tree: Tree) {
        let layout = self.layout();
        let last = layout.last_page();
        if tree == Tree::Messages {
            return write_space(page, head, [(last, last + 1 - tree.root())]);
        }
        let own = std::iter::once((tree.root() + 2, 3));
        let extents = (0..layout.extents(tree)).filter_map(|extent| layout.extent(tree, extent));
        let extents = extents.map(|shape| (shape.first_page + shape.pages - 1, shape.pages));
        write_space(page, head, own.chain(extents));
    }
}
