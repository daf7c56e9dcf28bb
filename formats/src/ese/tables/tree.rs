//! One B+ tree, walked in key order by descent (reference, database.md section 6). Sibling links are never followed: a
//! damaged page costs what is below it and nothing beside it, and a page is entered at most once, whatever points to it.

use crate::error::Error;
use crate::ese::database::{Database, DatabaseFile, PageBytes};
use crate::ese::page::PageFlags;
use crate::ese::page::node::Node;
use std::collections::HashMap;
use std::fmt;

/// Twice the depth that the engine allows.
const MAX_DEPTH: usize = 16;
const JET_DATABASE_CORRUPTED: i32 = -1206;
/// Flags that all pages of a tree have in common: space tree, secondary index, long values.
const KIND: u32 = 0xE0;

/// A tree of a database, by the page of its root and the object id that all its pages carry.
pub struct Tree<'d, F> {
    database: &'d Database<F>,
    root: u32,
    objid: u32,
}

impl<F> Clone for Tree<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Tree<'_, F> {}

/// The keys that a page may hold. Keys are compared byte by byte; in a tree of non-unique keys the data follows the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// No key is less than this.
    pub after: Option<Vec<u8>>,
    /// All keys are less than this.
    pub before: Option<Vec<u8>>,
}

impl Bounds {
    /// The bounds that leave room for one key only.
    pub fn of_key(key: Vec<u8>) -> Self {
        let before = [key.as_slice(), &[0]].concat();
        Self { after: Some(key), before: Some(before) }
    }

    /// Whether the key lies between them.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.after.as_deref().is_none_or(|after| key >= after)
            && self.before.as_deref().is_none_or(|before| key < before)
    }
}

/// What a walk comes to.
#[derive(Debug)]
pub enum Visit {
    /// A page, before those below it.
    Page(TreePage),
    /// A page that cannot be used. The walk goes on behind it.
    Lost(Box<Lost>),
}

/// A page in its place in the tree.
#[derive(Clone, Debug)]
pub struct TreePage {
    /// The page.
    pub page: PageBytes,
    /// Steps from the root, which has 0.
    pub depth: usize,
    /// The page above it; 0 for the root.
    pub parent: u32,
    /// The keys that the pages above leave for it.
    pub bounds: Bounds,
}

impl TreePage {
    /// Whether it holds records, not the numbers of other pages.
    pub fn is_leaf(&self) -> bool {
        self.page.view().flags().is_leaf()
    }
}

/// A page that cannot be used, and with it everything below it.
#[derive(Debug)]
pub struct Lost {
    /// The page. Where one line of an internal page cannot be read it is that page, and only the child of the line is lost.
    pub pgno: u32,
    /// The page above it; 0 for the root.
    pub parent: u32,
    /// The keys that are lost with it.
    pub bounds: Bounds,
    /// What is wrong.
    pub error: Error,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {} is lost ({}): {}", self.pgno, self.bounds, self.error)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.after, &self.before) {
            (None, None) => f.write_str("all keys"),
            (Some(after), None) => write!(f, "keys from {}", Hex(after)),
            (None, Some(before)) => write!(f, "keys below {}", Hex(before)),
            (Some(after), Some(before)) => write!(f, "keys from {} to below {}", Hex(after), Hex(before)),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<'d, F: DatabaseFile> Tree<'d, F> {
    /// The tree below page `root`. Page 0 stands for a tree that does not exist, and has no entries.
    pub fn new(database: &'d Database<F>, root: u32, objid: u32) -> Self {
        Self { database, root, objid }
    }

    /// The database that it is in.
    pub fn database(&self) -> &'d Database<F> {
        self.database
    }

    /// All pages, each before those below it, leaves in key order.
    pub fn walk(&self) -> Walk<'d, F> {
        self.walk_range(Vec::new(), None)
    }

    /// All entries in key order, those flagged deleted among them.
    pub fn entries(&self) -> Entries<'d, F> {
        self.range(Vec::new(), None)
    }

    /// The entries whose keys are not less than `from` and less than `until`.
    pub fn range(&self, from: Vec<u8>, until: Option<Vec<u8>>) -> Entries<'d, F> {
        Entries { walk: self.walk_range(from, until), leaf: None }
    }

    /// The entry with this key, unless it is flagged deleted. The error is that of the first page on the way that cannot
    /// be used.
    pub fn seek(&self, key: &[u8]) -> Result<Option<Entry>, Box<Lost>> {
        for entry in self.range(key.to_vec(), Bounds::of_key(key.to_vec()).before) {
            let entry = entry?;
            if !entry.node().is_deleted() {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn walk_range(&self, from: Vec<u8>, until: Option<Vec<u8>>) -> Walk<'d, F> {
        Walk {
            tree: *self,
            kind: 0,
            from,
            until,
            started: false,
            above: Vec::new(),
            visited: Visited::default(),
        }
    }
}

/// A walk over a tree; see [`Tree::walk`].
pub struct Walk<'d, F> {
    tree: Tree<'d, F>,
    /// [`KIND`] flags of the root.
    kind: u32,
    from: Vec<u8>,
    until: Option<Vec<u8>>,
    started: bool,
    above: Vec<Internal>,
    visited: Visited,
}

