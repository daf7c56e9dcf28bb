//! `reel ese check`: the structure of a database, held against itself.

use crate::args::ese::Check as Args;
use crate::bars::{Bar, Unit};
use crate::interrupt;
use crate::output::{Outcome, Report, plural, shown};
use reel_engine::progress::Monitor;
use reel_engine::{Class, Error, Result};
use reel_formats::ese::database::Database;
use reel_formats::ese::tables::check::{self, Finding, Findings};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::Instant;

#[derive(Serialize)]
struct Checked {
    database: String,
    errors: u64,
    warnings: u64,
    information: u64,
    findings: Vec<Line>,
    trees: u64,
    pages: u64,
    rows: u64,
    index_entries: u64,
    long_values: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct Line {
    severity: String,
    kind: &'static str,
    page: Option<u32>,
    tree: Option<String>,
    jet: Option<i32>,
    what: String,
    meaning: &'static str,
}

impl Line {
    fn of(finding: &Finding) -> Self {
        Line {
            severity: finding.severity.to_string(),
            kind: finding.kind.word(),
            page: finding.page,
            tree: finding.tree.clone(),
            jet: finding.jet,
            what: finding.what.clone(),
            meaning: finding.kind.meaning(),
        }
    }
}

impl Report for Checked {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for Line { severity, kind, page, tree, jet, what, meaning } in &self.findings {
            write!(out, "{severity}: {kind}")?;
            if let Some(tree) = tree {
                write!(out, ", {}", shown(tree.as_bytes()))?;
            }
            if let Some(page) = page {
                write!(out, ", page {page}")?;
            }
            let jet = jet.map_or(String::new(), |number| format!(" ({number})"));
            writeln!(out, ": {}{jet}\n    {meaning}", shown(what.as_bytes()))?;
        }
        let more = self.errors + self.warnings + self.information - self.findings.len() as u64;
        if more > 0 {
            writeln!(out, "{more} more finding{} not listed", plural(more))?;
        }
        writeln!(
            out,
            "checked {} pages of {} trees, {} rows, {} index entries, {} long values in {:.3} s: \
             {} error{}, {} warning{}",
            self.pages,
            self.trees,
            self.rows,
            self.index_entries,
            self.long_values,
            self.seconds,
            self.errors,
            plural(self.errors),
            self.warnings,
            plural(self.warnings)
        )
    }
}

/// Checks the structure of a database.
pub fn run(args: &Args) -> Result<Outcome> {
    let name = args.database.name();
    let database = Database::open(super::open(&args.database)?).map_err(|e| Error::inside(&name, e))?;
    let monitor = Monitor::default();
    interrupt::watch(&monitor, "the check writes nothing");
    let size = u64::from(database.page_size());
    monitor.counters().total.store(u64::from(database.last_page_in_file()) * size, Ordering::Relaxed);
    let bar = Bar::start("check", Unit::Bytes, &monitor);
    let start = Instant::now();
    let report = check::check(&database, &mut |pages| {
        monitor.counters().done.store(pages.saturating_mul(size), Ordering::Relaxed);
        !monitor.is_cancelled()
    });
    let seconds = start.elapsed().as_secs_f64();
    drop(bar);
    let Some(report) = report else {
        return Err(Error::new(Class::Cancelled, name, "stopped at your request"));
    };
    let Findings { listed, errors, warnings, information } = &report.findings;
    let shown = Checked {
        database: name,
        errors: *errors,
        warnings: *warnings,
        information: *information,
        findings: listed.iter().map(Line::of).collect(),
        trees: report.trees,
        pages: report.pages,
        rows: report.rows,
        index_entries: report.index_entries,
        long_values: report.long_values,
        seconds,
    };
    args.json.report_to().print(&shown)?;
    Ok(Outcome::of(!report.findings.is_clean()))
}
