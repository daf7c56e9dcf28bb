//! Two databases held against each other by the digests of their pages: which pages differ, and to which tree of which
//! table they belong.
//!
//! Of a stream whose chunks are pages the digests stand in the catalogs, so two sets are compared without reading data.
//! Only the pages that differ are read, for the trees that they belong to, and nothing is where that is not wanted.

mod side;
mod trees;

pub use side::Side;
pub use trees::{TreeChanges, TreeKind};

use crate::error::{Class, Error, Result};
use crate::progress::Monitor;
use std::sync::atomic::Ordering;
use trees::Trees;

/// Bytes of each database whose digests are held at a time.
const WINDOW: u64 = 64 << 20;
/// Most ranges that a list of pages keeps; pages behind are counted only.
pub const MAX_RANGES: usize = 65_536;

/// How databases are compared.
#[derive(Debug, Clone, Copy)]
pub struct DiffOptions {
    /// Threads that hash.
    pub threads: usize,
    /// Say which trees the pages belong to; they are read for that.
    pub trees: bool,
}

/// Pages that follow each other and belong to one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// Number of the first page.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// Object id of the tree; `None` where it was not asked for, or the page is not in use or cannot be read.
    pub objid: Option<u32>,
}

/// Pages by ranges, at most [`MAX_RANGES`] of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageList {
    /// How many pages, those behind the end of the list included.
    pub pages: u64,
    /// The ranges, in order.
    pub ranges: Vec<Pages>,
}

impl PageList {
    fn push(&mut self, pgno: u32, objid: Option<u32>) {
        self.pages += 1;
        let follows = |r: &Pages| r.objid == objid && r.first.checked_add(r.count) == Some(pgno);
        if let Some(last) = self.ranges.last_mut().filter(|last| follows(last)) {
            last.count += 1;
        } else if self.ranges.len() < MAX_RANGES {
            self.ranges.push(Pages { first: pgno, count: 1, objid });
        }
    }
}

/// What the comparison found.
#[derive(Debug, Clone, Default)]
pub struct Diff {
    /// Page size of both, in bytes.
    pub page_size: u32,
    /// Pages that both have, header pages not counted.
    pub compared: u64,
    /// The header pages differ.
    pub header: bool,
    /// The shadow header pages differ.
    pub shadow_header: bool,
    /// Pages that both have and that differ.
    pub differing: PageList,
    /// Pages that only the first has: its file is longer.
    pub only_a: PageList,
    /// Pages that only the second has.
    pub only_b: PageList,
    /// Pages that cannot be compared: what a pool holds of them is lost.
    pub unknown: PageList,
    /// The trees to which the pages belong, by object id; pages without one come first.
    pub trees: Vec<TreeChanges>,
}

impl Diff {
    /// Are both databases known to be the same?
    pub fn is_empty(&self) -> bool {
        let lists = [&self.differing, &self.only_a, &self.only_b, &self.unknown];
        !self.header && !self.shadow_header && lists.iter().all(|list| list.pages == 0)
    }
}

/// Compares two databases.
///
/// # Errors
/// When their pages are not of one size, when a file or a catalog cannot be read, when the caller cancels. Damage on a
/// volume is not an error: the pages that it hits are `unknown`, if their contents had to be read to be compared.
pub fn diff(a: &Side, b: &Side, options: DiffOptions, monitor: &Monitor) -> Result<Diff> {
    if a.page_size() != b.page_size() {
        let sentence =
            format!("its pages have {} bytes, those of {} {}", a.page_size(), b.name(), b.page_size());
        return Err(Error::new(Class::Argument, a.name(), sentence));
    }
    let page_size = a.page_size();
    let (pages_a, pages_b) = (a.file_pages(), b.file_pages());
    let both = pages_a.min(pages_b);
    let mut diff = Diff { page_size, compared: both.saturating_sub(HEADERS), ..Diff::default() };
    let mut trees = Trees::new(a, b, options.trees);
    let window = WINDOW / u64::from(page_size);
    monitor.counters().total.store(both * u64::from(page_size), Ordering::Relaxed);
    let mut first = 0;
    while first < both {
        check_cancelled(monitor)?;
        let pages = first..both.min(first + window);
        let of_a = a.digests(pages.clone(), options.threads)?;
        let of_b = b.digests(pages.clone(), options.threads)?;
        let mut differing = Vec::new();
        for (page, (a, b)) in pages.clone().zip(of_a.iter().zip(&of_b)) {
            let Some(pgno) = page_number(page) else {
                // A header that is lost cannot be called the same.
                let header = if page == 0 { &mut diff.header } else { &mut diff.shadow_header };
                *header = a.is_none() || a != b;
                continue;
            };
            match (a, b) {
                (Some(a), Some(b)) if a == b => {}
                (Some(_), Some(_)) => differing.push(pgno),
                _ => diff.unknown.push(pgno, None),
            }
        }
        trees.differing(&differing, &mut diff.differing);
        first = pages.end;
        monitor.counters().done.store(first * u64::from(page_size), Ordering::Relaxed);
    }
    for (pages, only_a) in [(pages_a, true), (pages_b, false)] {
        let mut first = both.max(HEADERS);
        while first < pages {
            check_cancelled(monitor)?;
            let end = pages.min(first + window);
            let numbers: Vec<u32> = (first..end).filter_map(page_number).collect();
            let list = if only_a { &mut diff.only_a } else { &mut diff.only_b };
            trees.only(&numbers, only_a, list);
            first = end;
        }
    }
    diff.trees = trees.finish();
    Ok(diff)
}

/// Header pages at the beginning of a file.
const HEADERS: u64 = 2;

/// The number of a page by its place in the file; `None` for the header pages (database.md 1).
fn page_number(page: u64) -> Option<u32> {
    page.checked_sub(1).filter(|number| *number > 0).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn check_cancelled(monitor: &Monitor) -> Result<()> {
    if monitor.is_cancelled() {
        return Err(Error::new(Class::Cancelled, "diff", "stopped at your request"));
    }
    Ok(())
}
