//! The header page of a database, and the positions, times and signatures that tie it to its logs
//! (reference, database.md section 2).

use reel_formats::ese::page::checksum::header_xor;

use crate::random::hash;
use crate::store::{Store, dbtime};

pub(crate) const MAGIC: u32 = 0x89AB_CDEF;
/// Format version and revision.
pub(crate) const VERSION: u32 = 0x620;
pub(crate) const REVISION: u32 = 290;
const CLEAN: u32 = 3;
const FILE_TYPE_DATABASE: u8 = 1;

/// A position in the logs: byte, segment, generation.
pub(crate) fn lgpos(generation: u32, segment: u16, byte: u16) -> [u8; 8] {
    (u64::from(generation) << 32 | u64::from(segment) << 16 | u64::from(byte)).to_le_bytes()
}

/// The time at which a generation began. Three minutes lie between two of them; every month has 28 days.
pub(crate) fn logtime(generation: u32) -> [u8; 8] {
    let minutes = generation.wrapping_mul(3);
    let (hours, days) = (minutes / 60, minutes / 1440);
    let (minute, hour, day) = (minutes % 60, hours % 24, 1 + days % 28);
    let (month, year) = (1 + days / 28 % 12, 126 + days / 336);
    [0, minute as u8, hour as u8, day as u8, month as u8, year as u8, 0, 0]
}

/// The two signatures of a store.
#[derive(Clone, Copy)]
pub(crate) enum Signature {
    Database,
    Logs,
}

impl Signature {
    /// Random number, time and (empty) computer name.
    pub(crate) fn bytes(self, seed: u64) -> [u8; 28] {
        let mut bytes = [0; 28];
        bytes[..4].copy_from_slice(&(hash(&[seed, 0x516, self as u64]) as u32).to_le_bytes());
        bytes[4..12].copy_from_slice(&logtime(0));
        bytes
    }
}

impl Store {
    /// Fills the header page; its shadow is the same.
    pub(crate) fn write_header(&self, page: &mut [u8]) {
        page.fill(0);
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        let logs = self.logs();
        let (attached, consistent) = (logs.attach_position(), logs.consistent_position());
        let (first_time, last_time) = (logtime(logs.first()), logtime(logs.last()));
        put(4, &MAGIC.to_le_bytes());
        put(8, &VERSION.to_le_bytes());
        put(16, &dbtime(0, self.day() + 1).to_le_bytes());
        put(24, &Signature::Database.bytes(self.seed()));
        put(52, &CLEAN.to_le_bytes());
        put(56, &consistent);
        put(64, &last_time);
        put(72, &first_time);
        put(80, &attached);
        put(88, &last_time);
        put(96, &consistent);
        put(104, &1u32.to_le_bytes());
        put(108, &Signature::Logs.bytes(self.seed()));
        put(211, &[0x02]);
        put(212, &8u32.to_le_bytes());
        for (at, value) in [(216, 10), (220, 0), (224, 17763)] {
            put(at, &u32::to_le_bytes(value));
        }
        put(232, &REVISION.to_le_bytes());
        put(236, &self.page_size().to_le_bytes());
        put(340, &VERSION.to_le_bytes());
        put(344, &20u32.to_le_bytes());
        put(508, &[0xFF; 8]);
        put(644, &0u32.to_le_bytes());
        put(667, &[FILE_TYPE_DATABASE]);
        let sum = header_xor(page);
        page[..4].copy_from_slice(&sum.to_le_bytes());
    }
}
