//! The list of attached databases in log headers and checkpoints (reference, log.md section 2).

use super::position::{LgPos, Signature};
use crate::error::{Error, Result};
use crate::le::{Fields, bytes_at, u8_at};

/// Length of the list on disk, in bytes.
pub(crate) const LIST_LEN: usize = 2048;
const FIXED_LEN: usize = 64;
const FLAG_UTF16: u8 = 0x20;
const FLAG_SPARSE: u8 = 0x40;
/// A list holds at most databases 1 to 6.
const MAX_ENTRIES: usize = 6;

/// A database that was attached when the header was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Number of the database in the log records, 1 to 6.
    pub dbid: u8,
    /// Whether the file is sparse.
    pub is_sparse: bool,
    /// Update counter of the database.
    pub dbtime: u64,
    /// Highest object id in use.
    pub last_objid: u32,
    /// Largest size allowed, in pages; 0 for none.
    pub max_pages: u32,
    /// Where it was attached.
    pub attached: LgPos,
    /// Where it was last made consistent before that.
    pub consistent: LgPos,
    /// Signature of the database.
    pub signature: Signature,
    /// Original path of the file. Bytes that are no text are replaced.
    pub path: String,
}

/// Reads the list that starts at byte `at` of `header`; `object` names the header in errors.
pub(crate) fn read_list(header: &[u8], at: usize, object: &str) -> Result<Vec<Attachment>> {
    let list = Fields(header).tail(at, LIST_LEN);
    let mut found = Vec::new();
    let mut entry_at = 0;
    while let Some(dbid) = u8_at(list, entry_at).filter(|dbid| *dbid != 0) {
        let position = (at + entry_at) as u64;
        if found.len() == MAX_ENTRIES || usize::from(dbid) > MAX_ENTRIES {
            let entry = format_args!("entry {} for database {dbid}", found.len() + 1);
            return Err(Error::format(object, position, entry, "attachments of databases 1 to 6"));
        }
        let entry = bytes_at(list, entry_at, FIXED_LEN).and_then(|fixed| {
            let names_len = usize::from(Fields(fixed).u16(2));
            let names = bytes_at(list, entry_at + FIXED_LEN, names_len)?;
            Some((fixed, names))
        });
        let Some((fixed, names)) = entry else {
            return Err(Error::format(object, position, "a list that runs out of its room", "2048 bytes"));
        };
        found.push(attachment(dbid, Fields(fixed), names));
        entry_at += FIXED_LEN + names.len();
    }
    Ok(found)
}

fn attachment(dbid: u8, fields: Fields<'_>, names: &[u8]) -> Attachment {
    let flags = fields.u8(1);
    Attachment {
        dbid,
        is_sparse: flags & FLAG_SPARSE != 0,
        dbtime: fields.u64(4),
        last_objid: fields.u32(12),
        max_pages: fields.u32(16),
        attached: fields.lgpos(20),
        consistent: fields.lgpos(28),
        signature: fields.signature(36),
        path: if flags & FLAG_UTF16 == 0 { text(names) } else { text16(names) },
    }
}

/// Text up to the first zero byte. The code page is the writer's and unknown; ASCII is right in all of them.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(bytes)).into_owned()
}

/// Text in UTF-16 up to the first zero unit.
pub(crate) fn text16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dbid: u8, names_len: u16) -> Vec<u8> {
        let mut entry = vec![0; FIXED_LEN];
        entry[0] = dbid;
        entry[1] = FLAG_UTF16;
        entry[2..4].copy_from_slice(&names_len.to_le_bytes());
        entry
    }

    #[test]
    fn a_list_ends_at_the_first_zero_byte() {
        let mut header = entry(1, 6);
        header.extend_from_slice(&[b'a', 0, b'b', 0, 0, 0]);
        header.extend_from_slice(&[0; 100]);
        let list = read_list(&header, 0, "test").expect("a good list");
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].dbid, list[0].path.as_str()), (1, "ab"));
    }

    #[test]
    fn a_list_that_runs_out_of_its_room_is_refused() {
        assert!(read_list(&entry(1, 2000), 0, "test").is_err());
        assert!(read_list(&entry(7, 0), 0, "test").is_err());
        assert!(read_list(&entry(1, 0).repeat(7), 0, "test").is_err());
        assert!(read_list(&[1], 0, "test").is_err());
    }
}
