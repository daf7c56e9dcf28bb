//! Page files: what a stream is recognised as, and the check of a database's pages on the way.

use reel_formats::ese::integrity;
use reel_formats::ese::page::checksum::PageState;
use reel_formats::{Kind, recognise};
use reel_tape::layout::recipe::{Cut, MAX_PAGE_RANGES, PageRange, PageReport, Recognised};

/// Bytes at the beginning of a stream that tell what it is.
pub const HEAD: usize = 64 << 10;
/// Smallest chunk unit in bytes; smaller pages are taken in aligned groups (design section 5).
pub const SMALLEST_UNIT: u32 = 4096;

/// What the first bytes of a stream say of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// How it is cut.
    pub cut: Cut,
    /// What it was recognised as.
    pub recognised: Recognised,
    /// The first header page of an ESE database fails.
    pub header_bad: bool,
    /// Its shadow fails.
    pub shadow_bad: bool,
}

impl Shape {
    /// The shape of a stream that begins with `head`, of `length` bytes where that is known.
    pub fn of(head: &[u8], length: Option<u64>) -> Shape {
        let unit = |page: u32| Cut::Pages(page.max(SMALLEST_UNIT));
        match recognise(head, length) {
            Kind::EseDatabase(header) => Shape {
                cut: unit(header.page_size),
                recognised: Recognised::EseDatabase(header.page_size),
                header_bad: !header.primary_good,
                shadow_bad: !header.shadow_good,
            },
            Kind::Sqlite { page_size } => {
                Shape { cut: unit(page_size), recognised: Recognised::Sqlite(page_size), ..Shape::default() }
            }
            Kind::EseLog { generation, .. } => {
                Shape { recognised: Recognised::EseLog(generation), ..Shape::default() }
            }
            _ => Shape::default(),
        }
    }

    /// Page size of an ESE database.
    pub fn ese_page(&self) -> Option<u32> {
        match self.recognised {
            Recognised::EseDatabase(page) => Some(page),
            _ => None,
        }
    }
}

/// The generation of an ESE log file from its first bytes.
pub fn log_generation(head: &[u8]) -> Option<u32> {
    match recognise(head, None) {
        Kind::EseLog { generation, .. } => Some(generation),
        _ => None,
    }
}

/// Counts of the pages in a range of a database.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PageTally {
    /// Pages verified and good.
    pub good: u64,
    /// Zero pages.
    pub zero: u64,
    /// Numbers of the pages that fail, ascending.
    pub bad: Vec<u32>,
}

impl PageTally {
    /// Checks the pages of `bytes`, which begin at byte `offset` of the file, a multiple of the page size. The two header
    /// pages are not data pages and are passed over.
    pub fn check(&mut self, bytes: &[u8], offset: u64, page_size: u32) {
        for (number, page, state) in integrity::pages(bytes, offset, page_size) {
            match state {
                PageState::Good => self.good += 1,
                PageState::Zero => self.zero += 1,
                _ if integrity::trailer_signature(page).is_some() => self.good += 1,
                _ => self.bad.push(number),
            }
        }
    }
}

/// Puts the tallies of a database together, in order.
#[derive(Debug, Default)]
pub struct PageReportBuilder {
    report: PageReport,
}

impl PageReportBuilder {
    /// A report on a database whose last owned page is known, or 0.
    pub fn new(owned_end: u32, shape: &Shape) -> Self {
        PageReportBuilder {
            report: PageReport {
                owned_end,
                header_bad: shape.header_bad,
                shadow_bad: shape.shadow_bad,
                ..PageReport::default()
            },
        }
    }

    /// The next range.
    pub fn add(&mut self, tally: &PageTally) {
        let report = &mut self.report;
        report.good += tally.good;
        report.zero += tally.zero;
        for number in &tally.bad {
            let past_end = report.owned_end > 0 && *number > report.owned_end;
            if past_end {
                report.past_end += 1;
            } else {
                report.bad += 1;
            }
            let follows =
                |r: &PageRange| r.past_end == past_end && r.first.checked_add(r.count) == Some(*number);
            if let Some(range) = report.ranges.last_mut().filter(|r| follows(r)) {
                range.count += 1;
            } else if report.ranges.len() < MAX_PAGE_RANGES {
                report.ranges.push(PageRange { first: *number, count: 1, past_end });
            }
        }
    }

    /// The report.
    pub fn finish(self) -> PageReport {
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_formats::ese::page::checksum;

    #[test]
    fn bad_pages_are_counted_by_number_and_past_the_owned_end_apart() {
        let mut bytes = vec![0; 8 * 4096];
        for (at, page) in bytes.chunks_mut(4096).enumerate().skip(2) {
            page[100] = 1;
            checksum::store(page, at as u32 - 1).unwrap();
        }
        bytes[3 * 4096 + 50] ^= 1;
        bytes[6 * 4096 + 50] ^= 1;
        bytes[7 * 4096..].fill(0);
        let mut tally = PageTally::default();
        tally.check(&bytes, 0, 4096);
        assert_eq!(tally, PageTally { good: 3, zero: 1, bad: vec![2, 5] });
        let mut builder = PageReportBuilder::new(4, &Shape::default());
        builder.add(&tally);
        let report = builder.finish();
        assert_eq!((report.bad, report.past_end), (1, 1));
        assert_eq!(report.ranges[1], PageRange { first: 5, count: 1, past_end: true });
    }
}
