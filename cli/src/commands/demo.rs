//! `reel demo`: a mail store, two days of backups, a restore, a comparison of every byte, and the rates.

use crate::args::Demo;
use crate::bars::{Bar, Unit};
use crate::output::{Outcome, Report, plural};
use crate::size::{megabytes, rate};
use crate::{compare, interrupt};
use reel_engine::backup::{BackupOptions, BackupReport, backup_tree};
use reel_engine::pool::{Catalogs, Pool, shelf};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, restore};
use reel_engine::source::TreeOptions;
use reel_engine::{Class, Error, Result};
use reel_workload::Store;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The same demo every time.
const SEED: u64 = 1;
/// Pages of a thousand that the second day changes.
const CHANGED_PER_MILLE: u32 = 30;
/// Thousandths by which the second day makes the store grow, and as many bytes of logs.
const GROWN_PER_MILLE: u32 = 20;
/// What restores a store of 50 GB in so many minutes, in MB/s.
const NEEDED: [(u32, f64); 2] = [(20, 41.7), (5, 166.7)];

/// One line of the table.
#[derive(Serialize)]
struct Step {
    name: &'static str,
    bytes: u64,
    new_bytes: Option<u64>,
    stored_bytes: Option<u64>,
    seconds: f64,
    megabytes_per_second: f64,
}

#[derive(Serialize)]
struct Demonstrated {
    steps: Vec<Step>,
    files_equal: u64,
    bytes_equal: u64,
    bad_pages: u64,
    restore_megabytes_per_second: f64,
    times_of_20_minutes: f64,
    times_of_5_minutes: f64,
    folder: Option<String>,
}

impl Report for Demonstrated {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let heads = ["input", "new", "stored", "time", "rate"];
        write!(out, "{:<34}", "")?;
        for head in heads {
            write!(out, "{head:>14}")?;
        }
        writeln!(out)?;
        let optional = |bytes: Option<u64>| bytes.map_or(String::new(), megabytes);
        for step in &self.steps {
            let (new, stored) = (optional(step.new_bytes), optional(step.stored_bytes));
            let (time, speed) =
                (format!("{:.2} s", step.seconds), format!("{:.1} MB/s", step.megabytes_per_second));
            writeln!(
                out,
                "{:<34}{:>14}{new:>14}{stored:>14}{time:>14}{speed:>14}",
                step.name,
                megabytes(step.bytes)
            )?;
        }
        for ((minutes, needed), times) in
            NEEDED.iter().zip([self.times_of_20_minutes, self.times_of_5_minutes])
        {
            let what = format!("needed for 50 GB in {minutes} minutes");
            let (needed, times) = (format!("{needed:.1} MB/s"), format!("{times:.1} times that"));
            writeln!(out, "{what:<90}{needed:>14}  the restore: {times}")?;
        }
        let files = self.files_equal;
        writeln!(
            out,
            "{files} restored file{} ({}) are equal to what was backed up, byte for byte; {} bad pages",
            plural(files),
            megabytes(self.bytes_equal),
            self.bad_pages
        )?;
        if let Some(folder) = &self.folder {
            writeln!(out, "everything is left in {folder}")?;
        }
        Ok(())
    }
}

/// Runs the demo.
pub fn run(args: &Demo) -> Result<Outcome> {
    let folder = Folder::of(args.keep.as_deref())?;
    interrupt::watch(&Monitor::default(), "the demo's folder is removed, unless it is kept");
    let mut report = demonstrate(args, folder.path())?;
    if args.keep.is_some() {
        report.folder = Some(folder.path().display().to_string());
    }
    args.json.report_to().print(&report)?;
    Ok(Outcome::of(report.bad_pages > 0))
}

fn demonstrate(args: &Demo, folder: &Path) -> Result<Demonstrated> {
    let demo =
        Run { args, store: folder.join("store"), pool: folder.join("pool"), cache: folder.join("cache") };
    let restored = folder.join("restored");
    let monday = Store::new(SEED, args.size).with_logs(1, args.size / 50);
    let tuesday = monday.next_day(CHANGED_PER_MILLE, GROWN_PER_MILLE);
    let mut steps = Vec::new();

    let started = Instant::now();
    demo.write_store(&monday, None)?;
    let logs = u64::from(monday.logs().last() - monday.logs().first() + 1) << 20;
    steps.push(step("make a mail store and its logs", monday.len() + logs, started, None));
    let started = Instant::now();
    let first = demo.back_up("first")?;
    steps.push(step("first backup", first.input_bytes, started, Some(&first)));

    demo.write_store(&tuesday, Some(&monday))?;
    let started = Instant::now();
    let second = demo.back_up("second")?;
    steps.push(step("second, 3 % of the pages changed", second.input_bytes, started, Some(&second)));

    let started = Instant::now();
    let bytes = demo.restore(&restored)?;
    let back = step("restore, verified", bytes, started, None);
    let speed = back.megabytes_per_second;
    steps.push(back);

    let started = Instant::now();
    let (files_equal, bytes_equal) =
        compare::folders(&demo.store, &restored.join("store"), args.effort.threads())?;
    steps.push(step("compare every byte", bytes_equal, started, None));
    let pages = |report: &BackupReport| -> u64 {
        report.databases.iter().map(|d| d.pages.bad + d.pages.past_end).sum()
    };
    Ok(Demonstrated {
        steps,
        files_equal,
        bytes_equal,
        bad_pages: pages(&first) + pages(&second),
        restore_megabytes_per_second: speed,
        times_of_20_minutes: speed / NEEDED[0].1,
        times_of_5_minutes: speed / NEEDED[1].1,
        folder: None,
    })
}

