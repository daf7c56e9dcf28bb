//! What the dedup index costs: the time to make and to open it, its memory, and the rate of its answers, over catalogs of as many
//! chunks as are asked for.

use crate::Result;
use reel_engine::digest::Digest;
use reel_engine::index::{Index, IndexedSets, renew};
use reel_engine::pool::catalog::CatalogWriter;
use reel_engine::pool::{Catalog, SetInfo, SetStatus};
use reel_tape::layout::record::{RecordKind, append_plain};
use reel_tape::layout::segment::{ChunkEntry, FrameEntry, Place, Segment};
use reel_tape::layout::set::SetHead;
use reel_tape::layout::trailer::Trailer;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Chunks of 32 KiB in a segment of 64 MiB.
const SEGMENT: u64 = 2048;
/// Sets: one full backup and thirty increments of one percent of it.
const INCREMENTS: u64 = 30;
const SETS: u32 = INCREMENTS as u32 + 1;
const LENGTH: u32 = 32 << 10;
/// Answers that are timed.
const ASKED: u64 = 1_000_000;

/// What was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct IndexCost {
    /// Chunks of the pool.
    pub chunks: u64,
    /// Bytes of the cached catalogs, and of the index's files beside them.
    pub files: [u64; 2],
    /// Seconds to make the index from the catalogs.
    pub make: f64,
    /// Seconds to open the catalogs and to open the index.
    pub open: [f64; 2],
    /// Bytes of anonymous memory that both took, and of mapped files that were touched by then.
    pub resident: [u64; 2],
    /// Nanoseconds of an answer: a chunk behind the one before, any chunk, a chunk that is not there, a new chunk with its entry.
    pub answers: [f64; 4],
    /// Bytes of anonymous memory for each new chunk.
    pub new_chunk: f64,
}

/// Measures the index over `chunks` chunks, whose catalogs (43 bytes each) and index (21) are written into `folder`. It is opened
/// in a process of its own, whose memory nothing else has used.
pub fn measure(folder: &Path, chunks: u64) -> Result<IndexCost> {
    write_catalogs(folder, chunks)?;
    let catalogs = bytes_in(folder)?;
    let begun = Instant::now();
    renew(&indexed(folder)?);
    let make = begun.elapsed().as_secs_f64();
    let files = [catalogs, bytes_in(folder)? - catalogs];
    let child = Command::new(std::env::current_exe()?)
        .args(["--index-step", "--chunks", &chunks.to_string(), "--dir"])
        .arg(folder)
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err(format!("the index's process ended with {}", child.status).into());
    }
    Ok(IndexCost { files, make, ..serde_json::from_slice(&child.stdout)? })
}

/// Opens and asks the index that stands in `folder`, in the process that is measured.
pub fn step(folder: &Path, chunks: u64) -> Result<IndexCost> {
    let mut cost = IndexCost { chunks, ..IndexCost::default() };
    let before = [resident("RssAnon")?, resident("RssFile")?];
    let begun = Instant::now();
    let catalogs = indexed(folder)?;
    cost.open[0] = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let mut index = Index::open(catalogs, SETS + 1, u64::MAX / 16)?;
    cost.open[1] = begun.elapsed().as_secs_f64();
    let after = [resident("RssAnon")?, resident("RssFile")?];
    cost.resident = [after[0].saturating_sub(before[0]), after[1].saturating_sub(before[1])];

    let asked = ASKED.min(chunks);
    let any = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % chunks;
    let answers: [&dyn Fn(u64) -> u64; 3] = [&|i| i, &any, &|i| chunks + i];
    for ((answer, number), expected) in cost.answers.iter_mut().zip(answers).zip([true, true, false]) {
        let begun = Instant::now();
        for i in 0..asked {
            if index.find(&digest(number(i)))?.is_some() != expected {
                return Err(format!("chunk {} has a wrong answer", number(i)).into());
            }
        }
        *answer = begun.elapsed().as_secs_f64() * 1e9 / asked as f64;
    }
    let anonymous = resident("RssAnon")?;
    let begun = Instant::now();
    for i in chunks..chunks + asked {
        let digest = digest(i);
        if index.find(&digest)?.is_none() {
            index.add(&digest, (i / SEGMENT) as u32, (i % SEGMENT) as u32)?;
        }
    }
    cost.answers[3] = begun.elapsed().as_secs_f64() * 1e9 / asked as f64;
    cost.new_chunk = resident("RssAnon")?.saturating_sub(anonymous) as f64 / asked as f64;
    Ok(cost)
}

