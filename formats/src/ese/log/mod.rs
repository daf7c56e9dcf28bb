//! Transaction log files (reference, log.md).

pub mod chain;
mod contiguous;
pub mod diff;
mod end;
mod fragments;
pub mod header;
pub mod histogram;
pub mod need;
pub mod reader;
pub mod record;
mod sectors;
mod segments;
pub mod text;

pub use end::{LogEnd, LogStatus};
