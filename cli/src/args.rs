//! The flags: the one place from which help, completions and the man page come.

pub mod ese;
pub mod rebuild;

use crate::output::ReportTo;
use crate::size;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use reel_engine::frame::Compression;
use reel_engine::io::Io;
use reel_engine::memory::Memory;
use std::ffi::OsString;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes, the same for all commands:
  0  done
  1  done, with findings: bad pages, files that changed or could not be read, damage found and listed by verify or
     scan, an incomplete set restored by its number, attributes that could not be set, databases that differ
  2  usage: wrong flags, or something asked for that is not there
  3  failed or could not finish: I/O errors, damage on restore, no space, stopped by Ctrl-C

Sizes are bytes, or have a unit: K or KiB is 1,024 bytes, kB is 1,000; M, G and T likewise.
POOL is a folder of volume images or one image file. A name that does not exist yet becomes a folder, unless it ends
in .tap. Catalogs are cached in $REEL_CACHE, else in the user's cache folder, under reelmover/; deleting them is safe.";

/// Backs databases up to tape images, stores each chunk once, and restores in one forward pass, verified
#[derive(Parser)]
#[command(name = "reel", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Back up files, folders, block devices or standard input into a new set of a pool
    Backup(Backup),
    /// Restore a set or some of its streams, verified, in one forward pass
    Restore(Restore),
    /// Rebuild databases from a base and their transaction logs
    Rebuild(rebuild::Rebuild),
    /// List the sets of a pool, or the streams of a set
    List(List),
    /// Read and check every block and every chunk of a pool; nothing is written
    Verify(Verify),
    /// Rebuild the catalogs of a pool from what its volumes still hold, and list sets and damage
    Scan(Scan),
    /// Say what a file, a volume image or a pool is
    Info(Info),
    /// Check, dump and read ESE databases and their logs
    #[command(subcommand)]
    Ese(ese::Ese),
    /// Make a mail store, back it up on two days, restore it, compare, and print the rates
    Demo(Demo),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, of reel or of one of its commands
    Man {
        /// The command
        command: Option<String>,
    },
}

impl Command {
    /// Where the report of the command goes, and with it an error as JSON.
    pub fn report_to(&self) -> ReportTo {
        match self {
            Command::Restore(args) => args.report_to(),
            Command::Rebuild(args) => args.json.report_to(),
            Command::Ese(command) => command.report_to(),
            Command::Backup(Backup { json, .. })
            | Command::List(List { json, .. })
            | Command::Verify(Verify { json, .. })
            | Command::Scan(Scan { json, .. })
            | Command::Info(Info { json, .. })
            | Command::Demo(Demo { json, .. }) => json.report_to(),
            Command::Completions { .. } | Command::Man { .. } => ReportTo::Text,
        }
    }
}

#[derive(Args)]
pub struct Json {
    /// Print the report as one JSON object (docs/json.md)
    #[arg(long)]
    pub json: bool,
}

impl Json {
    pub fn report_to(&self) -> ReportTo {
        if self.json { ReportTo::Json } else { ReportTo::Text }
    }
}

#[derive(Args)]
pub struct Pool {
    /// The pool: a folder of volume images, or one image file
    #[arg(long, value_name = "POOL")]
    pub pool: PathBuf,
}

/// How much of the machine a command may take.
#[derive(Args)]
pub struct Effort {
    /// Workers, as far as --memory allows them [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Bound on memory
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = memory)]
    pub memory: Memory,
}

impl Effort {
    /// Workers that are wanted.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.map_or_else(cores, usize::from)
    }
}