/// The figures, as a table.
pub fn markdown(cost: &IndexCost) -> String {
    let mut out = String::new();
    let mega = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let chunks = cost.chunks as f64;
    let per = |bytes: u64| format!("{} ({:.2} bytes a chunk)", mega(bytes), bytes as f64 / chunks);
    let rows = [
        ("catalogs in the cache".to_owned(), per(cost.files[0])),
        ("index files beside them".to_owned(), per(cost.files[1])),
        ("index made from the catalogs".to_owned(), format!("{:.2} s", cost.make)),
        ("catalogs opened".to_owned(), format!("{:.1} ms", cost.open[0] * 1e3)),
        ("index opened, filters read and checked".to_owned(), format!("{:.1} ms", cost.open[1] * 1e3)),
        ("anonymous memory of both".to_owned(), per(cost.resident[0])),
        ("mapped bytes touched".to_owned(), per(cost.resident[1])),
        ("a chunk behind the one before".to_owned(), format!("{:.0} ns", cost.answers[0])),
        ("any chunk".to_owned(), format!("{:.0} ns", cost.answers[1])),
        ("a chunk that is not there".to_owned(), format!("{:.0} ns", cost.answers[2])),
        ("a new chunk, with its entry".to_owned(), format!("{:.0} ns", cost.answers[3])),
        ("anonymous memory of a new chunk".to_owned(), format!("{:.1} bytes", cost.new_chunk)),
    ];
    let _ = writeln!(out, "| index of {:.1} million chunks | |\n| --- | ---: |", chunks / 1e6);
    for (what, figure) in rows {
        let _ = writeln!(out, "| {what} | {figure} |");
    }
    out
}

/// A digest; 128 bits of it are made of the number.
fn digest(number: u64) -> Digest {
    let mut digest = [0x35; 32];
    let mut state = number;
    for word in digest.as_chunks_mut::<8>().0.iter_mut().take(2) {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        *word = (mixed ^ (mixed >> 31)).to_le_bytes();
        state = state.wrapping_add(number << 1);
    }
    digest[16..24].copy_from_slice(&number.to_le_bytes());
    digest
}

fn write_catalogs(folder: &Path, chunks: u64) -> Result<()> {
    let increment = chunks / (100 + INCREMENTS);
    let full = chunks - increment * INCREMENTS;
    let ends = (0..=INCREMENTS).map(|number| full + number * increment);
    let mut first = 0;
    for (set, end) in (1..).zip(ends) {
        write_catalog(folder, set, first..end)?;
        first = end;
    }
    Ok(())
}

fn write_catalog(folder: &Path, set: u32, chunks: std::ops::Range<u64>) -> Result<()> {
    let mut writer = CatalogWriter::create(Some(folder), set)?;
    let mut record = Vec::new();
    for (segment, first) in (0..).zip(chunks.clone().step_by(SEGMENT as usize)) {
        let numbers = first..chunks.end.min(first + SEGMENT);
        let place = Place { part: 0, index: 1, offset: 0 };
        let frames = (0..(numbers.end - first) as u32).step_by(8);
        let table = Segment {
            set,
            segment,
            input: SEGMENT * u64::from(LENGTH),
            frames: frames
                .map(|at| FrameEntry::new(at, 8.min((numbers.end - first) as u32 - at), place, 9))
                .collect(),
            chunks: numbers.map(|number| ChunkEntry::plain(digest(number), LENGTH)).collect(),
        };
        record.clear();
        append_plain(&mut record, RecordKind::Segment, &[&table.encode()]);
        writer.segment(&record, &table, true)?;
    }
    let head = SetHead {
        set,
        part: 0,
        session: 1,
        started: 0,
        checkpoint: 1,
        block_size: 512 << 10,
        name: String::new(),
        host: String::new(),
        software: String::new(),
    };
    writer.finish(SetInfo {
        head,
        volume: "volume".into(),
        header_object: 2,
        end_object: 3,
        status: SetStatus::Complete,
        end: None,
        trailer: Some(Trailer { set, ..Trailer::default() }),
    })?;
    Ok(())
}

fn indexed(folder: &Path) -> Result<IndexedSets> {
    let open = |set| Catalog::open(folder, set).map(Arc::new).ok_or("a catalog does not open");
    let catalogs = (1..=SETS).map(open).collect::<std::result::Result<_, _>>()?;
    Ok(IndexedSets { pool: Uuid::from_u128(1), catalogs, folder: Some(folder.to_owned()) })
}

fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// Bytes of this process in memory, of one kind, as `/proc/self/status` has them.
fn resident(kind: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
    let kib =
        line.and_then(|rest| rest.trim().strip_suffix("kB")).ok_or("no such line in /proc/self/status")?;
    Ok(kib.trim().parse::<u64>()? << 10)
}
