//! How many records of each type a log has, and how long they are.

use super::reader::LogFile;
use super::record::RecordType;
use crate::error::Result;
use std::collections::BTreeMap;

/// The records of one or more logs by type, under the names of the engine's listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    types: BTreeMap<&'static str, Tally>,
}

/// Records of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of records.
    pub records: u64,
    /// Bytes of all of them; a record that was put together from fragments counts as it is, once.
    pub bytes: u64,
}

impl Tally {
    /// Mean length of a record, in whole bytes, rounded down.
    pub fn mean_bytes(self) -> u64 {
        self.bytes.checked_div(self.records).unwrap_or(0)
    }
}

impl Histogram {
    /// Counts the records of `log`. The error is where the log is damaged.
    pub fn of(log: &LogFile) -> Result<Self> {
        let mut histogram = Self::default();
        histogram.add_log(log)?;
        Ok(histogram)
    }

    /// Adds the records of `log`, up to where it is damaged; then that is the error.
    pub fn add_log(&mut self, log: &LogFile) -> Result<()> {
        let mut records = log.records();
        while let Some(record) = records.next()? {
            self.add(record.bytes);
        }
        Ok(())
    }

    /// Adds one record.
    pub fn add(&mut self, record: &[u8]) {
        let Some(kind) = record.first().copied().map(RecordType) else {
            return;
        };
        let tally = self.types.entry(kind.name()).or_default();
        tally.records += 1;
        tally.bytes += record.len() as u64;
    }

    /// What was counted, by name.
    pub fn types(&self) -> impl Iterator<Item = (&'static str, Tally)> {
        self.types.iter().map(|(name, tally)| (*name, *tally))
    }

    /// All records together.
    pub fn total(&self) -> Tally {
        self.types.values().fold(Tally::default(), |sum, tally| Tally {
            records: sum.records + tally.records,
            bytes: sum.bytes + tally.bytes,
        })
    }
}
