//! The sets and the damage of a pool, as `list`, `scan` and `verify` show them.

use crate::output::{plural, shown, time};
use crate::size::megabytes;
use reel_engine::pool::{Pool, SetInfo, VolumeDamage};
use serde::Serialize;
use std::io::{self, Write};
use std::ops::Range;

/// A backup set.
#[derive(Serialize)]
pub struct SetLine {
    set: u32,
    name: String,
    started: String,
    host: String,
    volume: String,
    complete: bool,
    streams: Option<u64>,
    input_bytes: Option<u64>,
    new_bytes: Option<u64>,
    stored_bytes: Option<u64>,
    bad_pages: Option<u64>,
}

impl SetLine {
    /// The line of a set.
    pub fn of(info: &SetInfo) -> Self {
        // The trailer is what an open reads; a set without one may still have its end record.
        let counts = info.trailer.as_ref().map(|t| [t.streams, t.input, t.new, t.stored]);
        let counts = counts
            .or_else(|| info.end.as_ref().map(|e| [e.streams, e.input, e.new, e.stored].map(u64::from)));
        let [streams, input_bytes, new_bytes, stored_bytes] = counts.map_or([None; 4], |c| c.map(Some));
        SetLine {
            set: info.head.set,
            name: info.head.name.clone(),
            started: time(info.head.started),
            host: info.head.host.clone(),
            volume: info.volume.clone(),
            complete: info.status.is_complete(),
            streams,
            input_bytes,
            new_bytes,
            stored_bytes,
            bad_pages: info.trailer.as_ref().map(|t| t.bad_pages),
        }
    }

    /// Writes the line.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let SetLine { set, started, volume, .. } = self;
        write!(out, "set {set}  {started}  {}", shown(volume.as_bytes()))?;
        match (self.complete, self.streams, self.input_bytes, self.stored_bytes) {
            (true, Some(streams), Some(input), Some(stored)) => {
                let (input, stored) = (megabytes(input), megabytes(stored));
                write!(out, "  {streams} stream{}, {input}, stored {stored}", plural(streams))?;
            }
            (true, ..) => write!(out, "  complete")?,
            (false, ..) => write!(out, "  incomplete: restored by its number only")?,
        }
        if let Some(bad) = self.bad_pages.filter(|&bad| bad > 0) {
            write!(out, ", {bad} bad page{}", plural(bad))?;
        }
        if !self.name.is_empty() {
            write!(out, "  \"{}\"", shown(self.name.as_bytes()))?;
        }
        writeln!(out)
    }
}

/// A pool with its volumes.
#[derive(Serialize)]
pub struct PoolLines {
    name: String,
    uuid: String,
    volumes: Vec<VolumeLine>,
}

#[derive(Serialize)]
struct VolumeLine {
    volume: String,
    uuid: String,
    barcode: String,
    block_size: u32,
    label_damaged: bool,
}

impl PoolLines {
    /// The lines of a pool.
    pub fn of(pool: &Pool) -> Self {
        let line = |volume: &reel_engine::pool::Volume| VolumeLine {
            volume: volume.name.clone(),
            uuid: volume.label.volume.to_string(),
            barcode: volume.label.barcode.clone(),
            block_size: volume.label.block_size,
            label_damaged: volume.label_damaged,
        };
        PoolLines {
            name: pool.name.clone(),
            uuid: pool.uuid.to_string(),
            volumes: pool.volumes.iter().map(line).collect(),
        }
    }

    /// Writes the lines.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "pool {}  {}", shown(self.name.as_bytes()), self.uuid)?;
        for line in &self.volumes {
            let damaged = if line.label_damaged { ", its label is damaged" } else { "" };
            let (volume, barcode) = (shown(line.volume.as_bytes()), shown(line.barcode.as_bytes()));
            writeln!(out, "volume {volume}  {barcode}, blocks of {} bytes{damaged}", line.block_size)?;
        }
        Ok(())
    }
}

/// A damaged place.
#[derive(Serialize)]
pub struct DamageLine {
    volume: String,
    first_block: u64,
    end_block: u64,
    byte: Option<u64>,
    what: String,
}

impl DamageLine {
    /// The lines of damaged places.
    pub fn all(damage: &[VolumeDamage]) -> Vec<DamageLine> {
        let line = |d: &VolumeDamage| DamageLine {
            volume: d.volume.clone(),
            first_block: d.first,
            end_block: d.end,
            byte: d.byte,
            what: d.what.clone(),
        };
        damage.iter().map(line).collect()
    }

    /// Writes the line.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (first, end) = (self.first_block, self.end_block);
        write!(out, "damage: {}, ", shown(self.volume.as_bytes()))?;
        match end.saturating_sub(first) {
            0 => write!(out, "before block {first}")?,
            1 => write!(out, "block {first}")?,
            _ => write!(out, "blocks {first} to {}", end - 1)?,
        }
        if let Some(byte) = self.byte {
            write!(out, ", at byte {byte}")?;
        }
        writeln!(out, ": {}", self.what)
    }
}

/// A range of bytes.
#[derive(Serialize)]
pub struct Bytes {
    first: u64,
    end: u64,
}

impl Bytes {
    /// Ranges as they are shown.
    pub fn all(ranges: &[Range<u64>]) -> Vec<Bytes> {
        ranges.iter().map(|r| Bytes { first: r.start, end: r.end }).collect()
    }

    /// Ranges as text: `0 to 4096, 8192 to 9000`.
    pub fn list(ranges: &[Bytes]) -> String {
        let texts: Vec<_> = ranges.iter().map(|r| format!("{} to {}", r.first, r.end)).collect();
        texts.join(", ")
    }
}
