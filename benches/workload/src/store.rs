//! A store on one day: every byte of its file follows from a few numbers.

use std::sync::Arc;

use crate::dictionary::Dictionary;
use crate::layout::{FIRST_EXTENT_PAGE, Layout, Role, Tree};
use crate::log::{Logs, Span};
use crate::messages::leaf_prefix;
use crate::page::{Head, LEAF, PageWriter, seal};
use crate::random::{Random, hash};

/// The page size of [`Store::new`].
const PAGE_SIZE: u32 = 32768;
/// The header page and its shadow.
pub(crate) const HEADER_PAGES: u32 = 2;
/// System pages and one extent of each of the first kinds.
const FEWEST_PAGES: u32 = FIRST_EXTENT_PAGE + 16;

/// A mail-store-like database on one day, described by a few numbers; no page of it is held in memory.
///
/// Two stores made by the same calls have the same bytes.
#[derive(Clone, Debug)]
pub struct Store {
    seed: u64,
    bytes: u64,
    page_size: u32,
    layout: Layout,
    /// For each day: how many of 1,000 pages were changed, and the logs.
    days: Vec<Day>,
    dictionary: Arc<Dictionary>,
}

#[derive(Clone, Copy, Debug)]
struct Day {
    changed_per_mille: u32,
    logs: Span,
}

/// The time, in the database's own count, of the last change of a page that was changed on `day`.
pub(crate) fn dbtime(page: u32, day: u32) -> u64 {
    u64::from(day + 1) << 40 | u64::from(page) << 11 | 0x7FF
}

impl Store {
    /// A store of about `bytes` bytes (rounded down to whole pages, header pages included; at least 57 pages) on its
    /// first day, with 32 KiB pages.
    pub fn new(seed: u64, bytes: u64) -> Store {
        Self::of_size(seed, bytes, PAGE_SIZE, Arc::new(Dictionary::new(seed)))
    }

    /// The same store with another page size: 4096, 8192, 16384 or 32768. Starts again at day 0. A store never has more
    /// pages than the roots of its trees have room for: 4.7 GB of 4 KiB pages, 38 GB, 311 GB or 2.2 TB of the larger ones.
    ///
    /// # Panics
    /// On any other page size.
    pub fn with_page_size(self, page_size: u32) -> Store {
        assert!(
            [4096, 8192, 16384, 32768].contains(&page_size),
            "page size {page_size}, expected 4, 8, 16 or 32 KiB"
        );
        Self::of_size(self.seed, self.bytes, page_size, self.dictionary)
    }

    fn of_size(seed: u64, bytes: u64, page_size: u32, dictionary: Arc<Dictionary>) -> Store {
        let pages = (bytes / u64::from(page_size))
            .clamp(u64::from(FEWEST_PAGES), u64::from(Layout::most_pages(page_size)))
            as u32;
        let days = vec![Day { changed_per_mille: 0, logs: Span { first: 1, count: 1 } }];
        let layout = Layout::new(seed, page_size, pages - HEADER_PAGES);
        Store { seed, bytes, page_size, layout, days, dictionary }
    }

    /// The same store, its newest day's work logged in `bytes` bytes (rounded up to whole files of 1 MiB) from
    /// generation `first` on. Only the positions in the database header and the logs differ. The next day's logs follow.
    pub fn with_logs(mut self, first: u32, bytes: u64) -> Store {
        let logs = Span::new(first, bytes);
        if let Some(day) = self.days.last_mut() {
            day.logs = logs;
        }
        self
    }

    /// The store a day later. Of 1,000 pages `changed_per_mille` are changed in place (only leaves are, and at most all
    /// of them); the file grows by `grow_per_mille` thousandths. The day's logs are as large as the growth.
    pub fn next_day(&self, changed_per_mille: u32, grow_per_mille: u32) -> Store {
        let mut next = self.clone();
        let room = Layout::most_pages(self.page_size) - self.pages();
        let grown = u64::from(self.pages()) * u64::from(grow_per_mille) / 1000;
        let grown = grown.min(u64::from(room)) as u32;
        next.layout.grow(grown);
        let first = self.days.last().map_or(1, |day| day.logs.first + day.logs.count);
        let logs = Span::new(first, u64::from(grown) * u64::from(self.page_size));
        next.days.push(Day { changed_per_mille, logs });
        next
    }

    /// The store of the day before; `None` on day 0.
    pub(crate) fn previous(&self) -> Option<Store> {
        let mut before = self.clone();
        before.layout = self.layout.previous()?;
        before.days.pop();
        Some(before)
    }

