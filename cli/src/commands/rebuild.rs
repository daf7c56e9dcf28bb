//! `reel rebuild`: base databases and their logs make the databases as they were when the logs ended.

use crate::args::rebuild::{Rebuild, logtime};
use crate::bars::{Bar, Unit};
use crate::interrupt;
use crate::output::{Outcome, Report, plural, say, shown};
use crate::size::{megabytes, rate};
use reel_engine::progress::Monitor;
use reel_engine::rebuild::{
    LogLine, RebuildCheck, RebuildOptions, RebuildPlan, RebuildReport, Stop, check, run as rebuild,
};
use reel_engine::{Class, Error, Result};
use reel_formats::ese::replay::counts::RecordCounts;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

/// Rebuilds, or says what would be done.
pub fn run(args: &Rebuild) -> Result<Outcome> {
    let options = options(args)?;
    if args.check {
        return checked(args, &options);
    }
    let plan = RebuildPlan::make(&options)?;
    let planned = Planned::of(&plan);
    if args.plan {
        args.json.report_to().print(&planned)?;
        return Ok(Outcome::of(!plan.refusals.is_empty()));
    }
    if !args.json.json {
        planned.lines().iter().for_each(say);
    }
    plan.refuse()?;
    let monitor = Monitor::default();
    interrupt::watch(&monitor, "nothing will be left in the target folder");
    let report = {
        let _bar = Bar::start("rebuild", Unit::Bytes, &monitor);
        rebuild(&options, &plan, &monitor)?
    };
    args.json.report_to().print(&Rebuilt::of(planned, &report))?;
    Ok(Outcome::Done)
}

/// Says what would be applied, and what does not fit.
fn checked(args: &Rebuild, options: &RebuildOptions) -> Result<Outcome> {
    let plan = RebuildPlan::make_for_check(options)?;
    let monitor = Monitor::default();
    interrupt::watch(&monitor, "nothing is written");
    let found = {
        let _bar = Bar::start("check", Unit::Bytes, &monitor);
        check(options, &plan, &monitor)?
    };
    args.json.report_to().print(&Checked::of(&plan, &found))?;
    Ok(Outcome::of(found.has_findings()))
}

#[derive(Serialize)]
struct Checked {
    first_generation: Option<u32>,
    last_generation: Option<u32>,
    ends: String,
    databases: Vec<CheckedLine>,
    refusal: Option<String>,
    damage: Option<String>,
    position: String,
}

#[derive(Serialize)]
struct CheckedLine {
    name: String,
    would_apply: u64,
    present: u64,
    misfits: u64,
    attached_at: Vec<String>,
    refusals: Vec<String>,
    first_misfits: Vec<MisfitLine>,
}

#[derive(Serialize)]
struct MisfitLine {
    position: String,
    record: &'static str,
    page: u32,
    dbtime: Option<u64>,
    before: u64,
    after: u64,
    jet: i32,
}

impl Checked {
    fn of(plan: &RebuildPlan, found: &RebuildCheck) -> Self {
        let Planned { first_generation, last_generation, ends, .. } = Planned::of(plan);
        let line =
            |(database, counts): (&reel_formats::ese::replay::CheckedDatabase, &RecordCounts)| CheckedLine {
                name: database.name.clone(),
                would_apply: counts.applied,
                present: counts.present,
                misfits: database.misfit_count,
                attached_at: database.attached_at.iter().map(ToString::to_string).collect(),
                refusals: database.refusals.clone(),
                first_misfits: database
                    .misfits
                    .iter()
                    .map(|misfit| MisfitLine {
                        position: misfit.position.to_string(),
                        record: misfit.record,
                        page: misfit.pgno,
                        dbtime: misfit.found,
                        before: misfit.before,
                        after: misfit.after,
                        jet: misfit.jet(),
                    })
                    .collect(),
            };
        Checked {
            first_generation,
            last_generation,
            ends,
            databases: found.report.databases.iter().zip(&found.records).map(line).collect(),
            refusal: found.report.refusal.clone(),
            damage: found.damage.clone(),
            position: found.report.position.to_string(),
        }
    }
}

/// Misfits that a person is shown.
const SHOWN_MISFITS: usize = 20;

