//! Prints how fast a cold database is read and backed up again, and how fast an image is written until it is durable,
//! plainly and through io_uring: `cargo run --release -p reel-benches --example cold -- FOLDER [MIB]`.
//!
//! The ways take turns, and the fastest of a few rounds counts.

use reel_benches::Result;
use reel_benches::cold::{cold_read, cool};
use reel_benches::machine::{Span, cores, timed};
use reel_engine::attributes::Accounts;
use reel_engine::backup::{BackupOptions, backup_tree};
use reel_engine::frame::Compression;
use reel_engine::io::{Files, Io};
use reel_engine::memory::Memory;
use reel_engine::pool::shelf::shelf;
use reel_engine::progress::Monitor;
use reel_engine::source::{FileSource, Source, TreeOptions};
use reel_workload::Store;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const WAYS: [Io; 2] = [Io::Plain, Io::Uring];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().ok_or("a folder is wanted")?;
    let bytes = arguments.next().map_or(Ok(1 << 30), |mib| mib.parse::<u64>().map(|mib| mib << 20))?;
    let folder = tempfile::Builder::new().prefix("reel-cold-").tempdir_in(parent)?;
    let database = folder.path().join("mail.edb");
    let file = File::options().read(true).write(true).create_new(true).open(&database)?;
    Store::new(1, bytes).write_to(&file)?;
    file.sync_all()?;

    let limit = cold_read(&database, 3)?;
    println!(
        "cold read, MB/s: plain {:.0}, io_uring {:.0}",
        limit.plain / 1e6,
        limit.uring.unwrap_or(0.0) / 1e6
    );
    ahead(&database, bytes)?;
    let pool = folder.path().join("pool");
    report("image without compression", bytes, &database, &pool, Compression::None, Some(2))?;
    report("cold, 0 % changed", bytes, &database, &pool, Compression::Zstd(1), None)?;
    let again = cold_read(&database, 3)?;
    println!("ratio's base, MB/s: {:.0}", again.best().max(limit.best()) / 1e6);
    Ok(())
}

/// Prints how fast all threads read the cold file in windows, as workers do, and nothing else.
fn ahead(database: &Path, bytes: u64) -> Result<()> {
    const WINDOW: u64 = 8 << 20;
    let mut fastest = [f64::INFINITY; WAYS.len()];
    for _ in 0..3 {
        for (io, fastest) in WAYS.into_iter().zip(&mut fastest) {
            cool(database)?;
            let files = Files::new(io, Memory::DEFAULT)?;
            let source = FileSource::open(database, b"f".to_vec(), &Accounts::default(), &mut Vec::new())?;
            let reader = source.read_through(&files).positioned().ok_or("no positioned reading")?;
            let next = AtomicU64::new(0);
            let read = || {
                let mut step = vec![0; 512 << 10];
                loop {
                    let window = next.fetch_add(WINDOW, Ordering::Relaxed);
                    for offset in (window..window + WINDOW).step_by(step.len()) {
                        if reader.read_at(&mut step, offset)? == 0 {
                            return reel_engine::Result::Ok(());
                        }
                    }
                }
            };
            let (span, ()) = timed(|| {
                std::thread::scope(|scope| {
                    let readers: Vec<_> = (0..cores()).map(|_| scope.spawn(read)).collect();
                    readers.into_iter().try_for_each(|r| Ok(r.join().map_err(|_| "a reader panicked")??))
                })
            })?;
            *fastest = fastest.min(span.wall);
        }
    }
    for (io, wall) in WAYS.into_iter().zip(fastest) {
        println!("cold read in windows, {io:?}, {} cores: {:.0} MB/s", cores(), bytes as f64 / wall / 1e6);
    }
    Ok(())
}

/// Prints the fastest run of each way: so many from a warm file into a new pool if `anew`, else from a cold one into what is
/// there.
fn report(
    what: &str,
    bytes: u64,
    database: &Path,
    pool: &Path,
    compression: Compression,
    anew: Option<usize>,
) -> Result<()> {
    let (rounds, anew) = (anew.unwrap_or(5), anew.is_some());
    let mut fastest = [None::<Span>; WAYS.len()];
    for _ in 0..rounds {
        for (io, fastest) in WAYS.into_iter().zip(&mut fastest) {
            if anew {
                let _ = std::fs::remove_dir_all(pool);
                std::io::copy(&mut File::open(database)?, &mut std::io::sink())?;
            } else {
                cool(database)?;
            }
            let io = if anew && io == Io::Uring { Io::Auto } else { io };
            let cache = Some(pool.with_extension("cache"));
            let options = BackupOptions { io, compression, cache, ..BackupOptions::default() };
            let paths = [database.to_owned()];
            let run = || {
                Ok(backup_tree(&shelf(pool)?, &paths, TreeOptions::default(), &options, &Monitor::default())?)
            };
            let (span, _) = timed(run)?;
            if fastest.is_none_or(|f| span.wall < f.wall) {
                *fastest = Some(span);
            }
        }
    }
    for (io, span) in WAYS.into_iter().zip(fastest) {
        let span = span.ok_or("no run")?;
        let rate = bytes as f64 / span.wall / 1e6;
        println!(
            "{what}, {io:?}, {} cores: {rate:.0} MB/s, CPU {:.2} s, others {:.2} s",
            cores(),
            span.cpu,
            span.others
        );
    }
    Ok(())
}
