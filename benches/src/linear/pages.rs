//! A database of any length that is made as it is read, as fast as memory is copied.
//!
//! Its header, space and catalog pages are those of a generated store. Each other page is one of some leaf pages of such a store
//! with a count of its own, its number and its checksum: all pages differ, but neighbours hardly do, so that they
//! are stored in less than a tenth of their bytes.

use reel_engine::attributes::Attributes;
use reel_engine::source::{PositionedRead, Source};
use reel_formats::ese::page::checksum;
use reel_workload::Store;
use std::ops::Range;
use std::sync::Arc;

/// Pages that are taken from the store as they are: header, roots, space trees, catalog.
const SYSTEM: u64 = 64;
/// Leaf pages that the others are made from.
const TEMPLATES: u64 = 512;
/// So many neighbours are made from the same one: more than a frame holds.
const ALIKE: u64 = 32;
/// Of 1,000 pages so many change in a day.
const CHANGED: u64 = 10;
/// Where a page has the count of the change that made it what it is.
const DBTIME: Range<usize> = 8..16;

/// How a stream may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// One byte after the other, as from a program that delivers them.
    Pulled,
    /// At any place, as from a file.
    Anywhere,
}

impl Reading {
    /// What stands for it in the arguments of a step.
    pub fn letter(self) -> &'static str {
        match self {
            Reading::Pulled => "p",
            Reading::Anywhere => "a",
        }
    }

    /// What a letter stands for.
    pub fn of_letter(letter: &str) -> Option<Reading> {
        [Reading::Pulled, Reading::Anywhere].into_iter().find(|reading| reading.letter() == letter)
    }
}

/// The bytes of one day.
struct Pages {
    store: Store,
    templates: Vec<u8>,
    day: u32,
}

impl Pages {
    fn new(bytes: u64, day: u32) -> Pages {
        let store = Store::new(1, bytes);
        let size = store.page_size() as usize;
        let leaves = Store::new(2, (2 * TEMPLATES + SYSTEM) * size as u64);
        let mut templates = Vec::with_capacity(TEMPLATES as usize * size);
        let mut page = vec![0; size];
        for index in SYSTEM.. {
            if templates.len() == templates.capacity() {
                break;
            }
            leaves.read_at(&mut page, index * size as u64);
            if !checksum::is_zero(&page) {
                templates.extend_from_slice(&page);
            }
        }
        Pages { store, templates, day }
    }

    /// The newest day on which a page changed; 0 if it never did.
    fn changed(&self, index: u64) -> u32 {
        let drawn = |day: u32| {
            let mut draw = (index << 8 | u64::from(day)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            draw = (draw ^ draw >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (draw >> 32) % 1000 < CHANGED
        };
        (1..=self.day).rev().find(|day| drawn(*day)).unwrap_or(0)
    }

    /// Fills `page` with page `index` of the file.
    fn make(&self, index: u64, page: &mut [u8]) {
        let size = page.len();
        if index < SYSTEM {
            self.store.read_at(page, index * size as u64);
            return;
        }
        let template = (index / ALIKE % TEMPLATES) as usize * size;
        page.copy_from_slice(&self.templates[template..template + size]);
        let count = 1 << 56 | index << 8 | u64::from(self.changed(index));
        page[DBTIME].copy_from_slice(&count.to_le_bytes());
        // The header page and its shadow come before page 1.
        checksum::store(page, index as u32 - 1).expect("a page of the store has a page's length");
    }

    fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let size = u64::from(self.store.page_size());
        let wanted = self.store.len().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (mut rest, mut at) = (&mut buf[..wanted], offset);
        let mut spare = Vec::new();
        while !rest.is_empty() {
            let skip = (at % size) as usize;
            let (now, later) = rest.split_at_mut((size as usize - skip).min(rest.len()));
            if now.len() as u64 == size {
                self.make(at / size, now);
            } else {
                spare.resize(size as usize, 0);
                self.make(at / size, &mut spare);
                now.copy_from_slice(&spare[skip..skip + now.len()]);
            }
            at += now.len() as u64;
            rest = later;
        }
        wanted
    }
}

impl PositionedRead for Pages {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> reel_engine::Result<usize> {
        Ok(self.read(buf, offset))
    }
}

/// The stream that is backed up.
pub struct Stream {
    pages: Arc<Pages>,
    attributes: Attributes,
    reading: Reading,
    at: u64,
}

impl Stream {
    /// About `bytes` bytes, as they are on a day.
    pub fn new(bytes: u64, day: u32, reading: Reading) -> Stream {
        let pages = Arc::new(Pages::new(bytes, day));
        Stream { pages, attributes: Attributes::pushed(), reading, at: 0 }
    }
}

impl Source for Stream {
    fn name(&self) -> &[u8] {
        b"linear.edb"
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn len(&self) -> Option<u64> {
        Some(self.pages.store.len())
    }

    fn read(&mut self, buf: &mut [u8]) -> reel_engine::Result<usize> {
        let got = self.pages.read(buf, self.at);
        self.at += got as u64;
        Ok(got)
    }

    fn positioned(&self) -> Option<Arc<dyn PositionedRead>> {
        (self.reading == Reading::Anywhere).then(|| self.pages.clone() as Arc<dyn PositionedRead>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use checksum::PageState;

    #[test]
    fn every_page_is_good_and_differs_from_all_others_and_a_hundredth_changes_in_a_day() {
        let [monday, tuesday] = [0, 1].map(|day| Pages::new(64 << 20, day));
        let size = monday.store.page_size() as usize;
        let mut seen = std::collections::HashSet::new();
        let (mut old, mut new, mut changed) = (vec![0; size], vec![0; size], 0);
        for index in 2..monday.store.len() / size as u64 {
            monday.make(index, &mut old);
            tuesday.make(index, &mut new);
            let state = checksum::verify(&new, index as u32 - 1);
            assert!(matches!(state, PageState::Good | PageState::Zero), "page {index}: {state:?}");
            assert!(index < SYSTEM || seen.insert(new.clone()), "page {index} was there before");
            changed += u64::from(old != new);
        }
        assert!((10..40).contains(&changed), "{changed} of 2,048 pages changed");
    }

    #[test]
    fn any_part_can_be_read() {
        let pages = Pages::new(8 << 20, 2);
        let mut all = vec![0; pages.store.len() as usize];
        assert_eq!(pages.read(&mut all, 0), all.len());
        for (offset, length) in [(0, 1), (32_767, 2), (100_000, 70_000), (4 << 20, 65_536)] {
            let mut part = vec![0; length];
            assert_eq!(pages.read(&mut part, offset as u64), length);
            assert!(part == all[offset..offset + length], "{length} bytes at {offset}");
        }
        assert_eq!(pages.read(&mut [0; 9], all.len() as u64 - 4), 4);
    }
}
