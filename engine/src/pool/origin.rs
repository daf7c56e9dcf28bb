//! Where a cached catalog came from: what it is made from again when its file turns out to be damaged.

use super::catalog::Catalog;
use super::recover;
use super::shelf::{Access, Shelf};
use crate::error::Result;
use reel_tape::layout::block::BlockHeader;
use reel_tape::volume::{self, FileSpan};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a set stands.
pub(super) struct Origin {
    pub shelf: Arc<dyn Shelf>,
    /// The volume, by the shelf's name.
    pub volume: String,
    pub span: FileSpan,
    /// Header of the first good block of the set.
    pub header: BlockHeader,
    pub cache: Option<PathBuf>,
}

impl Origin {
    /// The catalog, made again from its volume; the cache gets it as well.
    pub(super) fn catalog(&self) -> Result<Catalog> {
        let mut medium = self.shelf.open(&self.volume, Access::Read)?;
        volume::files(&mut *medium)?;
        let from = recover::From {
            volume: &self.volume,
            span: &self.span,
            header: self.header,
            cache: self.cache.as_deref(),
        };
        recover::catalog(&mut *medium, &from, false, &mut Vec::new())
    }
}
