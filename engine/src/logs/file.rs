//! One log file.

use crate::database::LocalFile;
use crate::error::{Class, Error, Result};
use reel_formats::ese::database::DatabaseFile;
use reel_formats::ese::log::reader::LogFile;
use std::path::Path;

/// The longest log that its header can describe, in bytes.
const LONGEST: u64 = 65_535 * 4_096;

/// Reads the log file `path`. A name that is not there is an argument error; a damaged log opens, and says so itself.
pub fn open(path: &Path) -> Result<LogFile> {
    let name = path.display().to_string();
    let file = LocalFile::open(path)?;
    if file.len() > LONGEST {
        let sentence = format!("no transaction log: {} bytes, a log has at most {LONGEST}", file.len());
        return Err(Error::new(Class::Format, name, sentence));
    }
    let mut bytes = vec![0; file.len() as usize];
    let len = file.read_at(0, &mut bytes).map_err(|e| Error::io(&name, "cannot read", e))?;
    bytes.truncate(len);
    LogFile::open(bytes).map_err(|e| Error::inside(&name, e))
}
