//! Volumes: a labelled medium with one file for each backup set. [`writer`] writes them, [`reader`] reads what it is told to,
//! [`scan`] finds frames, segments and fragments by place on a damaged one. Nothing here decodes a frame.

pub mod reader;
pub mod scan;
pub mod writer;

use crate::error::{Error, Result};
use crate::layout::Malformed;
use crate::layout::block::BlockHeader;
use crate::medium::{Medium, Sighting};

/// One file of a volume: the objects up to a filemark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSpan {
    /// Number of the first object.
    pub first: u64,
    /// Number of the filemark that ends it, or of the end of data.
    pub end: u64,
    /// A filemark ends it.
    pub closed: bool,
}

impl FileSpan {
    /// Does it hold no block?
    pub fn is_empty(&self) -> bool {
        self.first == self.end
    }
}

/// The files of a volume, file 0 with the labels included; empty ones as well. Damage is passed over as far as blocks of
/// Reelmover are recognised behind it.
pub fn files(medium: &mut dyn Medium) -> Result<Vec<FileSpan>> {
    let marks = loop {
        match medium.filemarks() {
            Err(Error::Format { .. }) => {
                if medium.skip_damage(&probe)?.is_none() {
                    break medium.filemarks()?;
                }
            }
            other => break other?,
        }
    };
    let end = medium.locate_end()?;
    let mut files = Vec::with_capacity(marks.len() + 1);
    let mut first = 0;
    for mark in marks {
        files.push(FileSpan { first, end: mark, closed: true });
        first = mark + 1;
    }
    if first < end {
        files.push(FileSpan { first, end, closed: false });
    }
    Ok(files)
}

/// Recognises a block of Reelmover behind damage.
pub fn probe(bytes: &[u8]) -> Option<Sighting> {
    BlockHeader::sight(bytes).map(|(object, length)| Sighting { object, length })
}

/// An error that puts bytes which do not follow the format in their place.
pub(crate) fn misplaced(medium: &dyn Medium, object: u64, malformed: &Malformed) -> Error {
    Error::Format {
        medium: medium.name().to_owned(),
        object,
        byte: medium.byte_address(object),
        what: malformed.to_string(),
    }
}
