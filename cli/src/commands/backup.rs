//! `reel backup`: files, folders, block devices or standard input go into a new set.

use crate::args::{Backup, OnBadPage};
use crate::bars::{self, Bar, Unit};
use crate::interrupt;
use crate::output::{Outcome, Report, plural, shown};
use crate::pages::Pages;
use crate::size::{megabytes, rate};
use reel_engine::backup::{BackupOptions, BackupReport, backup, backup_tree};
use reel_engine::pool::shelf;
use reel_engine::progress::Monitor;
use reel_engine::source::{Entry, FindingKind, Item, ReadSource, TreeOptions};
use reel_engine::{Class, Error, Result};
use serde::Serialize;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

#[derive(Serialize)]
struct BackedUp {
    set: u32,
    name: String,
    volume: String,
    streams: u64,
    input_bytes: u64,
    new_bytes: u64,
    duplicate_bytes: u64,
    zero_bytes: u64,
    hole_bytes: u64,
    stored_bytes: u64,
    medium_bytes: u64,
    new_chunks: u64,
    unindexed_chunks: u64,
    unsure_bytes: u64,
    seconds: f64,
    torn_sets: Vec<u32>,
    findings: Vec<FindingLine>,
    changed: Vec<Changed>,
    databases: Vec<Database>,
}

#[derive(Serialize)]
struct FindingLine {
    path: String,
    kind: &'static str,
    what: String,
}

#[derive(Serialize)]
struct Changed {
    stream: String,
    what: String,
}

#[derive(Serialize)]
struct Database {
    stream: String,
    page_size: u32,
    #[serde(flatten)]
    pages: Pages,
}

impl BackedUp {
    fn of(report: &BackupReport, name: &str, seconds: f64) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let finding = |f: &reel_engine::source::Finding| FindingLine {
            path: text(f.path.as_os_str().as_bytes()),
            kind: kind_word(f.kind),
            what: f.what.clone(),
        };
        let changed =
            |(stream, what): &(Vec<u8>, String)| Changed { stream: text(stream), what: what.clone() };
        let database = |d: &reel_engine::backup::DatabasePages| Database {
            stream: text(&d.stream),
            page_size: d.page_size,
            pages: Pages::of(d),
        };
        BackedUp {
            set: report.set,
            name: name.to_owned(),
            volume: report.volume.clone(),
            streams: report.streams,
            input_bytes: report.input_bytes,
            new_bytes: report.new_bytes,
            duplicate_bytes: report.duplicate_bytes,
            zero_bytes: report.zero_bytes,
            hole_bytes: report.hole_bytes,
            stored_bytes: report.stored_bytes,
            medium_bytes: report.medium_bytes,
            new_chunks: report.new_chunks,
            unindexed_chunks: report.unindexed_chunks,
            unsure_bytes: report.unsure_bytes,
            seconds,
            torn_sets: report.torn_sets.clone(),
            findings: report.findings.iter().map(finding).collect(),
            changed: report.changed.iter().map(changed).collect(),
            databases: report.databases.iter().map(database).collect(),
        }
    }
}

impl Report for BackedUp {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = if self.name.is_empty() { String::new() } else { format!(" \"{}\"", self.name) };
        let (streams, volume) = (self.streams, shown(self.volume.as_bytes()));
        writeln!(out, "set {}{name} on {volume}: {streams} stream{}", self.set, plural(streams))?;
        let speed = rate(self.input_bytes, self.seconds);
        let input = megabytes(self.input_bytes);
        writeln!(out, "  input       {input:>14}  in {:.2} s, {speed:.1} MB/s", self.seconds)?;
        writeln!(out, "  duplicate   {:>14}", megabytes(self.duplicate_bytes))?;
        writeln!(out, "  zeros, holes{:>14}", megabytes(self.zero_bytes.saturating_add(self.hole_bytes)))?;
        writeln!(out, "  new         {:>14}", megabytes(self.new_bytes))?;
        let medium = megabytes(self.medium_bytes);
        writeln!(out, "  stored      {:>14}  {medium} on the volume", megabytes(self.stored_bytes))?;
        if self.unindexed_chunks > 0 {
            let (chunks, unsure) = (self.unindexed_chunks, megabytes(self.unsure_bytes));
            writeln!(out, "  {chunks} chunk{} found no room in the index:", plural(chunks))?;
            writeln!(out, "    at most {unsure} may be stored again; --index-memory gives it more")?;
        }
        for set in &self.torn_sets {
            writeln!(
                out,
                "  set {set} is incomplete: its chunks are used, and it is restored by its number only"
            )?;
        }
        for Database { stream, page_size, pages } in &self.databases {
            let stream = shown(stream.as_bytes());
            writeln!(out, "{stream}: pages of {page_size} bytes, {}", pages.counts())?;
        }
        Ok(())
    }

    fn findings(&self) -> Vec<String> {
        let findings = self.findings.iter().map(|f| format!("{}: {}", shown(f.path.as_bytes()), f.what));
        let changed = self
            .changed
            .iter()
            .map(|c| format!("{}: it changed while it was read: {}", shown(c.stream.as_bytes()), c.what));
        let pages = self.databases.iter().flat_map(|d| {
            let stream = shown(d.stream.as_bytes());
            d.pages.findings().into_iter().map(move |what| format!("{stream}: {what}"))
        });
        findings.chain(changed).chain(pages).collect()
    }
}