impl Report for Checked {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if let (Some(first), Some(last)) = (self.first_generation, self.last_generation) {
            writeln!(out, "generations {first} to {last}, to {}; ends {}", self.position, self.ends)?;
        }
        for line in &self.databases {
            let CheckedLine { name, would_apply, present, misfits, attached_at, .. } = line;
            writeln!(
                out,
                "{}: {would_apply} page changes would be made, {present} are there already, {misfits} do not fit",
                shown(name.as_bytes())
            )?;
            if !attached_at.is_empty() {
                writeln!(out, "  attached at {}", attached_at.join(", "))?;
            }
        }
        Ok(())
    }

    fn findings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for line in &self.databases {
            lines.extend(line.refusals.iter().cloned());
            for misfit in line.first_misfits.iter().take(SHOWN_MISFITS) {
                let MisfitLine { position, record, page, dbtime, before, after, jet } = misfit;
                let found =
                    dbtime.map_or("cannot be read".into(), |dbtime| format!("has dbtime {dbtime:#x}"));
                lines.push(format!(
                    "{}: page {page} {found}, {record} at {position} changes {before:#x} to {after:#x} (ESE error {jet})",
                    line.name
                ));
            }
        }
        lines.extend(self.refusal.iter().chain(&self.damage).cloned());
        lines
    }
}

fn options(args: &Rebuild) -> Result<RebuildOptions> {
    let now = || jiff::Timestamp::now();
    let closed = match args.clock {
        Some(nanoseconds) => {
            jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_else(|_| now())
        }
        None => now(),
    };
    let closed = logtime(closed)
        .ok_or_else(|| Error::new(Class::Argument, "--clock", "a year that database headers cannot hold"))?;
    Ok(RebuildOptions {
        bases: args.base.clone(),
        from_empty: args.from_empty,
        logs: args.logs.clone(),
        to: args.to.clone().unwrap_or_else(|| PathBuf::from(".")),
        until: args.until.unwrap_or_default(),
        hard: args.hard,
        undo: !args.no_undo,
        allow_loss: args.allow_loss,
        overwrite: args.overwrite,
        memory: args.effort.memory,
        threads: args.effort.threads(),
        closed,
        seed: args.seed.unwrap_or_else(rand_seed),
    })
}

/// A number that no other run has.
fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

#[derive(Serialize)]
struct Planned {
    bases: Vec<BaseLine>,
    first_generation: Option<u32>,
    last_generation: Option<u32>,
    log_files: usize,
    log_bytes: u64,
    ends: String,
    refusals: Vec<RefusalLine>,
}

#[derive(Serialize)]
struct BaseLine {
    file: String,
    state: String,
    required: Option<[u32; 2]>,
    committed: Option<u32>,
}

#[derive(Serialize)]
struct RefusalLine {
    object: String,
    what: String,
    jet: Option<i32>,
}

