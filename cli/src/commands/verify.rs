//! `reel verify`: every block and every chunk is read and checked.

use crate::args::Verify;
use crate::bars::{Bar, Unit};
use crate::interrupt;
use crate::output::{Outcome, Report, plural, shown};
use crate::sets::{Bytes, DamageLine};
use crate::size::megabytes;
use reel_engine::Result;
use reel_engine::pool::Pool;
use reel_engine::progress::Monitor;
use reel_engine::verify::{VerifyReport, verify};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

#[derive(Serialize)]
struct Verified {
    volumes: u64,
    blocks: u64,
    bytes: u64,
    frames: u64,
    chunks: u64,
    sets: u64,
    streams: u64,
    incomplete_sets: Vec<u32>,
    unlisted_sets: Vec<u32>,
    damage: Vec<DamageLine>,
    hit: Vec<Hit>,
}

#[derive(Serialize)]
struct Hit {
    set: u32,
    stream: String,
    lost: Vec<Bytes>,
}

impl Verified {
    fn of(report: &VerifyReport) -> Self {
        let hit = report.hit.iter().map(|hit| Hit {
            set: hit.set,
            stream: String::from_utf8_lossy(&hit.stream).into_owned(),
            lost: Bytes::all(&hit.lost),
        });
        Verified {
            volumes: report.volumes,
            blocks: report.blocks,
            bytes: report.bytes,
            frames: report.frames,
            chunks: report.chunks,
            sets: report.sets,
            streams: report.streams,
            incomplete_sets: report.incomplete_sets.clone(),
            unlisted_sets: report.unlisted_sets.clone(),
            damage: DamageLine::all(&report.damage),
            hit: hit.collect(),
        }
    }
}

impl Report for Verified {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for damage in &self.damage {
            damage.text(out)?;
        }
        for Hit { set, stream, lost } in &self.hit {
            let stream = shown(stream.as_bytes());
            if lost.is_empty() {
                writeln!(out, "hit: set {set}, {stream}: what its recipe says does not come to its root")?;
            } else {
                writeln!(out, "hit: set {set}, {stream}: bytes {}", Bytes::list(lost))?;
            }
        }
        for set in &self.incomplete_sets {
            let unlisted =
                if self.unlisted_sets.contains(set) { ", and no later run has listed it yet" } else { "" };
            writeln!(out, "incomplete: set {set}{unlisted}")?;
        }
        let Verified { volumes, blocks, frames, chunks, sets, streams, .. } = self;
        writeln!(
            out,
            "verified {volumes} volume{}, {blocks} blocks ({}), {frames} frames, {chunks} chunks, {sets} set{}: \
             {streams} stream{} good, {} hit",
            plural(*volumes),
            megabytes(self.bytes),
            plural(*sets),
            plural(*streams),
            self.hit.len()
        )
    }
}

/// Verifies a pool.
pub fn run(args: &Verify) -> Result<Outcome> {
    let pool = Arc::new(Pool::open(&args.pool.pool)?);
    let monitor = Monitor::default();
    interrupt::watch(&monitor, "a verify writes nothing");
    let bar = Bar::start("verify", Unit::Blocks, &monitor);
    let report = verify(&pool, args.effort.threads(), args.effort.memory, &monitor)?;
    drop(bar);
    args.json.report_to().print(&Verified::of(&report))?;
    Ok(Outcome::of(report.has_findings()))
}
