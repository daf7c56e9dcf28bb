//! Any bytes, replayed as records on a small database. The first byte says how; see [`Mode`].

pub mod base;
mod file;
mod mend;

use super::log::{in_segments, mend_log_header, segment_log_of};
use base::{Base, LOG_SIGNATURE};
use file::{MAX_LEN, Memory};
use reel_formats::error::Error;
use reel_formats::ese::header::{DatabaseHeader, DatabaseState};
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::page::checksum::{PageState, verify};
use reel_formats::ese::page::edit::EditPage;
use reel_formats::ese::position::LogTime;
use reel_formats::ese::replay::counts::RecordCounts;
use reel_formats::ese::replay::{Options, RebuildFile, Replay};
use std::sync::{Arc, Mutex};

/// Most databases that an input may create.
const MAX_CREATED: usize = 4;

/// How the records of an input are replayed.
#[derive(Clone, Copy)]
pub struct Mode(pub u8);

impl Mode {
    /// Pages of 32 KiB, not 4.
    pub const LARGE_PAGES: u8 = 1;
    /// Open transactions are taken back.
    pub const UNDO: u8 = 2;
    /// Nothing is changed.
    pub const CHECK: u8 = 4;
    /// The base needs the logs.
    pub const DIRTY_BASE: u8 = 8;
    /// Every change of a page fits the page's update counter.
    pub const UNCHECKED: u8 = 16;
    /// The second half of the records stands in a second log.
    pub const TWO_LOGS: u8 = 32;
    /// Databases that the logs create are made.
    pub const CREATE: u8 = 64;
    /// A replay without undo is gone on with by one with undo.
    pub const RESUME: u8 = 128;

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// Bytes in a page.
    pub fn page_size(self) -> u32 {
        if self.has(Self::LARGE_PAGES) { 32768 } else { 4096 }
    }
}

/// Replays an input, holds what comes of it against what must be so, and says what became of its page records; `None` for
/// an input that is no log.
pub fn run(data: &[u8]) -> Option<Result<RecordCounts, Error>> {
    let (mode, records) = data.split_first()?;
    let mode = Mode(*mode);
    let logs = logs(mode, records)?;
    let (alone, together) = (replays(mode, &logs, 1)?, replays(mode, &logs, 3)?);
    let text = |result: &Result<RecordCounts, Error>| format!("{result:?}");
    assert_eq!(text(&alone.0), text(&together.0), "whatever the threads");
    assert!(alone.1 == together.1, "the same bytes whatever the threads");
    Some(alone.0)
}

/// Replays the logs on a new base; gives what became of the records, and the base as it is then.
fn replays(mode: Mode, logs: &[LogFile], threads: usize) -> Option<(Result<RecordCounts, Error>, Vec<u8>)> {
    let file = Memory::default();
    file.set_len(0).ok()?;
    let base =
        Base { page_size: mode.page_size(), dirty: mode.has(Mode::DIRTY_BASE), logs: logs.len() as u32 };
    file.write_at(0, &base.bytes()).ok()?;
    let undo = mode.has(Mode::UNDO);
    let first = replay(mode, &file, logs, undo, &[], threads);
    if mode.has(Mode::RESUME)
        && !undo
        && !mode.has(Mode::CHECK)
        && let Ok((_, pending)) = &first
    {
        let _ = replay(mode, &file, logs, true, pending, threads);
    }
    Some((first.map(|(counts, _)| counts), file.bytes()))
}

/// The logs that hold the records, the base attached in their headers.
fn logs(mode: Mode, records: &[u8]) -> Option<Vec<LogFile>> {
    let mended;
    let records = if mode.has(Mode::UNCHECKED) {
        mended = mend::unchecked(records);
        &mended
    } else {
        records
    };
    let cut = if mode.has(Mode::TWO_LOGS) { mend::middle(records) } else { records.len() };
    let (first, second) = records.split_at(cut);
    let bodies = [Some(first), mode.has(Mode::TWO_LOGS).then_some(second)];
    let logs = (1..).zip(bodies.into_iter().flatten()).map(|(generation, body)| {
        let mut file = segment_log_of(generation, &in_segments(body));
        file[14..16].copy_from_slice(&(mode.page_size() as u16).to_le_bytes());
        file[44..72].copy_from_slice(&LOG_SIGNATURE);
        base::attach(&mut file, mode.has(Mode::DIRTY_BASE));
        mend_log_header(&mut file);
        LogFile::open(file)
    });
    logs.collect::<Result<_, _>>().ok()
}

fn replay(
    mode: Mode,
    file: &Memory,
    logs: &[LogFile],
    undo: bool,
    saved: &[u8],
    threads: usize,
) -> Result<(RecordCounts, Vec<u8>), Error> {
    let created: Arc<Mutex<Vec<Memory>>> = Arc::default();
    let creating = created.clone();
    let mut replay = Replay::new(Options {
        memory: 1 << 20,
        threads,
        hard: true,
        create: mode.has(Mode::CREATE).then(|| {
            let create: reel_formats::ese::replay::Create<'_> = Box::new(move |_| {
                let mut created = creating.lock().expect("nobody panicked");
                if created.len() == MAX_CREATED {
                    return Ok(None);
                }
                let file = Memory::default();
                created.push(file.clone());
                Ok(Some(Box::new(file)))
            });
            create
        }),
        undo,
        allow_loss: false,
        closed: LogTime::default(),
        seed: 1,
        check: mode.has(Mode::CHECK),
    });
    let place = replay.add_base("base", Box::new(file.clone()))?;
    if !saved.is_empty() {
        replay.resume(place, saved)?;
    }
    let first = logs.first().expect("there is always one");
    replay.begin(first, &first.header().attachments)?;
    let mut counts = RecordCounts::default();
    for log in logs {
        let report = replay.log(log, |_| false)?;
        report.databases.iter().for_each(|one| counts.add(one));
    }
    if mode.has(Mode::CHECK) {
        let before = file.bytes();
        let _ = replay.finish_check();
        assert!(before == file.bytes(), "a check changes nothing");
        return Ok((counts, Vec::new()));
    }
    let report = replay.finish()?;
    let files = [vec![file.clone()], created.lock().expect("nobody panicked").clone()].concat();
    for (file, database) in files.iter().zip(&report.databases) {
        if undo {
            assert_eq!(database.state, DatabaseState::CleanShutdown);
            assert!(database.pending.is_empty(), "nothing is left open by undo");
        }
        is_sound(&file.bytes(), database.state);
    }
    let pending = report.databases.into_iter().next().map_or_else(Vec::new, |base| base.pending);
    Ok((counts, pending))
}

/// Holds the bytes of a database against what is so of every database that a replay wrote.
fn is_sound(bytes: &[u8], state: DatabaseState) {
    assert!(bytes.len() <= MAX_LEN);
    let (header, copies) = DatabaseHeader::find(bytes).expect("a good header");
    assert!(copies.equal, "both copies of the header are the same");
    assert_eq!(header.state, state);
    let size = header.page_size as usize;
    for (pgno, page) in (1..).zip(bytes.chunks(size).skip(2)) {
        match verify(page, pgno) {
            PageState::Zero => {}
            PageState::Good => {
                EditPage::new(page.into(), pgno).expect("a well-formed page");
            }
            other => panic!("page {pgno}: {other:?}"),
        }
    }
}
