//! The tally of a database's pages, as `eseutil /k` counts them: every page of the file against its own checksum.
//!
//! Whoever reads the file gives ranges of it to a [`Tally`], in any order and on any number of threads, each thread to
//! its own; [`Tally::merge`] puts them together.

use super::page::checksum::{self, BadPage, PageState};
use super::position::Signature;
use crate::le::{Fields, u64_at};
use std::fmt;

/// Bad pages that a tally lists by number; all are counted.
pub const MAX_LISTED: usize = 4096;
const DBTIME_AT: usize = 8;
/// Update counters from here on are marks, not times (reference, database.md section 4.1).
pub(super) const FIRST_MARK: u64 = 0xFFFF_FFFF_FFFF_FFFB;

/// The data pages in `bytes`, which begin at byte `offset` of the file, a multiple of the page size: number, bytes and
/// what their checksums say. The two header pages are passed over. A page that is cut off by the end of the bytes has a
/// bad length.
#[inline]
pub fn pages(bytes: &[u8], offset: u64, page_size: u32) -> impl Iterator<Item = (u32, &[u8], PageState)> {
    let size = page_size.max(1);
    let first = offset / u64::from(size);
    let numbered = bytes.chunks(size as usize).zip(first..).filter_map(|(page, place)| {
        // Page n stands at (n + 1) * page size (database.md section 1).
        let number = place.checked_sub(1).filter(|number| *number > 0)?;
        Some((u32::try_from(number).unwrap_or(u32::MAX), page))
    });
    numbered.map(|(number, page)| (number, page, checksum::verify(page, number)))
}

/// The signature of the database that this page is the backup trailer of: the page that a streaming backup appends
/// behind the database, with a header's checksum (database.md section 2.3). `None` if it is none.
pub fn trailer_signature(page: &[u8]) -> Option<Signature> {
    let stored = u32::from_le_bytes(*page.first_chunk()?);
    (stored == checksum::header_xor(page)).then(|| Fields(page).signature(64))
}

/// What the pages of a file are held against.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Bytes of a page.
    pub page_size: u32,
    /// The last page that the database owns, where that is known. Bad pages behind it are no damage of the database.
    pub owned_end: Option<u32>,
    /// The database's signature, by which its backup trailer is recognised.
    pub signature: Signature,
}

/// Why a page is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Damaged, or another page than its place says.
    Bad(BadPage),
    /// One bit is flipped, and the checksum says which.
    Correctable {
        /// Number of the bit, counted from the page's first byte, least significant bit first.
        bit: u32,
    },
}

impl Fault {
    /// The error number that the engine gives. It gives none for what it corrects.
    pub fn jet(self) -> Option<i32> {
        match self {
            Self::Bad(bad) => Some(bad.jet()),
            Self::Correctable { .. } => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(bad) => bad.fmt(f),
            Self::Correctable { bit } => write!(f, "one flipped bit, {} of byte {}", bit % 8, bit / 8),
        }
    }
}

/// A page that is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultyPage {
    /// Its number.
    pub pgno: u32,
    /// What is wrong with it.
    pub fault: Fault,
    /// It stands behind the last page that the database owns.
    pub past_owned_end: bool,
}

/// Counts of pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pages seen; the two header pages are not among them.
    pub seen: u64,
    /// Pages whose checksums and numbers are right.
    pub good: u64,
    /// Pages of zeros: allocated and never written.
    pub uninitialised: u64,
    /// Pages with a wrong checksum.
    pub bad_checksums: u64,
    /// Pages with one flipped bit that the checksum names.
    pub correctable: u64,
    /// Pages whose checksum is right for another number.
    pub wrong_numbers: u64,
    /// Pages with any of these three behind the last page that the database owns; not counted there.
    pub past_owned_end: u64,
    /// The page that is a backup's trailer.
    pub trailer: Option<u32>,
    /// The highest update counter of a good page, with the page (the first, if several have it).
    pub highest_dbtime: Option<(u64, u32)>,
    faulty: Vec<FaultyPage>,
}