/// An internal page whose children are being visited.
struct Internal {
    page: TreePage,
    /// The line of the next child.
    line: usize,
    /// Lower bound of the next child.
    after: Option<Vec<u8>>,
}

/// A page that another one names.
struct Child {
    pgno: u32,
    parent: u32,
    /// Flags of the parent; `None` for the root.
    above: Option<PageFlags>,
    bounds: Bounds,
}

impl<F: DatabaseFile> Iterator for Walk<'_, F> {
    type Item = Visit;

    fn next(&mut self) -> Option<Visit> {
        if !self.started {
            self.started = true;
            if self.tree.root == 0 {
                return None;
            }
            let root = Child { pgno: self.tree.root, parent: 0, above: None, bounds: Bounds::default() };
            return Some(self.visit(root));
        }
        loop {
            let internal = self.above.last_mut()?;
            match internal.next_child(&self.from, self.until.as_deref()) {
                Some(Ok(child)) => return Some(self.visit(child)),
                Some(Err(lost)) => return Some(Visit::Lost(lost)),
                None => self.above.pop(),
            };
        }
    }
}

impl<F: DatabaseFile> Walk<'_, F> {
    fn visit(&mut self, child: Child) -> Visit {
        let page = match self.enter(&child) {
            Ok(page) => page,
            Err(error) => {
                let Child { pgno, parent, bounds, .. } = child;
                return Visit::Lost(Box::new(Lost { pgno, parent, bounds, error }));
            }
        };
        let flags = page.view().flags();
        let page = TreePage { page, depth: self.above.len(), parent: child.parent, bounds: child.bounds };
        if !flags.is_leaf() && !flags.is_preinitialised() {
            let internal = Internal { after: page.bounds.after.clone(), page: page.clone(), line: 0 };
            if flags.is_parent_of_leaf() {
                self.expect(&internal);
            }
            self.above.push(internal);
        }
        Visit::Page(page)
    }

    /// The page, if it is what its parent says.
    fn enter(&mut self, child: &Child) -> Result<PageBytes, Error> {
        let pgno = child.pgno;
        let wrong = |found: &dyn fmt::Display, expected: &dyn fmt::Display| {
            Err(Error::format(format_args!("page {pgno}"), 36, found, expected)
                .with_jet(JET_DATABASE_CORRUPTED))
        };
        if self.above.len() >= MAX_DEPTH {
            return wrong(&"a page so deep in its tree", &format_args!("at most {MAX_DEPTH} levels"));
        }
        let page = self.tree.database.page(pgno)?;
        if !self.visited.add(pgno) {
            return wrong(&"a page that the tree names twice", &"each page once");
        }
        let (objid, flags) = (page.view().objid(), page.view().flags());
        if objid != self.tree.objid {
            return wrong(&format_args!("object {objid}"), &format_args!("object {}", self.tree.objid));
        }
        if flags.is_root() != child.above.is_none() {
            let expected = if child.above.is_none() { "a root" } else { "no root" };
            return wrong(&format_args!("flags {:#x}", flags.0), &expected);
        }
        if flags.is_leaf() && flags.is_parent_of_leaf() {
            return wrong(&format_args!("flags {:#x}", flags.0), &"a leaf or a parent of leaves");
        }
        let Some(above) = child.above else {
            self.kind = flags.0 & KIND;
            return Ok(page);
        };
        if flags.0 & KIND != self.kind || flags.is_leaf() != above.is_parent_of_leaf() {
            let level = if above.is_parent_of_leaf() { "a leaf" } else { "no leaf" };
            let expected = format_args!("{level} of a tree of kind {:#x}", self.kind);
            return wrong(&format_args!("flags {:#x}", flags.0), &expected);
        }
        Ok(page)
    }

    /// Announces the leaves that will be visited. What fails here fails again, with the page's name, when it is read.
    fn expect(&self, parent: &Internal) {
        let last = self.tree.database.last_page_in_file();
        let mut ahead = Internal { page: parent.page.clone(), line: 0, after: parent.after.clone() };
        let children = std::iter::from_fn(|| ahead.next_child(&self.from, self.until.as_deref()));
        let pages =
            children.filter_map(|child| child.ok().map(|child| child.pgno)).filter(|pgno| *pgno <= last);
        let _ = self.tree.database.expect(pages);
    }
}

