//! What a month of daily backups adds beside the data: recipes, tables of segments, catalogs.

use super::disk::bytes;
use super::inputs::Input;
use super::reel;
use crate::Result;
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Days after the first.
const DAYS: usize = 30;

/// Bytes that thirty incrementals wrote beside the frames.
#[derive(Debug, Serialize)]
pub struct Month {
    /// Bytes of the input on each day.
    pub input: u64,
    /// Bytes of new chunks on all days after the first.
    pub new: u64,
    /// Stored bytes of their frames.
    pub frames: u64,
    /// On each day after the first, bytes by which the volume grew less those of frames.
    pub metadata: Vec<u64>,
    /// Bytes of the cache of catalogs after the last day.
    pub cache: u64,
}

impl Month {
    /// The day that wrote most beside the frames, as a share of the input.
    pub fn highest_share(&self) -> f64 {
        self.metadata.iter().max().copied().unwrap_or_default() as f64 / self.input as f64
    }

    /// The same of all days, on average.
    pub fn mean_share(&self) -> f64 {
        self.metadata.iter().sum::<u64>() as f64 / self.metadata.len() as f64 / self.input as f64
    }
}

/// Backs a store of `size` bytes up on one day and thirty more.
pub fn run(folder: &Path, size: u64) -> Result<Month> {
    let reel = reel::found()?;
    let folder = folder.join("month");
    fs::create_dir(&folder)?;
    let (pool, cache) = (folder.join("pool"), folder.join("cache"));
    let mut input = Input::generated(&folder, size)?;
    let mut month = Month { input: 0, new: 0, frames: 0, metadata: Vec::new(), cache: 0 };
    for day in 0..=DAYS {
        input.advance()?;
        let report: Value = serde_json::from_slice(&reel.report(&pool, &cache, input.folder())?)?;
        let number = |field: &str| {
            report[field].as_u64().ok_or_else(|| format!("no {field} in the report of a backup"))
        };
        month.input = number("input_bytes")?;
        if day > 0 {
            let frames = number("stored_bytes")?;
            month.new += number("new_bytes")?;
            month.frames += frames;
            month.metadata.push(number("medium_bytes")?.saturating_sub(frames));
        }
    }
    month.cache = bytes(&cache)?;
    fs::remove_dir_all(&folder)?;
    Ok(month)
}