fn kind_word(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Refused => "refused",
        FindingKind::Unreadable => "unreadable",
        FindingKind::Vanished => "vanished",
        FindingKind::OwnVolume => "own-volume",
        FindingKind::Attribute => "attribute",
    }
}

/// Makes a backup set.
pub fn run(args: &Backup) -> Result<Outcome> {
    let shelf = shelf::shelf(&args.pool.pool)?;
    let options = BackupOptions {
        name: args.name.clone(),
        pool_name: args.pool_name.clone(),
        compression: args.level,
        threads: args.effort.threads(),
        memory: match args.index_memory {
            Some(share) => args.effort.memory.with_index(share)?,
            None => args.effort.memory,
        },
        block_size: args.block_size,
        checkpoint: args.checkpoint,
        fail_on_bad_page: args.on_bad_page == OnBadPage::Fail,
        clock: args.clock,
        seed: args.seed,
        io: args.io.into(),
        ..BackupOptions::default()
    };
    let from_stdin = check_paths(args)?;
    let monitor = Monitor::default();
    interrupt::watch(
        &monitor,
        "what was written stays, and the next run uses it; earlier sets are untouched",
    );
    let started = Instant::now();
    let bar = Bar::start("backup", Unit::Bytes, &monitor);
    let report = if let Some(name) = from_stdin {
        let source = ReadSource::new(name, io::stdin())?;
        let item = Item::Entry(Entry::Stream(Box::new(source)));
        backup(&shelf, Box::new(std::iter::once(item)), &options, &monitor)
    } else {
        if bars::watched() {
            estimate_total(args.paths.clone(), &monitor);
        }
        let tree = TreeOptions {
            excludes: args.exclude.clone(),
            one_file_system: args.one_file_system,
            ..TreeOptions::default()
        };
        backup_tree(&shelf, &args.paths, tree, &options, &monitor)
    }?;
    drop(bar);
    let shown = BackedUp::of(&report, &args.name, started.elapsed().as_secs_f64());
    args.json.report_to().print(&shown)?;
    Ok(Outcome::of(report.has_findings()))
}

/// The stream name of standard input, if that is what is backed up.
fn check_paths(args: &Backup) -> Result<Option<Vec<u8>>> {
    let dash = Path::new("-");
    let refuse = |sentence| Err(Error::new(Class::Argument, "-", sentence));
    match &args.stdin_name {
        Some(name) if args.paths == [dash] => Ok(Some(name.as_bytes().to_vec())),
        Some(_) => refuse("with --stdin-name the only path is -, for standard input"),
        None if args.paths.iter().any(|p| p == dash) => {
            refuse("standard input needs a name: give --stdin-name NAME (a file of this name is ./-)")
        }
        None => Ok(None),
    }
}

/// Adds up the sizes of files, beside the run, for the bar to know what is left. It ends with the process.
fn estimate_total(paths: Vec<PathBuf>, monitor: &Monitor) {
    let monitor = monitor.clone();
    std::thread::spawn(move || {
        let (mut total, mut waiting) = (0u64, paths);
        while let Some(path) = waiting.pop() {
            let Ok(found) = path.symlink_metadata() else { continue };
            if found.is_file() {
                total = total.saturating_add(found.len());
            } else if found.is_dir() {
                waiting.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
            }
        }
        monitor.counters().total.store(total, Ordering::Relaxed);
    });
}
