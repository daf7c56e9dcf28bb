//! `reel ese ml`: the header of a log.

use super::listing::ListingReport;
use crate::args::ese::Ml;
use crate::output::Outcome;
use reel_engine::{Error, Result};
use reel_formats::ese::checkpoint::{self, Checkpoint};
use reel_formats::ese::dump::{self, LogNames};
use reel_formats::ese::log::LogStatus;
use reel_formats::ese::log::header::{HEADER_LEN, LogHeader};
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::position::LgPos;
use std::path::Path;

/// Prints the header of a log and where the log ends.
pub fn run(args: &Ml) -> Result<Outcome> {
    let file = args.file.display().to_string();
    let head = super::read_head(&args.file, HEADER_LEN)?;
    let header = LogHeader::parse(&head).map_err(|e| Error::inside(&file, e))?;
    // The header bounds what is read; a byte more shows a file that is too long.
    let bytes =
        super::read_head(&args.file, usize::try_from(header.file_len()).unwrap_or(0).saturating_add(1))?;
    let log = LogFile::open(bytes);
    let end = log.as_ref().ok().map(LogFile::end);
    let findings: Vec<String> = match &log {
        Ok(log) if log.end().status == LogStatus::Complete => Vec::new(),
        Ok(log) => vec![log.end().status.to_string()],
        Err(error) => vec![error.to_string()],
    };
    let base_name = base_name(&args.file);
    let checkpoint = checkpoint_beside(&args.file, &base_name, &header);
    let listing = dump::log(&header, LogNames { base_name: &base_name, file: &file, checkpoint }, end);
    let outcome = Outcome::of(!findings.is_empty());
    args.json.report_to().print(&ListingReport { file, listing, findings })?;
    Ok(outcome)
}

/// The characters with which the names of a log's sequence begin.
fn base_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.chars().take(3).collect()
}

/// Where the checkpoint of the log's sequence stands, if its file is there and good.
fn checkpoint_beside(file: &Path, base_name: &str, header: &LogHeader) -> Option<LgPos> {
    let read = |extension: &str| {
        let path = file.with_file_name(base_name).with_extension(extension);
        let head = super::read_head(&path, 2 * checkpoint::COPY_LEN).ok()?;
        Checkpoint::parse(&head).ok().filter(|found| found.log_signature == header.signature)
    };
    ["chk", "jcp"].into_iter().find_map(read).map(|found| found.checkpoint)
}
