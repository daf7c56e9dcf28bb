//! `reel ese log`: the records of a transaction log.

use crate::args::ese::Log;
use crate::output::{Outcome, Report, ReportTo, plural, say, to_output};
use reel_engine::{Error, Result, logs};
use reel_formats::ese::log::LogStatus;
use reel_formats::ese::log::histogram::{Histogram, Tally};
use reel_formats::ese::log::reader::{LogFile, LogRecord};
use reel_formats::ese::log::record::Record;
use reel_formats::ese::log::text::Line;
use reel_formats::ese::position::LgPos;
use serde::Serialize;
use std::io::{self, Write};

/// Lists or counts the records.
pub fn run(args: &Log) -> Result<Outcome> {
    let name = args.file.display().to_string();
    let log = logs::open(&args.file)?;
    let report_to = args.json.report_to();
    let lists = args.from.is_some() || args.to.is_some();
    if lists {
        let range = args.from.unwrap_or_default()..=args.to.unwrap_or(LAST);
        list(&log, &range, report_to).map_err(|e| Error::inside(&name, e))??;
    }
    let summary = Summary::of(&name, &log);
    if !lists || args.histogram {
        report_to.print(&summary)?;
    } else {
        summary.findings().iter().for_each(say);
    }
    Ok(Outcome::of(!summary.findings().is_empty()))
}

/// Behind every position.
const LAST: LgPos = LgPos { generation: u32::MAX, sector: u16::MAX, byte: u16::MAX };

/// Prints the records of a range, up to where the log is damaged. The outer error is a record that cannot be decoded.
fn list(
    log: &LogFile,
    range: &std::ops::RangeInclusive<LgPos>,
    report_to: ReportTo,
) -> reel_formats::error::Result<Result<()>> {
    let mut failed = Ok(());
    let printed = to_output(|out| {
        let mut records = log.records_from(*range.start());
        // Where the log is damaged the summary says.
        while let Ok(Some(found)) = records.next() {
            if found.position > *range.end() {
                break;
            }
            match Record::parse(found.bytes) {
                Ok(record) => print_record(out, &found, &record, report_to)?,
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            }
        }
        Ok(())
    });
    failed.map(|()| printed)
}

fn print_record(
    out: &mut dyn Write,
    found: &LogRecord<'_>,
    record: &Record<'_>,
    report_to: ReportTo,
) -> io::Result<()> {
    let line = Line { position: found.position, record };
    if report_to == ReportTo::Text {
        return writeln!(out, "{line}");
    }
    let shown = RecordLine {
        position: shown_position(found.position),
        r#type: record.kind().0,
        name: record.kind().name(),
        bytes: found.bytes.len(),
        session: record.procid(),
        database: record.dbid(),
        page: record.page_op().map(|page| page.pgno),
        dbtime: record.dbtime(),
        text: line.to_string(),
    };
    serde_json::to_writer(&mut *out, &shown)?;
    writeln!(out)
}

/// A position as `--from` takes it.
fn shown_position(position: LgPos) -> String {
    let LgPos { generation, sector, byte } = position;
    format!("{generation:08X},{sector:04X},{byte:04X}")
}

#[derive(Serialize)]
struct RecordLine {
    position: String,
    r#type: u8,
    name: &'static str,
    bytes: usize,
    session: Option<u16>,
    database: Option<u8>,
    page: Option<u32>,
    dbtime: Option<u64>,
    text: String,
}

#[derive(Serialize)]
struct Summary<'a> {
    file: &'a str,
    generation: u32,
    format: String,
    created: String,
    end: String,
    status: &'static str,
    what: Option<String>,
    jet: Option<i32>,
    clean_shutdown: bool,
    used_bytes: u64,
    file_bytes: u64,
    segments_checksum: String,
    corrected: Vec<Corrected>,
    patched: Vec<u32>,
    records: u64,
    record_bytes: u64,
    types: Vec<TypeLine>,
}

#[derive(Serialize)]
struct Corrected {
    sector: u32,
    bit: u32,
}

#[derive(Serialize)]
struct TypeLine {
    name: &'static str,
    records: u64,
    bytes: u64,
}

impl<'a> Summary<'a> {
    fn of(file: &'a str, log: &LogFile) -> Self {
        let mut histogram = Histogram::default();
        let (header, end) = (log.header(), log.end());
        // Where the log is damaged its status says.
        let _ = histogram.add_log(log);
        let (status, what, jet) = match &end.status {
            LogStatus::Complete => ("complete", None, None),
            LogStatus::Torn { sentence, .. } => ("torn", Some(sentence.clone()), None),
            LogStatus::Corrupt { sentence, jet, .. } => ("corrupt", Some(sentence.clone()), Some(*jet)),
        };
        let Tally { records, bytes } = histogram.total();
        let line = |(name, tally): (&'static str, Tally)| TypeLine {
            name,
            records: tally.records,
            bytes: tally.bytes,
        };
        Summary {
            file,
            generation: header.generation,
            format: format!(
                "{}.{}.{}.{}",
                header.major, header.minor, header.update_major, header.update_minor
            ),
            created: header.created.to_string(),
            end: shown_position(end.position),
            status,
            what,
            jet,
            clean_shutdown: end.clean_shutdown,
            used_bytes: end.used_bytes,
            file_bytes: header.file_len(),
            segments_checksum: format!("{:#018x}", end.accumulated),
            corrected: end
                .corrected
                .iter()
                .map(|(sector, bit)| Corrected { sector: *sector, bit: *bit })
                .collect(),
            patched: end.patched.clone(),
            records,
            record_bytes: bytes,
            types: histogram.types().map(line).collect(),
        }
    }
}

impl Report for Summary<'_> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: log generation {:#x}, format {}", self.file, self.generation, self.format)?;
        writeln!(out, "  created {}", self.created)?;
        let clean = if self.clean_shutdown { ", clean shutdown" } else { "" };
        writeln!(out, "  {}, ends at {}{clean}", self.status, self.end)?;
        if let Some(what) = &self.what {
            writeln!(out, "  {what}")?;
        }
        writeln!(out, "  {} of {} bytes in use", self.used_bytes, self.file_bytes)?;
        writeln!(out, "  checksum of all segments {}", self.segments_checksum)?;
        writeln!(out)?;
        writeln!(out, "{:<10} {:>10} {:>12} {:>10}", "record", "count", "bytes", "mean")?;
        for line in &self.types {
            let mean = line.bytes.checked_div(line.records).unwrap_or(0);
            writeln!(out, "{:<10} {:>10} {:>12} {mean:>10}", line.name, line.records, line.bytes)?;
        }
        writeln!(out, "{:<10} {:>10} {:>12}", "all", self.records, self.record_bytes)
    }

    fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        if let (Some(what), Some(jet)) = (&self.what, self.jet) {
            findings.push(format!("{}: damaged: {what} (ESE error {jet})", self.file));
        }
        let count = self.corrected.len() as u64;
        if count > 0 {
            findings.push(format!("{}: {count} flipped bit{} put right", self.file, plural(count)));
        }
        for sector in &self.patched {
            findings.push(format!("{}: sector {sector:#x} taken from its shadow copy", self.file));
        }
        findings
    }
}