    /// Bytes of the file.
    #[expect(clippy::len_without_is_empty, reason = "a store is never empty")]
    pub fn len(&self) -> u64 {
        u64::from(self.pages()) * u64::from(self.page_size)
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// How many days came before this one.
    pub fn day(&self) -> u32 {
        self.days.len() as u32 - 1
    }

    /// The logs of the newest day: those that the database header names.
    pub fn logs(&self) -> Logs {
        Logs::new(self, self.days.last().map_or(Span::new(1, 0), |day| day.logs))
    }

    /// The pages, by number, that differ from the same page the day before, in ascending order; added pages are not
    /// among them. None on day 0.
    pub fn changed_pages(&self) -> impl Iterator<Item = u32> {
        let before = self.previous();
        let last = before.as_ref().map_or(0, |before| before.layout.last_page());
        (1..=last).filter(move |&page| before.as_ref().is_some_and(|before| self.differs(before, page)))
    }

    /// Whether a page that both have is another one than on an earlier day.
    pub(crate) fn differs(&self, earlier: &Store, page: u32) -> bool {
        self.newest_change(page) != earlier.newest_change(page)
    }

    /// Whether `earlier` is this store on this or an earlier day.
    pub(crate) fn continues(&self, earlier: &Store) -> bool {
        let mut store = self.clone();
        while store.day() > earlier.day() {
            let Some(before) = store.previous() else { return false };
            store = before;
        }
        let changes = |store: &Store| store.days.iter().map(|day| day.changed_per_mille).collect::<Vec<_>>();
        store.seed == earlier.seed && store.layout == earlier.layout && changes(&store) == changes(earlier)
    }

    /// Pages of the file, header pages included.
    pub(crate) fn pages(&self) -> u32 {
        self.layout.last_page() + HEADER_PAGES
    }

    /// Database pages of the first day.
    pub(crate) fn first_day_pages(&self) -> u32 {
        let mut first = self.layout.clone();
        while let Some(before) = first.previous() {
            first = before;
        }
        first.last_page()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// The days after `born` on which a leaf was edited.
    fn edits(&self, page: u32, born: u32) -> impl DoubleEndedIterator<Item = u32> {
        (born + 1..self.days.len() as u32).filter(move |&day| {
            let draw = hash(&[self.seed, 0xDA1, u64::from(page), u64::from(day)]) % 1000;
            draw < u64::from(self.days[day as usize].changed_per_mille)
        })
    }

    /// The newest day on which the page became what it is.
    pub(crate) fn newest_change(&self, page: u32) -> u32 {
        let shaped = self.layout.shaped_on(page);
        let Role::Leaf { tree, extent, .. } = self.layout.role(page) else { return shaped };
        let born = self.layout.extent(tree, extent).map_or(0, |shape| shape.day);
        self.edits(page, born).next_back().map_or(shaped, |edited| edited.max(shaped))
    }

    /// Fills `out`, one page long, with page `index` of the file; 0 and 1 are the header pages.
    pub(crate) fn write_file_page(&self, index: u32, out: &mut [u8]) {
        if index < HEADER_PAGES {
            self.write_header(out);
        } else {
            self.write_page(index + 1 - HEADER_PAGES, out);
        }
    }

    /// Fills `out`, one page long, with database page `page`.
    pub(crate) fn write_page(&self, page: u32, out: &mut [u8]) {
        let dbtime = dbtime(page, self.newest_change(page));
        let head = |tree: Tree| Head { dbtime, prev: 0, next: 0, objid: tree.objid(), flags: tree.flags() };
        let written = match self.layout.role(page) {
            Role::System => self.write_system(out, dbtime, page),
            Role::Unused => false,
            Role::Leaf { tree, extent, leaf } => {
                self.write_leaf(out, head(tree), page, (tree, extent, leaf));
                true
            }
            Role::Parent { tree, extent } => {
                let shape = self.layout.extent(tree, extent);
                shape.inspect(|shape| self.write_parent(out, head(tree), tree, extent, shape)).is_some()
            }
            Role::Ancestor { tree, extent } => {
                self.write_ancestor(out, head(tree), tree, extent);
                true
            }
        };
        if written {
            seal(out, page);
        } else {
            out.fill(0);
        }
    }

    fn write_leaf(&self, out: &mut [u8], head: Head, page: u32, (tree, extent, leaf): (Tree, u32, u32)) {
        let (prev, next) = self.layout.neighbours(tree, extent, leaf);
        let head = Head { prev, next, flags: head.flags | LEAF, ..head };
        let mut writer = PageWriter::new(out, head, &leaf_prefix(tree, extent, leaf));
        match tree {
            Tree::Messages => self.fill_messages(&mut writer, extent, leaf),
            Tree::Folders => self.fill_folders(&mut writer, extent, leaf),
            Tree::LongValues => self.fill_values(&mut writer, extent, leaf),
        }
        writer.finish();
        let born = self.layout.extent(tree, extent).map_or(0, |shape| shape.day);
        for day in self.edits(page, born) {
            let mut random = Random::new(hash(&[self.seed, 0xED17, u64::from(page), u64::from(day)]));
            match tree {
                Tree::Messages => Self::edit_messages(out, &mut random, day),
                Tree::Folders => Self::edit_folders(out, &mut random),
                Tree::LongValues => self.edit_values(out, &mut random),
            }
        }
    }
}
