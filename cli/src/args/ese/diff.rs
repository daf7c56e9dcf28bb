//! Which databases `reel ese diff` compares.

use crate::args::{Effort, Json};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  Two files:
    reel ese diff monday.edb tuesday.edb
  A stream of a set (A) and a file (B), for instance after a restore:
    reel ese diff --pool POOL --stream store/mail.edb --set 3 restored/store/mail.edb
  The same stream in two sets; nothing of the volumes is read but the pages that differ, for their tables:
    reel ese diff --pool POOL --stream store/mail.edb --set 3 --set 4
  Two streams of one set:
    reel ese diff --pool POOL --stream store/mail.edb --stream copy/mail.edb

--stream and --set given twice are those of A and B in this order; given once they hold for both.
The exit code is 1 when the databases differ.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Diff {
    /// Database files: both of them, or B when A is a stream of a set
    #[arg(value_name = "FILE", num_args = 0..=2)]
    pub files: Vec<PathBuf>,
    /// The pool of the sets in which streams are compared
    #[arg(long, value_name = "POOL", requires = "stream")]
    pub pool: Option<PathBuf>,
    /// Name of a database's stream, exactly as `reel list --set` shows it
    #[arg(long, value_name = "NAME", requires = "pool")]
    pub stream: Vec<OsString>,
    /// `latest`, the number of a set, or a name [default: latest]
    #[arg(long, value_name = "SET", requires = "stream")]
    pub set: Vec<String>,
    /// Only say which pages differ, not what they belong to: no page of a set is read for it
    #[arg(long)]
    pub numbers_only: bool,
    #[command(flatten)]
    pub effort: Effort,
    #[command(flatten)]
    pub json: Json,
}
