//! `reel restore`: streams of a set go into a folder, or one of them to standard output.

use crate::args::Restore;
use crate::bars::{Bar, Unit};
use crate::interrupt;
use crate::output::{Outcome, Report, plural, shown};
use crate::sets::Bytes;
use crate::size::{megabytes, rate};
use reel_engine::pool::Pool;
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, RestoreReport, restore, restore_stream};
use reel_engine::{Error, Result};
use serde::Serialize;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Instant;

#[derive(Serialize)]
struct Restored {
    set: u32,
    set_complete: bool,
    streams: u64,
    bytes: u64,
    stored_bytes: u64,
    seconds: f64,
    damaged: Vec<Damaged>,
    issues: Vec<String>,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct Damaged {
    stream: String,
    lost: Vec<Bytes>,
    why: String,
    unfinished: bool,
    partial: Option<String>,
}

impl Restored {
    fn of(report: &RestoreReport, seconds: f64) -> Self {
        let damaged = report.damaged.iter().map(|d| Damaged {
            stream: String::from_utf8_lossy(&d.stream).into_owned(),
            lost: Bytes::all(&d.lost),
            why: d.why.clone(),
            unfinished: d.unfinished,
            partial: d.partial.as_ref().map(|p| p.display().to_string()),
        });
        Restored {
            set: report.set,
            set_complete: report.set_complete,
            streams: report.streams,
            bytes: report.bytes,
            stored_bytes: report.stored_bytes,
            seconds,
            damaged: damaged.collect(),
            issues: report.issues.clone(),
            reasons: report.reasons.clone(),
        }
    }
}

impl Report for Restored {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (streams, speed) = (self.streams, rate(self.bytes, self.seconds));
        let left = match self.damaged.len() {
            0 => String::new(),
            count => format!(", {count} not restored whole"),
        };
        writeln!(
            out,
            "set {}: {streams} stream{} restored and verified{left}: {} in {:.2} s, {speed:.1} MB/s",
            self.set,
            plural(streams),
            megabytes(self.bytes),
            self.seconds
        )
    }

    fn findings(&self) -> Vec<String> {
        let mut lines = self.reasons.clone();
        for damaged in &self.damaged {
            let lost = match &damaged.lost[..] {
                [] => String::new(),
                lost => format!("; lost: bytes {}", Bytes::list(lost)),
            };
            let partial = damaged.partial.as_ref();
            let stays = partial.map_or(String::new(), |p| format!("; what there is stays as {p}"));
            let stream = shown(damaged.stream.as_bytes());
            lines.push(format!("{stream}: not restored whole: {}{lost}{stays}", damaged.why));
        }
        lines.extend(self.issues.iter().cloned());
        if !self.set_complete {
            lines.push(format!("set {}: it is incomplete: its run did not come to its end", self.set));
        }
        lines
    }
}

/// Restores.
pub fn run(args: &Restore) -> Result<Outcome> {
    let options = RestoreOptions {
        set: args.set.clone(),
        streams: args.streams.clone(),
        overwrite: args.overwrite,
        keep_partial: args.keep_partial,
        threads: args.effort.threads(),
        memory: args.effort.memory,
        io: args.io.into(),
        spool: args.spool,
        ..RestoreOptions::default()
    };
    let pool = Arc::new(Pool::open_read_by(&args.pool.pool, options.io)?);
    let monitor = Monitor::default();
    interrupt::watch(&monitor, "a file that appeared under its name is whole; the pool is untouched");
    let started = Instant::now();
    let bar = Bar::start("restore", Unit::Bytes, &monitor);
    let report = match (&args.to, &args.stdout) {
        (Some(to), _) => restore(&pool, to, &options, &monitor)?,
        (None, stream) => {
            let mut output = io::stdout();
            let stream = stream.as_deref().unwrap_or_default();
            let report = restore_stream(&pool, stream.as_bytes(), &mut output, &options, &monitor)?;
            output.flush().map_err(|e| Error::io("standard output", "cannot write", e))?;
            report
        }
    };
    drop(bar);
    args.report_to().print(&Restored::of(&report, started.elapsed().as_secs_f64()))?;
    Ok(outcome(&report))
}

/// Damage on the medium is a failure; what an incomplete set never had is a finding.
fn outcome(report: &RestoreReport) -> Outcome {
    if report.damaged.iter().any(|d| !d.unfinished) {
        return Outcome::Failed;
    }
    Outcome::of(!report.set_complete || !report.damaged.is_empty() || !report.issues.is_empty())
}