fn step(name: &'static str, bytes: u64, started: Instant, backup: Option<&BackupReport>) -> Step {
    let seconds = started.elapsed().as_secs_f64();
    Step {
        name,
        bytes,
        new_bytes: backup.map(|b| b.new_bytes),
        stored_bytes: backup.map(|b| b.stored_bytes),
        seconds,
        megabytes_per_second: rate(bytes, seconds),
    }
}

/// The folders of one demo.
struct Run<'a> {
    args: &'a Demo,
    store: PathBuf,
    pool: PathBuf,
    cache: PathBuf,
}

impl Run<'_> {
    /// Writes a day's store and adds its logs.
    fn write_store(&self, day: &Store, before: Option<&Store>) -> Result<()> {
        interrupt::check("demo")?;
        let path = self.store.join("mail.edb");
        let failed = |e| Error::io(path.display().to_string(), "cannot make the store", e);
        fs::create_dir_all(&self.store).map_err(failed)?;
        let mut open = File::options();
        let file = open.create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match before {
            None => day.write_to(&file).map_err(failed)?,
            Some(before) => day.update_file(before, &file).map(drop).map_err(failed)?,
        }
        day.logs().write_to(&self.store, 0, u32::MAX).map_err(failed)?;
        interrupt::check("demo")
    }

    fn back_up(&self, name: &str) -> Result<BackupReport> {
        let options = BackupOptions {
            name: name.to_owned(),
            pool_name: "demo".to_owned(),
            threads: self.args.effort.threads(),
            memory: self.args.effort.memory,
            cache: Some(self.cache.clone()),
            ..BackupOptions::default()
        };
        let monitor = Monitor::default();
        interrupt::watch(&monitor, "the demo's folder is removed, unless it is kept");
        let _bar = Bar::start("backup", Unit::Bytes, &monitor);
        let shelf = shelf::shelf(&self.pool)?;
        let report = backup_tree(
            &shelf,
            std::slice::from_ref(&self.store),
            TreeOptions::default(),
            &options,
            &monitor,
        )?;
        match report.findings.first() {
            Some(finding) => Err(Error::new(Class::Internal, "demo", finding.to_string())),
            None => Ok(report),
        }
    }

    /// Restores the newest set and gives its bytes.
    fn restore(&self, to: &Path) -> Result<u64> {
        let monitor = Monitor::default();
        interrupt::watch(&monitor, "the demo's folder is removed, unless it is kept");
        let _bar = Bar::start("restore", Unit::Bytes, &monitor);
        let pool = Pool::open_shelf(shelf::shelf(&self.pool)?, Some(&self.cache), Catalogs::Cached)?;
        let options = RestoreOptions {
            threads: self.args.effort.threads(),
            memory: self.args.effort.memory,
            ..RestoreOptions::default()
        };
        let report = restore(&Arc::new(pool), to, &options, &monitor)?;
        match report.damaged.first() {
            Some(damaged) => Err(Error::new(Class::Checksum, "demo", damaged.why.clone())),
            None => Ok(report.bytes),
        }
    }
}

/// Where the demo works.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn of(keep: Option<&Path>) -> Result<Folder> {
        let Some(keep) = keep else {
            let made = tempfile::Builder::new().prefix("reel-demo-").tempdir();
            let failed = |e| Error::io("temporary folder", "cannot make the demo's folder", e);
            return made.map(Folder::Temporary).map_err(failed);
        };
        let object = || keep.display().to_string();
        fs::create_dir_all(keep).map_err(|e| Error::io(object(), "cannot make the folder", e))?;
        let mut entries = fs::read_dir(keep).map_err(|e| Error::io(object(), "cannot list the folder", e))?;
        if entries.next().is_some() {
            return Err(Error::new(
                Class::Argument,
                object(),
                "the folder is not empty, expected an empty or a new one",
            ));
        }
        Ok(Folder::Kept(keep.to_owned()))
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Kept(path) => path,
            Folder::Temporary(folder) => folder.path(),
        }
    }
}
