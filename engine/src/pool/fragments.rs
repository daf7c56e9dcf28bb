//! Recipe fragments: read from a catalog one after the other, and gathered into records.

use super::catalog::Catalog;
use crate::error::Result;
use reel_tape::layout::recipe::Fragment;
use reel_tape::layout::record::{self, RecordKind};
use std::sync::Arc;

/// Fragments records close when their plain body has reached this many bytes.
const FRAGMENTS_BODY: usize = 256 << 10;

/// Fragments of a catalog, one after the other.
pub struct Fragments {
    catalog: Arc<Catalog>,
    next_record: usize,
    from_stream: u32,
    record: Arc<Vec<Fragment>>,
    at: usize,
    /// Stream and number of the last one that was given.
    last: Option<(u32, u32)>,
    /// What was given before the catalog was made again.
    given: Option<(u32, u32)>,
}

impl Fragments {
    pub(super) fn new(catalog: Arc<Catalog>, from_stream: u32) -> Self {
        let next_record = catalog.fragments_from(from_stream);
        Fragments {
            catalog,
            next_record,
            from_stream,
            record: Arc::default(),
            at: 0,
            last: None,
            given: None,
        }
    }

    fn next_record(&mut self) -> Option<Result<Arc<Vec<Fragment>>>> {
        let found = self.catalog.fragments_record(self.next_record)?;
        if found.is_ok() {
            return Some(found);
        }
        // The file is damaged: on with the catalog that is made from the volume, whose records may have other borders.
        match self.catalog.remade_for_fragments(self.next_record) {
            Ok(remade) => self.catalog = remade,
            Err(error) => return Some(Err(error)),
        }
        self.given = self.last;
        self.next_record =
            self.catalog.fragments_from(self.last.map_or(self.from_stream, |(stream, _)| stream));
        self.catalog.fragments_record(self.next_record)
    }
}

impl Iterator for Fragments {
    type Item = Result<Fragment>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(fragment) = self.record.get(self.at) {
                self.at += 1;
                let key = (fragment.stream, fragment.fragment);
                if self.given.is_some_and(|given| key <= given) {
                    continue;
                }
                self.last = Some(key);
                return Some(Ok(fragment.clone()));
            }
            match self.next_record()? {
                Ok(record) => {
                    self.at = record.partition_point(|f| f.stream < self.from_stream);
                    self.record = record;
                }
                Err(error) => {
                    // An iterator that failed has ended.
                    self.next_record = usize::MAX;
                    return Some(Err(error));
                }
            }
            self.next_record += 1;
        }
    }
}

/// Gathers fragments into records.
#[derive(Default)]
pub struct FragmentsBatch {
    body: Vec<u8>,
    streams: Option<(u32, u32)>,
}

impl FragmentsBatch {
    /// Adds a fragment; `full` gets each record that is complete, with the streams of its first and last fragment.
    pub fn add(
        &mut self,
        fragment: &Fragment,
        full: &mut impl FnMut(&[u8], u32, u32) -> Result<()>,
    ) -> Result<()> {
        fragment.append(&mut self.body);
        let first = self.streams.map_or(fragment.stream, |(first, _)| first);
        self.streams = Some((first, fragment.stream));
        if self.body.len() >= FRAGMENTS_BODY { self.close(full) } else { Ok(()) }
    }

    /// Gives the last record.
    pub fn close(&mut self, full: &mut impl FnMut(&[u8], u32, u32) -> Result<()>) -> Result<()> {
        let Some((first, last)) = self.streams.take() else { return Ok(()) };
        let mut record = Vec::new();
        record::append_packed(&mut record, RecordKind::Fragments, &self.body);
        self.body.clear();
        full(&record, first, last)
    }
}
