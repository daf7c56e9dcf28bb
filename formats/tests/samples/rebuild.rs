//! Cases rebuilt in memory.
#![allow(dead_code, reason = "each test file uses its part")]

use crate::case::Case;
use reel_formats::error::Error;
use reel_formats::ese::database::DatabaseFile;
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::position::LogTime;
use reel_formats::ese::replay::{Options, RebuildFile, Replay, Report};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// A database in memory.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// All its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no test panicked").clone()
    }
}

impl DatabaseFile for Memory {
    fn len(&self) -> u64 {
        self.0.lock().expect("no test panicked").len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panicked").read_at(offset, buffer)
    }
}

impl RebuildFile for Memory {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.0.lock().expect("no test panicked");
        let end = offset as usize + bytes.len();
        if file.len() < end {
            file.resize(end, 0);
        }
        file[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().expect("no test panicked").resize(len as usize, 0);
        Ok(())
    }
}

/// Databases by the last part of their name.
pub type Databases = BTreeMap<String, Memory>;

/// What a replay has to work with.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// Hard recovery.
    pub hard: bool,
    /// Threads.
    pub threads: usize,
    /// Bytes for pages.
    pub memory: u64,
}

/// Memory for all pages of most cases.
pub const AMPLE: Means = Means { hard: false, threads: 2, memory: 64 << 20 };

/// Replays all logs of a case on its base; the databases by the last part of their name.
pub fn replay(case: &Case, undo: bool, means: Means) -> Result<(Databases, Report), Error> {
    replay_logs(&case.bases(), &case.logs(), undo, &BTreeMap::new(), means)
}

/// Replays logs on copies of bases, with what an earlier replay left behind.
pub fn replay_logs(
    bases: &BTreeMap<String, Vec<u8>>,
    logs: &[LogFile],
    undo: bool,
    saved: &BTreeMap<String, Vec<u8>>,
    means: Means,
) -> Result<(Databases, Report), Error> {
    let made: Arc<Mutex<Databases>> = Arc::default();
    let creating = made.clone();
    let mut replay = Replay::new(Options {
        memory: means.memory,
        threads: means.threads,
        hard: means.hard,
        create: Some(Box::new(move |new| {
            let name = new.path.rsplit(['\\', '/']).next().unwrap_or(new.path).to_owned();
            let file = Memory::default();
            creating.lock().expect("no test panicked").insert(name, file.clone());
            Ok(Some(Box::new(file)))
        })),
        undo,
        allow_loss: false,
        closed: LogTime::utc(2026, 11, 24, 12, 0, 0, 0).expect("a year that fits"),
        seed: 1,
        check: false,
    });
    for (name, bytes) in bases {
        let file = Memory(Arc::new(Mutex::new(bytes.clone())));
        made.lock().expect("no test panicked").insert(name.clone(), file.clone());
        let place = replay.add_base(name, Box::new(file))?;
        if let Some(saved) = saved.get(name).filter(|saved| !saved.is_empty()) {
            replay.resume(place, saved)?;
        }
    }
    let first = logs.first().expect("a case has logs");
    replay.begin(first, &first.header().attachments)?;
    for log in logs {
        replay.log(log, |_| false)?;
    }
    let report = replay.finish()?;
    let made = made.lock().expect("no test panicked").clone();
    Ok((made, report))
}