impl Tally {
    /// Judges the pages of `bytes`, which begin at byte `offset` of the file, a multiple of the page size.
    pub fn check(&mut self, expected: &Expected, bytes: &[u8], offset: u64) {
        for (pgno, page, state) in pages(bytes, offset, expected.page_size) {
            self.seen += 1;
            match state {
                PageState::Good => {
                    self.good += 1;
                    self.see_dbtime(u64_at(page, DBTIME_AT).unwrap_or(0), pgno);
                }
                PageState::Zero => self.uninitialised += 1,
                PageState::Correctable { bit } => self.fail(expected, pgno, Fault::Correctable { bit }),
                PageState::Bad(_) if is_trailer(expected, pgno, page) => {
                    self.trailer = Some(self.trailer.map_or(pgno, |other| other.min(pgno)));
                }
                PageState::Bad(bad) => self.fail(expected, pgno, Fault::Bad(bad)),
            }
        }
    }

    /// Adds what another tally counted.
    pub fn merge(&mut self, other: &Tally) {
        self.seen += other.seen;
        self.good += other.good;
        self.uninitialised += other.uninitialised;
        self.bad_checksums += other.bad_checksums;
        self.correctable += other.correctable;
        self.wrong_numbers += other.wrong_numbers;
        self.past_owned_end += other.past_owned_end;
        self.trailer = match (self.trailer, other.trailer) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        if let Some((dbtime, pgno)) = other.highest_dbtime {
            self.see_dbtime(dbtime, pgno);
        }
        self.faulty.extend_from_slice(&other.faulty);
        self.shorten();
    }

    /// The pages that are not good, by number: the first [`MAX_LISTED`] of them.
    pub fn faulty(&self) -> Vec<FaultyPage> {
        let mut faulty = self.faulty.clone();
        faulty.sort_by_key(|page| page.pgno);
        faulty.truncate(MAX_LISTED);
        faulty
    }

    /// Pages of the database that are not good: those past the owned end are not among them.
    pub fn damaged(&self) -> u64 {
        self.bad_checksums + self.correctable + self.wrong_numbers
    }

    fn see_dbtime(&mut self, dbtime: u64, pgno: u32) {
        let higher = |(highest, at): (u64, u32)| dbtime > highest || (dbtime == highest && pgno < at);
        if dbtime < FIRST_MARK && self.highest_dbtime.is_none_or(higher) {
            self.highest_dbtime = Some((dbtime, pgno));
        }
    }

    #[cold]
    fn fail(&mut self, expected: &Expected, pgno: u32, fault: Fault) {
        let past_owned_end = expected.owned_end.is_some_and(|end| pgno > end);
        *match fault {
            _ if past_owned_end => &mut self.past_owned_end,
            Fault::Correctable { .. } => &mut self.correctable,
            Fault::Bad(BadPage::PageNumber { .. }) => &mut self.wrong_numbers,
            Fault::Bad(_) => &mut self.bad_checksums,
        } += 1;
        self.faulty.push(FaultyPage { pgno, fault, past_owned_end });
        if self.faulty.len() >= 2 * MAX_LISTED {
            self.shorten();
        }
    }

    /// Keeps the lowest numbers, so that the list does not depend on who counted what.
    fn shorten(&mut self) {
        if self.faulty.len() > MAX_LISTED {
            self.faulty.sort_by_key(|page| page.pgno);
            self.faulty.truncate(MAX_LISTED);
        }
    }
}

