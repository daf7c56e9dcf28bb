//! The memory check: a large store is backed up and restored under a bound, each in a process of its own, whose peak is
//! then read.

use crate::Result;
use crate::machine::peak_resident;
use reel_engine::backup::{BackupOptions, backup};
use reel_engine::memory::Memory;
use reel_engine::pool::shelf::shelf;
use reel_engine::pool::{Catalogs, Pool};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, restore};
use reel_engine::source::{Entry, Item, ReadSource};
use reel_workload::Store;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The bound that the runs are given, in bytes.
pub const BOUND: u64 = 256 << 20;
/// What may come on top of it: code, stacks, the allocator's own.
pub const SLACK: u64 = 64 << 20;

/// What is measured.
pub const STEPS: [&str; 2] = ["backup", "restore"];

/// The store's bytes, made as they are read.
struct StoreReader {
    store: Store,
    at: u64,
}

impl Read for StoreReader {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let now = (self.store.len() - self.at).min(buf.len() as u64).min(1 << 20) as usize;
        self.store.read_at(&mut buf[..now], self.at);
        self.at += now as u64;
        Ok(now)
    }
}

/// Backs up and restores a store of `bytes` bytes in `folder`; gives the peaks of both in bytes.
pub fn check(folder: &Path, bytes: u64) -> Result<[u64; 2]> {
    let mut peaks = [0; 2];
    for (step, peak) in STEPS.into_iter().zip(&mut peaks) {
        let child = Command::new(std::env::current_exe()?)
            .args(["--rss-step", step, "--size", &bytes.to_string(), "--dir"])
            .arg(folder)
            .stderr(Stdio::inherit())
            .output()?;
        if !child.status.success() {
            return Err(format!("the {step} ended with {}", child.status).into());
        }
        *peak = std::str::from_utf8(&child.stdout)?.trim().parse()?;
    }
    Ok(peaks)
}

/// One step of the check, in the process that is measured; gives its peak.
pub fn step(step: &str, folder: &Path, bytes: u64) -> Result<u64> {
    let memory = Memory::new(BOUND)?;
    let cache = folder.join("cache");
    let shelf = shelf(&folder.join("pool"))?;
    if step == "backup" {
        let source = ReadSource::new("mail.edb", StoreReader { store: Store::new(1, bytes), at: 0 })?;
        let items = std::iter::once(Item::Entry(Entry::Stream(Box::new(source))));
        let options = BackupOptions { memory, cache: Some(cache), ..BackupOptions::default() };
        let report = backup(&shelf, Box::new(items), &options, &Monitor::default())?;
        if report.has_findings() || report.databases.len() != 1 {
            return Err(format!("a backup with findings: {report:?}").into());
        }
    } else {
        let pool = Arc::new(Pool::open_shelf(shelf, Some(&cache), Catalogs::Cached)?);
        let options = RestoreOptions { memory, ..RestoreOptions::default() };
        let report = restore(&pool, &folder.join("restored"), &options, &Monitor::default())?;
        if !report.damaged.is_empty() {
            return Err(format!("a damaged restore: {report:?}").into());
        }
    }
    peak_resident()
}
