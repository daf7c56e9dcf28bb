//! `reel ese mk`: a checkpoint.

use super::listing::ListingReport;
use crate::args::ese::Mk;
use crate::output::Outcome;
use reel_engine::{Error, Result};
use reel_formats::ese::checkpoint::{self, Checkpoint};
use reel_formats::ese::dump;

/// Prints the checkpoint, from its second copy if that is the good one.
pub fn run(args: &Mk) -> Result<Outcome> {
    let file = args.file.display().to_string();
    let head = super::read_head(&args.file, 2 * checkpoint::COPY_LEN)?;
    let listing = dump::checkpoint(&Checkpoint::parse(&head).map_err(|e| Error::inside(&file, e))?);
    let finding = match checkpoint::good_copies(&head) {
        [false, _] => Some("the first copy is bad; this is the second (-533)"),
        [_, false] => Some("the second copy is bad; this is the first (-533)"),
        _ => None,
    };
    let findings: Vec<String> = finding.into_iter().map(str::to_owned).collect();
    let outcome = Outcome::of(!findings.is_empty());
    args.json.report_to().print(&ListingReport { file, listing, findings })?;
    Ok(outcome)
}