fn is_trailer(expected: &Expected, pgno: u32, page: &[u8]) -> bool {
    expected.owned_end.is_none_or(|end| pgno > end) && trailer_signature(page) == Some(expected.signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 4096;

    fn expected(owned_end: u32) -> Expected {
        let signature = Fields(&[7; 28]).signature(0);
        Expected { page_size: SIZE as u32, owned_end: Some(owned_end), signature }
    }

    /// A file with good pages 1 to `last`, whose update counters are ten times their numbers.
    fn file(last: u32) -> Vec<u8> {
        let mut bytes = vec![0; (last as usize + 2) * SIZE];
        for (page, number) in bytes.chunks_mut(SIZE).skip(2).zip(1..) {
            page[8..16].copy_from_slice(&(u64::from(number) * 10).to_le_bytes());
            checksum::store(page, number).expect("a page size");
        }
        bytes
    }

    fn at(pgno: usize) -> usize {
        (pgno + 1) * SIZE
    }

    #[test]
    fn every_kind_of_page_is_counted_where_it_belongs() {
        let mut bytes = file(9);
        bytes[at(2) + 100] ^= 4;
        bytes[at(3) + 100] ^= 6;
        bytes.copy_within(at(5)..at(6), at(4));
        bytes[at(6)..at(7)].fill(0);
        bytes[at(8) + 100] ^= 6;
        // A mark that is no time.
        bytes[at(7) + 8..at(7) + 16].fill(0xFF);
        checksum::store(&mut bytes[at(7)..at(8)], 7).expect("a page size");
        let trailer = &mut bytes[at(9)..];
        trailer.fill(0);
        trailer[64..92].fill(7);
        let sum = checksum::header_xor(trailer);
        trailer[..4].copy_from_slice(&sum.to_le_bytes());

        let mut tally = Tally::default();
        tally.check(&expected(7), &bytes, 0);
        let counts = [tally.seen, tally.good, tally.uninitialised, tally.bad_checksums, tally.correctable];
        assert_eq!(counts, [9, 3, 1, 1, 1]);
        assert_eq!((tally.wrong_numbers, tally.past_owned_end, tally.trailer), (1, 1, Some(9)));
        assert_eq!(tally.highest_dbtime, Some((50, 5)));
        assert_eq!(tally.damaged(), 3);
        let faulty: Vec<_> =
            tally.faulty().iter().map(|p| (p.pgno, p.fault.jet(), p.past_owned_end)).collect();
        assert_eq!(
            faulty,
            [(2, None, false), (3, Some(-1018), false), (4, Some(-1118), false), (8, Some(-1018), true)]
        );
    }

    #[test]
    fn parts_in_any_order_give_what_the_whole_gives() {
        let mut bytes = file(20);
        for pgno in [3, 4, 11, 19] {
            bytes[at(pgno) + 200] ^= 0x11;
        }
        let mut whole = Tally::default();
        whole.check(&expected(12), &bytes, 0);
        let mut merged = Tally::default();
        for offset in (0..bytes.len()).step_by(3 * SIZE).rev() {
            let mut part = Tally::default();
            let end = (offset + 3 * SIZE).min(bytes.len());
            part.check(&expected(12), &bytes[offset..end], offset as u64);
            merged.merge(&part);
        }
        assert_eq!(merged.faulty(), whole.faulty());
        merged.faulty = whole.faulty.clone();
        assert_eq!(merged, whole);
    }

    #[test]
    fn a_list_of_bad_pages_has_an_end_and_their_number_is_exact() {
        let bytes = vec![1; (2 * MAX_LISTED + 500) * 2048];
        let mut tally = Tally::default();
        tally.check(&Expected { page_size: 2048, ..expected(u32::MAX) }, &bytes, 2048 * 2);
        tally.check(&Expected { page_size: 2048, ..expected(u32::MAX) }, &bytes[..2048], 0);
        assert_eq!(tally.bad_checksums, 2 * MAX_LISTED as u64 + 500);
        assert_eq!(tally.faulty().len(), MAX_LISTED);
        assert!(tally.faulty().iter().map(|page| page.pgno).eq(1..=MAX_LISTED as u32));
    }

    #[test]
    fn a_page_that_the_file_cuts_off_is_bad() {
        let bytes = file(3);
        let mut tally = Tally::default();
        tally.check(&expected(3), &bytes[..bytes.len() - 1], 0);
        assert_eq!((tally.good, tally.bad_checksums), (2, 1));
    }
}
