//! The records that a day's work leaves (reference, log.md section 6).

use crate::header::{Signature, logtime};

/// A record that does nothing, with a length.
pub(super) const NOP2: u8 = 71;
pub(super) const FRAGMENT_BEGIN: u8 = 76;
pub(super) const FRAGMENT: u8 = 77;
const BEGIN_0: u8 = 8;
const COMMIT_0: u8 = 9;
const ATTACH: u8 = 15;
const DETACH: u8 = 16;
const SHUT_DOWN: u8 = 23;
const INSERT: u8 = 29;
const REPLACE: u8 = 33;
const INIT_2: u8 = 49;
const TERM_2: u8 = 50;

/// Bytes of the record that starts a file of a new session.
pub(super) const INIT_BYTES: u16 = 576;
const DETACH_BYTES: u16 = 7;
/// The session that does all the work.
const SESSION: [u8; 2] = [6, 0];
pub(super) const DATABASE_ID: u8 = 1;
const UNIQUE: u8 = 0x04;
const VERSIONED: u8 = 0x01;
const ATTACH_UNICODE: u8 = 8;
const DETACH_UNICODE: u8 = 0x10;

/// The database's path, as logs name it: UTF-16 with a zero at the end.
pub(super) fn path() -> Vec<u8> {
    "C:\\store\\mail01.edb\0".encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Bytes from the detach record to the record behind it.
pub(super) fn detach_bytes() -> u16 {
    DETACH_BYTES + path().len() as u16
}

/// The engine's settings as a log header and an init record hold them; only paths and file length matter.
pub(super) fn settings() -> Vec<u8> {
    let mut settings = vec![0; 567];
    let directory = b"C:\\store\\";
    settings[..directory.len()].copy_from_slice(directory);
    settings[261..261 + directory.len()].copy_from_slice(directory);
    settings[543..547].copy_from_slice(&u32::from(super::segments::FILE_SEGMENTS).to_le_bytes());
    settings
}

pub(super) fn init(generation: u32) -> Vec<u8> {
    [&[INIT_2], &settings()[..], &logtime(generation)].concat()
}

/// `consistent` is the position at which the database was made consistent the last time.
pub(super) fn attach(seed: u64, consistent: [u8; 8], pages: u32) -> Vec<u8> {
    let path = path();
    let mut record = vec![ATTACH, SESSION[0], SESSION[1], DATABASE_ID];
    record.extend(pages.to_le_bytes());
    record.extend(consistent);
    record.extend(Signature::Database.bytes(seed));
    record.extend(Signature::Logs.bytes(seed));
    record.extend((path.len() as u16).to_le_bytes());
    record.push(ATTACH_UNICODE);
    record.extend(path);
    record
}

pub(super) fn detach() -> Vec<u8> {
    let path = path();
    let mut record = vec![DETACH, SESSION[0], SESSION[1], DATABASE_ID];
    record.extend((path.len() as u16).to_le_bytes());
    record.push(DETACH_UNICODE);
    record.extend(path);
    record
}

pub(super) fn shut_down() -> Vec<u8> {
    vec![SHUT_DOWN]
}

/// The end of a session; `position` is that of the shut-down mark.
pub(super) fn term(position: [u8; 8], generation: u32) -> Vec<u8> {
    [&[TERM_2], &position[..], &position, &[0], &logtime(generation)].concat()
}

pub(super) fn begin(transaction: u32) -> Vec<u8> {
    [&[BEGIN_0], &SESSION[..], &[0x10], &transaction.to_le_bytes()].concat()
}

pub(super) fn commit(transaction: u32) -> Vec<u8> {
    [&[COMMIT_0], &SESSION[..], &[0], &(transaction + 2).to_le_bytes()].concat()
}

/// Which node a record is about.
pub(super) struct Target {
    pub(super) page: u32,
    pub(super) root: u32,
    pub(super) objid: u32,
    pub(super) line: u16,
    /// The page's time after the change.
    pub(super) dbtime: u64,
    pub(super) unique: bool,
    pub(super) transaction: u32,
}

impl Target {
    fn record(&self, kind: u8) -> Vec<u8> {
        let mut record = vec![kind, SESSION[0], SESSION[1], DATABASE_ID];
        record.extend(self.page.to_le_bytes());
        record.extend(self.dbtime.to_le_bytes());
        record.extend((self.dbtime - 1).to_le_bytes());
        record.extend(self.transaction.to_le_bytes());
        record.push(1);
        record.extend(self.line.to_le_bytes());
        record.push(VERSIONED | if self.unique { UNIQUE } else { 0 });
        record.extend((self.transaction + 1).to_le_bytes());
        record.extend(self.root.to_le_bytes());
        record.extend(self.objid.to_le_bytes());
        record
    }
}

pub(super) fn insert(target: &Target, prefix: &[u8], suffix: &[u8], data: &[u8]) -> Vec<u8> {
    let mut record = target.record(INSERT);
    for part in [suffix, prefix, data] {
        record.extend((part.len() as u16).to_le_bytes());
    }
    for part in [prefix, suffix, data] {
        record.extend(part);
    }
    record
}

/// The new data of a node, of the same length as the old.
pub(super) fn replace(target: &Target, data: &[u8]) -> Vec<u8> {
    let mut record = target.record(REPLACE);
    for _ in 0..3 {
        record.extend((data.len() as u16).to_le_bytes());
    }
    record.extend(data);
    record
}
