//! The flags of `reel rebuild`.

use super::{Effort, Json};
use clap::{ArgGroup, Args};
use reel_engine::rebuild::Until;
use reel_formats::ese::position::{LgPos, LogTime};
use std::path::PathBuf;

const WAYS: &str = "\
A soft recovery, as after a crash, is done unless --hard or --until is given: the log that was being written (edb.log,
E00.log) must be among the logs. With --hard or --until the logs are those that a backup saved: it ends with the last
log that follows the others, and says so.

Bases and logs are matched by signature and generation, never by path. A base that is a single file is rebuilt alone;
with a folder, databases that the logs create appear too. The base is never changed.

A rebuilt database begins a log sequence of its own: take a full backup of it.

Examples:
  reel rebuild --base priv1.edb --logs logs --to rebuilt
  reel rebuild --base storage-group --logs full --logs incremental --hard --to rebuilt
  reel rebuild --base priv1.edb --logs logs --until 2026-11-24T09:30:00Z --to rebuilt
  reel rebuild --from-empty --logs all-logs --to rebuilt";

#[derive(Args)]
#[command(after_help = WAYS)]
#[command(group = ArgGroup::new("from").required(true).args(["base", "from_empty"]))]
pub struct Rebuild {
    /// The base: a database file, or a folder of them. May be given more than once
    #[arg(long, value_name = "FILE|DIR")]
    pub base: Vec<PathBuf>,
    /// Rebuild without a base: the logs begin with generation 1 and hold the creation
    #[arg(long)]
    pub from_empty: bool,
    /// The logs: a folder, or a log file. May be given more than once
    #[arg(long, value_name = "DIR|FILE", required = true)]
    pub logs: Vec<PathBuf>,
    /// The folder that gets the databases; it is made if it is missing
    #[arg(long, value_name = "DIR", required_unless_present_any = ["check", "plan"])]
    pub to: Option<PathBuf>,
    /// End with a generation (decimal, or 0x and hexadecimal), behind the record at a position (GENERATION,SECTOR,BYTE,
    /// hexadecimal as in listings), or before the first segment that begins later than a time (RFC 3339)
    #[arg(long, value_name = "GEN|POS|TIME", value_parser = until)]
    pub until: Option<Until>,
    /// The logs are as a backup saved them: closed generations only
    #[arg(long)]
    pub hard: bool,
    /// Do not take back what was open at the end: the databases stay dirty, and more logs can follow
    #[arg(long)]
    pub no_undo: bool,
    /// Go on although logs with committed work, or the log that was being written, are missing
    #[arg(long)]
    pub allow_loss: bool,
    /// Write nothing: say of each page record whether it would be applied, is there already or does not fit, by the
    /// pages' update counters alone
    #[arg(long, conflicts_with_all = ["plan", "no_undo"])]
    pub check: bool,
    /// Write nothing: say what would be done, and what forbids it
    #[arg(long)]
    pub plan: bool,
    /// Replace existing databases
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub effort: Effort,
    #[command(flatten)]
    pub json: Json,
    /// When the databases are closed: nanoseconds since 1970 UTC, or as in RFC 3339
    #[arg(long, hide = true, value_name = "TIME", allow_negative_numbers = true, value_parser = super::clock)]
    pub clock: Option<i64>,
    /// What new signatures are made from
    #[arg(long, hide = true, value_name = "N")]
    pub seed: Option<u64>,
}

fn until(text: &str) -> Result<Until, String> {
    if let Some(generation) = number(text) {
        return Ok(Until::Generation(generation));
    }
    let parts: Vec<_> = text.trim_matches(['(', ')']).split(',').collect();
    if let [generation, sector, byte] = parts[..] {
        let hex = |text: &str| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok();
        let short = |text: &str| hex(text).and_then(|number| u16::try_from(number).ok());
        if let (Some(generation), Some(sector), Some(byte)) = (hex(generation), short(sector), short(byte)) {
            return Ok(Until::Position(LgPos { generation, sector, byte }));
        }
        return Err("expected GENERATION,SECTOR,BYTE in hexadecimal, for instance 0000001C,0014,0F0B".into());
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        "expected a generation (28, 0x1c), a position (1C,14,F0B) or a time (2026-11-24T09:30:00Z)".to_owned()
    })?;
    logtime(time).map(Until::Time).ok_or_else(|| "a year that logs cannot hold".to_owned())
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A moment as logs hold it.
pub fn logtime(time: jiff::Timestamp) -> Option<LogTime> {
    let utc = time.to_zoned(jiff::tz::TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).ok();
    LogTime::utc(
        u32::try_from(utc.year()).ok()?,
        part(utc.month())?,
        part(utc.day())?,
        part(utc.hour())?,
        part(utc.minute())?,
        part(utc.second())?,
        u16::try_from(utc.millisecond()).ok()?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_generation_a_position_or_a_time() {
        assert_eq!(until("28"), Ok(Until::Generation(28)));
        assert_eq!(until("0x1c"), Ok(Until::Generation(28)));
        let position = LgPos { generation: 0x1C, sector: 0x14, byte: 0xF0B };
        assert_eq!(until("0000001C,0014,0F0B"), Ok(Until::Position(position)));
        assert_eq!(until("(0x1C,14,F0B)"), Ok(Until::Position(position)));
        let time = LogTime::utc(2026, 11, 24, 9, 30, 0, 0).expect("a year that fits");
        assert_eq!(until("2026-11-24T09:30:00Z"), Ok(Until::Time(time)));
        assert!(until("yesterday").is_err());
        assert!(until("1,2").is_err());
        assert!(until("1,2,99999").is_err());
    }
}
