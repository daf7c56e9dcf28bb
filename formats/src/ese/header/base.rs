//! The header of a database that logs are replayed on, with the trailer of a streaming backup (reference, database.md 2.3).

use super::DatabaseHeader;
use crate::error::{Error, Result};
use crate::ese::database::{DatabaseFile, HEAD_LEN};
use crate::ese::page::checksum::header_xor;
use crate::ese::position::{BackupInfo, LogTime};
use crate::le::{Fields, bytes_at, put};

const JET_BAD_PATCH_PAGE: i32 = -535;
const JET_PATCH_FILE_MISMATCH: i32 = -552;
/// Where the header has the backup that the file is, and the last generation that it needs.
const BACKUP: usize = 184;
const BACKUP_HIGH: usize = BACKUP + 20;

/// A header, and the page that it stands in.
#[derive(Clone, Debug)]
pub struct BaseHeader {
    /// What it says.
    pub header: DatabaseHeader,
    /// Its page, with a good checksum.
    pub page: Vec<u8>,
    /// Where in the file the trailer stands that was taken into it, in bytes.
    pub trailer: Option<u64>,
}

impl BaseHeader {
    /// Reads the header of `file`, which messages call `name`. In hard recovery (`hard`) a streaming backup gets from the page
    /// behind its last one what was not known yet when its header was written: how far the logs go that it needs.
    ///
    /// # Errors
    /// Without a good header JET_errReadVerifyFailure (-1018); with a trailer that is damaged JET_errBadPatchPage (-535), with
    /// one of another backup JET_errDatabasePatchFileMismatch (-552).
    pub fn read(file: &dyn DatabaseFile, name: &str, hard: bool) -> Result<Self> {
        let read = |offset, bytes: &mut [u8]| {
            let failed = |source| Error::Read { object: name.to_owned(), position: offset, source };
            file.read_at(offset, bytes).map_err(failed)
        };
        let mut head = vec![0; HEAD_LEN];
        let got = read(0, &mut head)?;
        let (header, copies) = DatabaseHeader::find(head.get(..got).unwrap_or(&head))?;
        let size = header.page_size as usize;
        let at = if copies.primary_good { 0 } else { size };
        let page = head.get(at..at + size).unwrap_or(&[]).to_vec();
        let mut base = Self { header, page, trailer: None };
        let backup = base.header.current_full_backup;
        if hard && backup.low_generation != 0 && backup.high_generation == 0 {
            let at = (file.len() / size as u64).saturating_sub(1) * size as u64;
            let mut trailer = vec![0; size];
            read(at, &mut trailer)?;
            base.take(&trailer, name, at)?;
            base.trailer = Some(at);
        }
        Ok(base)
    }

    /// Puts into the header what a trailer says.
    fn take(&mut self, trailer: &[u8], name: &str, at: u64) -> Result<()> {
        let fields = Fields(trailer);
        let wrong = |field: u64, found: String, expected: &str, jet| {
            Err(Error::format(format_args!("trailer of {name}"), at + field, found, expected).with_jet(jet))
        };
        let (stored, computed) = (fields.u32(0), header_xor(trailer));
        if stored != computed {
            let expected = format!("{computed:#010x}, or no backup by streaming");
            return wrong(0, format!("checksum {stored:#010x}"), &expected, JET_BAD_PATCH_PAGE);
        }
        let same = |ours: usize, theirs: usize, length| {
            bytes_at(&self.page, ours, length) == bytes_at(trailer, theirs, length)
        };
        // The mark of the backup, the signatures of the database and of its logs.
        let is_of_this = same(BACKUP, 40, 8) && same(24, 64, 28) && same(108, 92, 28);
        let high = fields.u32(40 + BackupInfo::LEN - 4);
        if !is_of_this || high == 0 {
            let expected = "mark and signatures of the header, and the last generation of its logs";
            let found = format!("another mark or signature, or generation {high}");
            return wrong(40, found, expected, JET_PATCH_FILE_MISMATCH);
        }
        put(&mut self.page, BACKUP_HIGH, high.to_le_bytes());
        // Required and committed: their generations in trailer and header, and when those logs were created.
        for (theirs, their_time, ours, our_time) in [(124, 132, 300, 348), (128, 140, 416, 672)] {
            let said = fields.u32(theirs);
            let generation = if said == 0 { high } else { said };
            if generation > Fields(&self.page).u32(ours) {
                put(&mut self.page, ours, generation.to_le_bytes());
                let time = bytes_at(trailer, their_time, LogTime::LEN).and_then(|time| time.first_chunk());
                put(&mut self.page, our_time, time.copied().unwrap_or([0; LogTime::LEN]));
            }
        }
        let first = Fields(&self.page).u32(296);
        put(&mut self.page, 640, first.to_le_bytes());
        let sum = header_xor(&self.page);
        put(&mut self.page, 0, sum.to_le_bytes());
        self.header = DatabaseHeader::parse(&self.page)?;
        Ok(())
    }
}