impl Planned {
    fn of(plan: &RebuildPlan) -> Self {
        let generations = plan.generations();
        let some = |number: u32| (number > 0).then_some(number);
        let bases = plan.bases.iter().map(|base| BaseLine {
            file: base.path.display().to_string(),
            state: base.header.state.to_string(),
            required: some(base.header.max_required).map(|last| [base.header.min_required, last]),
            committed: some(base.header.max_committed),
        });
        let refusals = plan.refusals.iter().map(|refusal| RefusalLine {
            object: refusal.object.clone(),
            what: refusal.sentence.clone(),
            jet: refusal.jet,
        });
        Planned {
            bases: bases.collect(),
            first_generation: generations.as_ref().map(|g| *g.start()),
            last_generation: generations.as_ref().map(|g| *g.end()),
            log_files: plan.logs.len(),
            log_bytes: plan.log_bytes(),
            ends: match &plan.stop {
                Stop::CurrentLog => "with the log that was being written".into(),
                Stop::LastLog => "with the last log: the one that was being written is not here".into(),
                Stop::Break(what) => format!("with the last log that follows the others: {what}"),
                Stop::Asked => "where it was asked to".into(),
            },
            refusals: refusals.collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for BaseLine { file, state, required, .. } in &self.bases {
            let needs = required
                .map_or(String::new(), |[first, last]| format!(", needs generations {first} to {last}"));
            lines.push(format!("base {}: {state}{needs}", shown(file.as_bytes())));
        }
        match (self.first_generation, self.last_generation) {
            (Some(first), Some(last)) => lines.push(format!(
                "logs: generations {first} to {last}, {} file{}, {}; ends {}",
                self.log_files,
                plural(self.log_files as u64),
                megabytes(self.log_bytes),
                self.ends
            )),
            _ => lines.push("logs: none to replay".into()),
        }
        lines
    }
}

impl Report for Planned {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for line in self.lines() {
            writeln!(out, "{line}")?;
        }
        if self.refusals.is_empty() {
            return writeln!(out, "nothing is in the way");
        }
        for RefusalLine { object, what, jet } in &self.refusals {
            let number = jet.map_or(String::new(), |jet| format!(" (ESE error {jet})"));
            writeln!(out, "refused: {}: {what}{number}", shown(object.as_bytes()))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Rebuilt {
    plan: Planned,
    databases: Vec<DatabaseLine>,
    logs: Vec<LogJson>,
    position: String,
    clean_shutdown: bool,
    open_transactions: u64,
    undone: u64,
    records: u64,
    log_bytes: u64,
    seconds: f64,
    bytes_per_second: f64,
    records_per_second: f64,
}

#[derive(Serialize)]
struct DatabaseLine {
    name: String,
    file: String,
    state: String,
    #[serde(flatten)]
    records: Counts,
    pages_read: u64,
    pages_written: u64,
    pages_corrected: u64,
}

#[derive(Serialize)]
struct Counts {
    applied: u64,
    present: u64,
    skipped: BTreeMap<&'static str, u64>,
}

impl Counts {
    fn of(counts: &RecordCounts) -> Self {
        let skipped = counts.skipped.iter().map(|(reason, count)| (reason.reason(), *count));
        Counts { applied: counts.applied, present: counts.present, skipped: skipped.collect() }
    }
}

#[derive(Serialize)]
struct LogJson {
    file: String,
    generation: u32,
    records: u64,
    record_bytes: u64,
    corrected: usize,
    torn: bool,
    stopped: bool,
    databases: Vec<Counts>,
    other_databases: BTreeMap<String, u64>,
}

impl Rebuilt {
    fn of(plan: Planned, report: &RebuildReport) -> Self {
        let databases = report.databases.iter().map(|line| DatabaseLine {
            name: line.name.clone(),
            file: line.path.display().to_string(),
            state: line.state.to_string(),
            records: Counts::of(&line.records),
            pages_read: line.pages.read,
            pages_written: line.pages.written,
            pages_corrected: line.pages.corrected,
        });
        let log = |line: &LogLine| LogJson {
            file: line.file.clone(),
            generation: line.report.generation,
            records: line.report.records,
            record_bytes: line.report.bytes,
            corrected: line.corrected,
            torn: line.is_torn,
            stopped: line.report.stopped,
            databases: line.report.databases.iter().map(Counts::of).collect(),
            other_databases: line.report.unknown.clone(),
        };
        let seconds = report.elapsed.as_secs_f64();
        Rebuilt {
            plan,
            databases: databases.collect(),
            logs: report.logs.iter().map(log).collect(),
            position: report.position.to_string(),
            clean_shutdown: report.clean_shutdown,
            open_transactions: report.open_transactions,
            undone: report.undone,
            records: report.records(),
            log_bytes: report.log_bytes,
            seconds,
            bytes_per_second: report.bytes_a_second(),
            records_per_second: report.records() as f64 / seconds.max(1e-9),
        }
    }
}

impl Report for Rebuilt {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for line in &self.databases {
            let Counts { applied, present, skipped } = &line.records;
            writeln!(out, "{}: {}", shown(line.file.as_bytes()), line.state)?;
            write!(out, "  {applied} page changes made, {present} there already")?;
            for (reason, count) in skipped {
                write!(out, ", {count} skipped {reason}")?;
            }
            writeln!(out, "; {} pages read, {} written", line.pages_read, line.pages_written)?;
        }
        let (open, undone) = (self.open_transactions, self.undone);
        if open > 0 {
            let back = if undone > 0 { format!(", {undone} changes taken back") } else { String::new() };
            writeln!(out, "{open} transaction{} open at the end{back}", plural(open))?;
        }
        writeln!(
            out,
            "{} records to {} in {:.2} s: {:.1} MB/s of log",
            self.records,
            self.position,
            self.seconds,
            rate(self.log_bytes, self.seconds)
        )
    }

    fn findings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for log in &self.logs {
            if log.corrected > 0 {
                lines.push(format!("{}: one flipped bit put right in {} segments", log.file, log.corrected));
            }
            if log.torn {
                lines.push(format!("{}: its end is torn, as after a crash", log.file));
            }
        }
        lines
    }
}