#[derive(Args)]
pub struct Backup {
    #[command(flatten)]
    pub pool: Pool,
    /// Name of the set; neither digits only nor `latest`
    #[arg(long, default_value = "", hide_default_value = true)]
    pub name: String,
    /// zstd level from -7 to 19, or `none`
    #[arg(long, value_name = "N|none", default_value = "1", allow_negative_numbers = true, value_parser = level)]
    pub level: Compression,
    /// Leave out what matches: a name at any depth, or with a `/` the path from the top name on; a `/` at the end means
    /// folders only. May be given more than once
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// What a page of a database that does not match its checksum (-1018) means: the end of the run, or a finding
    #[arg(long, value_enum, default_value_t = OnBadPage::Record)]
    pub on_bad_page: OnBadPage,
    /// Do not enter folders on other file systems than that of their PATH
    #[arg(long)]
    pub one_file_system: bool,
    /// Name of a pool that this run makes, for its labels
    #[arg(long, value_name = "NAME", default_value = "reelmover")]
    pub pool_name: String,
    /// Block size of a volume that this run makes
    #[arg(long, value_name = "SIZE", default_value = "512KiB", value_parser = size::parse_block)]
    pub block_size: u32,
    /// How files are read and the image is written; the result is the same
    #[arg(long, value_enum, default_value_t = Way::Auto)]
    pub io: Way,
    /// Back up standard input as the stream NAME; the only PATH is then `-`
    #[arg(long, value_name = "NAME")]
    pub stdin_name: Option<OsString>,
    #[command(flatten)]
    pub effort: Effort,
    /// Share of the dedup index in --memory [default: half of it]; less of it may store chunks of older sets again
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub index_memory: Option<u64>,
    #[command(flatten)]
    pub json: Json,
    /// Stored bytes between checkpoints
    #[arg(long, hide = true, value_name = "SIZE", default_value = "4GiB", value_parser = size::parse)]
    pub checkpoint: u64,
    /// The time of the run: nanoseconds since 1970 UTC, or as in RFC 3339
    #[arg(long, hide = true, value_name = "TIME", allow_negative_numbers = true, value_parser = clock)]
    pub clock: Option<i64>,
    /// What uuids and session ids are made from
    #[arg(long, hide = true, value_name = "N")]
    pub seed: Option<u64>,
    /// What to back up: files, folders, block devices, or `-`; each keeps its last component as its top name
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnBadPage {
    /// End the run
    Fail,
    /// Back the page up as it was read, and report it (exit code 1)
    Record,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// What is written, and files that are not in the page cache, through io_uring where there is one; else plain
    Auto,
    /// read(2) and write(2)
    Plain,
    /// Direct requests through io_uring, or an error where there is none
    Uring,
    /// Plain, but a backup reads files through a mapping: only for files that nobody changes, because one that is cut short
    /// ends the process
    Mmap,
}

impl From<Way> for Io {
    fn from(way: Way) -> Io {
        match way {
            Way::Auto => Io::Auto,
            Way::Plain => Io::Plain,
            Way::Uring => Io::Uring,
            Way::Mmap => Io::Mmap,
        }
    }
}

#[derive(Args)]
#[command(group = ArgGroup::new("target").required(true).args(["to", "stdout"]))]
pub struct Restore {
    #[command(flatten)]
    pub pool: Pool,
    /// The folder to restore into; it is made if it is missing
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Write the bytes of one stream to standard output; the report goes to standard error, with --json only
    #[arg(long, value_name = "STREAM", conflicts_with_all = ["streams", "overwrite", "keep_partial"])]
    pub stdout: Option<OsString>,
    /// `latest`, the number of a set, or a name (the newest complete set of that name)
    #[arg(long, value_name = "SET", default_value = "latest")]
    pub set: String,
    /// Replace existing files
    #[arg(long)]
    pub overwrite: bool,
    /// Keep what could be restored of damaged files, as NAME.reel-partial with the lost ranges as holes
    #[arg(long)]
    pub keep_partial: bool,
    /// Most bytes that wait in the temporary folder for their turn on standard output [default: the stream's length]
    #[arg(long, value_name = "SIZE", value_parser = size::parse, requires = "stdout")]
    pub spool: Option<u64>,
    /// How the image is read and files are written; the result is the same
    #[arg(long, value_enum, default_value_t = Way::Auto)]
    pub io: Way,
    #[command(flatten)]
    pub effort: Effort,
    #[command(flatten)]
    pub json: Json,
    /// Streams to restore, as shell patterns of their names; a folder takes what is in it [default: all]
    #[arg(value_name = "STREAM-GLOB")]
    pub streams: Vec<String>,
}

impl Restore {
    /// Where the report goes: not where a stream goes.
    pub fn report_to(&self) -> ReportTo {
        match (self.json.json, &self.stdout) {
            (true, Some(_)) => ReportTo::JsonOnStandardError,
            (true, None) => ReportTo::Json,
            (false, Some(_)) => ReportTo::Nothing,
            (false, None) => ReportTo::Text,
        }
    }
}

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    pub pool: Pool,
    /// List the streams of this set: `latest`, its number, or its name
    #[arg(long, value_name = "SET")]
    pub set: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    pub pool: Pool,
    #[command(flatten)]
    pub effort: Effort,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct Scan {
    #[command(flatten)]
    pub pool: Pool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct Info {
    #[command(flatten)]
    pub json: Json,
    /// A file, a volume image or the folder of a pool
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Args)]
pub struct Demo {
    /// Size of the store
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = size::parse)]
    pub size: u64,
    /// Work in this folder, which must be empty or missing, and leave everything there
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    #[command(flatten)]
    pub effort: Effort,
    #[command(flatten)]
    pub json: Json,
}

fn memory(text: &str) -> Result<Memory, String> {
    Memory::new(size::parse(text)?).map_err(|e| e.sentence().to_owned())
}

fn level(text: &str) -> Result<Compression, String> {
    let range = Compression::LEVELS;
    match text.parse() {
        _ if text == "none" => Ok(Compression::None),
        Ok(level) if range.contains(&level) => Ok(Compression::Zstd(level)),
        _ => Err(format!("expected a whole number from {} to {}, or none", range.start(), range.end())),
    }
}

fn clock(text: &str) -> Result<i64, String> {
    if let Ok(nanoseconds) = text.parse() {
        return Ok(nanoseconds);
    }
    let time: jiff::Timestamp = text.parse().map_err(|e| format!("{e}"))?;
    i64::try_from(time.as_nanosecond()).map_err(|_| "beyond the years that nanoseconds can count".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_table_of_flags_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_documented() {
        for command in Cli::command().get_subcommands() {
            for flag in command.get_arguments() {
                assert!(flag.get_help().is_some(), "{} {}", command.get_name(), flag.get_id());
            }
        }
    }

    #[test]
    fn a_clock_is_nanoseconds_or_a_date() {
        assert_eq!(clock("1700000000000000000"), Ok(1_700_000_000_000_000_000));
        assert_eq!(clock("2023-11-14T22:13:20Z"), Ok(1_700_000_000_000_000_000));
        assert!(clock("yesterday").is_err());
    }
}
