//! `reel ese mh`: the header of a database.

use super::listing::ListingReport;
use crate::args::ese::Mh;
use crate::output::Outcome;
use reel_engine::{Error, Result};
use reel_formats::ese::database::Database;
use reel_formats::ese::dump;
use reel_formats::ese::header::HeaderCopies;

/// Prints the header, from its shadow copy if that is the good one.
pub fn run(args: &Mh) -> Result<Outcome> {
    let file = args.database.name();
    let database = Database::open(super::open(&args.database)?).map_err(|e| Error::inside(&file, e))?;
    let findings: Vec<String> = finding(database.header_copies()).into_iter().map(str::to_owned).collect();
    let outcome = Outcome::of(!findings.is_empty());
    let listing = dump::database(database.header());
    args.json.report_to().print(&ListingReport { file, listing, findings })?;
    Ok(outcome)
}

fn finding(copies: HeaderCopies) -> Option<&'static str> {
    match copies {
        HeaderCopies { primary_good: false, .. } => {
            Some("the header page is bad; this is its shadow copy in the second page (-1018)")
        }
        HeaderCopies { shadow_good: false, .. } => {
            Some("the shadow copy of the header in the second page is bad; this is the header page (-1018)")
        }
        HeaderCopies { equal: false, .. } => Some(
            "the shadow copy of the header in the second page is good but says other things; this is the header page",
        ),
        _ => None,
    }
}
