//! The databases in the sets of a pool, by their headers.

use super::Doubt;
use crate::error::{Error, Result};
use crate::list;
use crate::memory::Memory;
use crate::pool::Pool;
use crate::restore::read_at::StoredStream;
use reel_formats::ese::database::Database;
use reel_formats::ese::header::DatabaseHeader;
use std::sync::Arc;

/// A database inside a backup set.
#[derive(Debug, Clone)]
pub struct StoredDatabase {
    /// Number of the set.
    pub set: u32,
    /// Name of the stream. Bytes that are no text are replaced.
    pub stream: String,
    /// What its header says.
    pub header: DatabaseHeader,
}

/// Reads the header of each database in each set of a pool from where it lies, and says which could not be read.
///
/// # Errors
/// When a catalog cannot be read.
pub fn databases_in_pool(pool: &Arc<Pool>) -> Result<(Vec<StoredDatabase>, Vec<Doubt>)> {
    let (mut found, mut doubtful) = (Vec::new(), Vec::new());
    for catalog in pool.sets() {
        let set = catalog.set();
        list::streams(catalog, |line| {
            let Some(head) = line.head else {
                let name = format!("stream {} in set {set}", line.stream);
                doubtful.push(Doubt { name, sentence: "its name and kind are lost".to_owned() });
                return Ok(());
            };
            if !matches!(head.recognised, list::Recognised::EseDatabase(_)) {
                return Ok(());
            }
            let stream = String::from_utf8_lossy(&head.name).into_owned();
            match header(pool, set, &head.name) {
                Ok(header) => found.push(StoredDatabase { set, stream, header }),
                Err(error) => {
                    let name = format!("{stream} in set {set}");
                    doubtful.push(Doubt { name, sentence: error.sentence().to_owned() });
                }
            }
            Ok(())
        })?;
    }
    Ok((found, doubtful))
}

fn header(pool: &Arc<Pool>, set: u32, name: &[u8]) -> Result<DatabaseHeader> {
    let stream = StoredStream::open(pool, &set.to_string(), name, Memory::DEFAULT)?;
    let shown = String::from_utf8_lossy(name);
    let database = Database::open(stream).map_err(|error| Error::inside(&shown, error))?;
    Ok(database.header().clone())
}
