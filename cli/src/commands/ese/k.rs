//! `reel ese k`: every page of a database against its checksum.

use super::stored;
use crate::args::ese::K;
use crate::bars::{Bar, Unit};
use crate::interrupt;
use crate::output::{Outcome, Report, plural, shown};
use crate::size::{megabytes, rate};
use reel_engine::integrity::{Integrity, integrity};
use reel_engine::progress::Monitor;
use reel_engine::{Error, Result};
use reel_formats::ese::database::{Database, DatabaseFile};
use reel_formats::ese::header::HeaderCopies;
use reel_formats::ese::integrity::FaultyPage;
use serde::Serialize;
use std::io::{self, Write};
use std::time::Instant;

#[derive(Serialize)]
struct Checked {
    database: String,
    page_size: u32,
    state: String,
    header_bad: bool,
    shadow_header_bad: bool,
    headers_differ: bool,
    pages: u64,
    good: u64,
    bad_checksums: u64,
    correctable: u64,
    uninitialised: u64,
    wrong_numbers: u64,
    past_owned_end: u64,
    owned_end: Option<u32>,
    backup_trailer: Option<u32>,
    highest_dbtime: Option<u64>,
    highest_dbtime_page: Option<u32>,
    header_dbtime: u64,
    bytes: u64,
    seconds: f64,
    megabytes_per_second: f64,
    faulty: Vec<Faulty>,
}

#[derive(Serialize)]
struct Faulty {
    page: u32,
    reason: String,
    jet: Option<i32>,
    past_owned_end: bool,
}

impl Faulty {
    fn of(page: &FaultyPage) -> Self {
        Faulty {
            page: page.pgno,
            reason: page.fault.to_string(),
            jet: page.fault.jet(),
            past_owned_end: page.past_owned_end,
        }
    }
}

impl Checked {
    fn of<F: DatabaseFile>(name: String, database: &Database<F>, found: &Integrity, seconds: f64) -> Self {
        let (header, tally) = (database.header(), &found.tally);
        let HeaderCopies { primary_good, shadow_good, equal } = database.header_copies();
        Checked {
            database: name,
            page_size: header.page_size,
            state: header.state.to_string(),
            header_bad: !primary_good,
            shadow_header_bad: !shadow_good,
            headers_differ: primary_good && shadow_good && !equal,
            pages: tally.seen,
            good: tally.good,
            bad_checksums: tally.bad_checksums,
            correctable: tally.correctable,
            uninitialised: tally.uninitialised,
            wrong_numbers: tally.wrong_numbers,
            past_owned_end: tally.past_owned_end,
            owned_end: found.owned_end,
            backup_trailer: tally.trailer,
            highest_dbtime: tally.highest_dbtime.map(|(dbtime, _)| dbtime),
            highest_dbtime_page: tally.highest_dbtime.map(|(_, page)| page),
            header_dbtime: header.dbtime,
            bytes: found.bytes,
            seconds,
            megabytes_per_second: rate(found.bytes, seconds),
            faulty: tally.faulty().iter().map(Faulty::of).collect(),
        }
    }

    fn has_findings(&self) -> bool {
        let damaged = self.bad_checksums + self.correctable + self.wrong_numbers;
        damaged > 0 || self.header_bad || self.shadow_header_bad
    }

    fn headers(&self) -> &'static str {
        match (self.header_bad, self.shadow_header_bad, self.headers_differ) {
            (true, ..) => "the first copy is bad (-1018), its shadow is good",
            (_, true, _) => "the first copy is good, its shadow is bad (-1018)",
            (_, _, true) => "both copies are good, but they differ",
            _ => "both copies are good",
        }
    }
}

impl Report for Checked {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for Faulty { page, reason, jet, past_owned_end } in &self.faulty {
            let jet = jet.map_or(String::new(), |number| format!(" ({number})"));
            let past = if *past_owned_end { ", past owned end" } else { "" };
            writeln!(out, "page {page}: {reason}{jet}{past}")?;
        }
        let listed = self.faulty.len() as u64;
        let faulty = self.bad_checksums + self.correctable + self.wrong_numbers + self.past_owned_end;
        if faulty > listed {
            writeln!(out, "{} more page{} not listed", faulty - listed, plural(faulty - listed))?;
        }
        let mut line = |label: &str, value: &dyn std::fmt::Display| writeln!(out, "{label:>22}: {value}");
        line("database", &shown(self.database.as_bytes()))?;
        line("state", &self.state)?;
        line("headers", &self.headers())?;
        line("page size", &self.page_size)?;
        line("pages seen", &self.pages)?;
        line("bad checksums", &self.bad_checksums)?;
        line("correctable checksums", &self.correctable)?;
        line("uninitialised pages", &self.uninitialised)?;
        line("wrong page numbers", &self.wrong_numbers)?;
        match self.owned_end {
            Some(end) => {
                line("past owned end", &format_args!("{} bad, the end is page {end}", self.past_owned_end))?;
            }
            None => line("past owned end", &"the end is not known")?,
        }
        if let Some(page) = self.backup_trailer {
            line("backup trailer", &format_args!("page {page}"))?;
        }
        if let (Some(dbtime), Some(page)) = (self.highest_dbtime, self.highest_dbtime_page) {
            line("highest dbtime", &format_args!("{dbtime:#x} (page {page})"))?;
        }
        line("header's dbtime", &format_args!("{:#x}", self.header_dbtime))?;
        line("read", &format_args!("{} in {:.3} s", megabytes(self.bytes), self.seconds))?;
        line("MB/s", &format_args!("{:.0}", self.megabytes_per_second))
    }
}

/// Checks the pages of a database.
pub fn run(args: &K) -> Result<Outcome> {
    let name = args.database.name();
    let memory = args.effort.memory.half();
    let file = super::open_within(&args.database, memory)?;
    let database = Database::open(file).map_err(|e| Error::inside(&name, e))?;
    let monitor = Monitor::default();
    interrupt::watch(&monitor, "the check writes nothing");
    let bar = Bar::start("check", Unit::Bytes, &monitor);
    let start = Instant::now();
    let found = integrity(&database, &name, args.effort.threads(), memory, &monitor)?;
    let seconds = start.elapsed().as_secs_f64();
    drop(bar);
    let report = Checked::of(name, &database, &found, seconds);
    stored::print(args.json.report_to(), &report, &args.database)?;
    Ok(Outcome::of(report.has_findings()))
}
