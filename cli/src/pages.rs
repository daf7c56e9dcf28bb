//! The pages of databases, as `backup` and `list` show them.

use crate::output::plural;
use reel_engine::backup::DatabasePages;
use serde::Serialize;

/// What the check of a database's pages found.
#[derive(Serialize)]
pub struct Pages {
    verified: u64,
    bad: u64,
    zero: u64,
    past_owned_end: u64,
    owned_end: u32,
    header_bad: bool,
    shadow_header_bad: bool,
    failing: Vec<PageRange>,
}

#[derive(Serialize)]
struct PageRange {
    first: u32,
    count: u32,
    past_owned_end: bool,
}

impl Pages {
    /// The pages of a database.
    pub fn of(database: &DatabasePages) -> Self {
        let pages = &database.pages;
        let failing = pages.ranges.iter();
        Pages {
            verified: pages.good,
            bad: pages.bad,
            zero: pages.zero,
            past_owned_end: pages.past_end,
            owned_end: pages.owned_end,
            header_bad: pages.header_bad,
            shadow_header_bad: pages.shadow_bad,
            failing: failing
                .map(|r| PageRange { first: r.first, count: r.count, past_owned_end: r.past_end })
                .collect(),
        }
    }

    /// Counts as text.
    pub fn counts(&self) -> String {
        let Pages { verified, bad, zero, past_owned_end, .. } = self;
        format!(
            "{verified} page{} verified, {bad} bad, {zero} zero, {past_owned_end} past owned end",
            plural(*verified)
        )
    }

    /// A sentence for each range of pages that fails.
    pub fn findings(&self) -> Vec<String> {
        let header = self.header_bad.then(|| "header page: checksum (-1018)".to_owned());
        let shadow = self.shadow_header_bad.then(|| "shadow header page: checksum (-1018)".to_owned());
        let mut lines: Vec<_> = header.into_iter().chain(shadow).collect();
        lines.extend(self.failing.iter().map(PageRange::sentence));
        let listed: u64 = self.failing.iter().map(|r| u64::from(r.count)).sum();
        let more = (self.bad + self.past_owned_end).saturating_sub(listed);
        if more > 0 {
            lines.push(format!("{more} more page{}: checksum (-1018)", plural(more)));
        }
        lines
    }
}

impl PageRange {
    fn sentence(&self) -> String {
        let past = if self.past_owned_end { ", past owned end" } else { "" };
        match self.count {
            1 => format!("page {}: checksum (-1018){past}", self.first),
            count => {
                let last = u64::from(self.first) + u64::from(count).saturating_sub(1);
                format!("pages {} to {last}: checksum (-1018){past}", self.first)
            }
        }
    }
}