impl Internal {
    /// The next child that may hold keys in the range.
    fn next_child(&mut self, from: &[u8], until: Option<&[u8]>) -> Option<Result<Child, Box<Lost>>> {
        let view = self.page.page.view();
        while self.line < view.line_count() {
            if let (Some(after), Some(until)) = (&self.after, until)
                && after.as_slice() >= until
            {
                return None;
            }
            let line = self.line;
            self.line += 1;
            let named =
                view.node(line).and_then(|node| Ok((node.key(), child_of(&node, self.page.page.pgno())?)));
            let after = self.after.clone();
            let (key, pgno) = match named {
                Ok(named) => named,
                Err(error) => {
                    let bounds = Bounds { after, before: self.page.bounds.before.clone() };
                    let (pgno, parent) = (self.page.page.pgno(), self.page.parent);
                    return Some(Err(Box::new(Lost { pgno, parent, bounds, error })));
                }
            };
            // An empty key stands for no bound but that of the page itself.
            let bounds = if key.is_empty() {
                Bounds { after, before: self.page.bounds.before.clone() }
            } else {
                self.after = Some(key.clone());
                if key.as_slice() <= from {
                    continue;
                }
                Bounds { after, before: Some(key) }
            };
            return Some(Ok(Child {
                pgno,
                parent: self.page.page.pgno(),
                above: Some(view.flags()),
                bounds,
            }));
        }
        None
    }
}

/// The page that a node of an internal page names.
fn child_of(node: &Node<'_>, pgno: u32) -> Result<u32, Error> {
    match node.data().as_array() {
        Some(child) => Ok(u32::from_le_bytes(*child)),
        None => {
            let found = format_args!("{} bytes beside a key", node.data().len());
            Err(Error::format(format_args!("page {pgno}"), 0, found, "the 4 bytes of a page number")
                .with_jet(JET_DATABASE_CORRUPTED))
        }
    }
}

/// The entries of a tree in key order; see [`Tree::range`].
pub struct Entries<'d, F> {
    walk: Walk<'d, F>,
    leaf: Option<(TreePage, usize)>,
}

/// A node of a leaf.
#[derive(Clone, Debug)]
pub struct Entry {
    page: PageBytes,
    line: usize,
}

impl Entry {
    /// The page that it stands on.
    pub fn pgno(&self) -> u32 {
        self.page.pgno()
    }

    /// Its line on the page, counted from 0.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The flags of its page.
    pub fn page_flags(&self) -> PageFlags {
        self.page.view().flags()
    }

    /// Whether its page is over 8 KiB, where records have another form.
    pub fn on_large_page(&self) -> bool {
        self.page.view().is_large()
    }

    /// Its key and data.
    pub fn node(&self) -> Node<'_> {
        self.page.view().node(self.line).expect("entries are made of nodes that could be read")
    }
}

impl<F: DatabaseFile> Iterator for Entries<'_, F> {
    type Item = Result<Entry, Box<Lost>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some((leaf, next)) = &mut self.leaf {
                let view = leaf.page.view();
                let line = *next;
                if line >= view.line_count() {
                    self.leaf = None;
                    break;
                }
                *next += 1;
                let key = match view.node(line) {
                    Ok(node) => node.key(),
                    Err(error) => {
                        let (pgno, parent) = (leaf.page.pgno(), leaf.parent);
                        let bounds = leaf.bounds.clone();
                        return Some(Err(Box::new(Lost { pgno, parent, bounds, error })));
                    }
                };
                let behind = self.walk.until.as_ref().is_some_and(|until| key >= *until);
                if key >= self.walk.from && !behind {
                    return Some(Ok(Entry { page: leaf.page.clone(), line }));
                }
            }
            match self.walk.next()? {
                Visit::Page(page) if page.is_leaf() => self.leaf = Some((page, 0)),
                Visit::Page(_) => {}
                Visit::Lost(lost) => return Some(Err(lost)),
            }
        }
    }
}

/// Pages that a walk has entered: bits in blocks of 4,096, made when they are needed.
#[derive(Default)]
pub(super) struct Visited(HashMap<u32, Box<[u64; 64]>>);

impl Visited {
    /// Answers whether the page was not there yet.
    pub fn add(&mut self, pgno: u32) -> bool {
        let block = self.0.entry(pgno / 4096).or_insert_with(|| Box::new([0; 64]));
        let (word, bit) = (&mut block[pgno as usize / 64 % 64], 1 << (pgno % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}
