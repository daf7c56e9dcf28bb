//! The container of format 8: segments of 4,096 bytes with an error correcting checksum (reference, log.md sections 3
//! and 4).

use super::end::{Damage, Scan, Tear};
use super::header::LogHeader;
use crate::ese::page::checksum::{flip, flipped_bit, is_zero, xor_ecc};
use crate::ese::position::{LgPos, LogTime};
use crate::le::{Fields, bytes_at, u64_at};
use std::fmt::Display;

/// Length of a segment, in bytes.
pub(super) const LEN: usize = 4096;
/// Length of a segment's header: where its first record begins.
pub(super) const HEADER_LEN: usize = 40;
const POSITION_AT: usize = 8;
const TIME_AT: usize = 16;
/// From this update on what was never written is zero.
const ZERO_FILLED_FROM: u32 = 2;

/// What stands in the place of a segment.
enum Found {
    /// A segment of this place; `bit` is the one that was put right.
    Segment { checksum: u64, position: LgPos, bit: Option<u32> },
    /// Nothing, or the shadow copy of the segment before.
    Empty,
    /// Neither.
    Bad(Checksums),
}

/// What is stored in a segment, and what its bytes give for a place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Checksums {
    stored: u64,
    computed: u64,
}

impl Checksums {
    fn of(segment: &[u8], unit: u32) -> Self {
        let stored = u64_at(segment, 0).unwrap_or(0);
        Self { stored, computed: xor_ecc(segment, unit, true).unwrap_or(!stored) }
    }

    fn agree(self) -> bool {
        self.stored == self.computed
    }

    /// The one flipped bit that explains the difference. The stored checksum itself cannot be put right.
    fn flipped_bit(self) -> Option<u32> {
        flipped_bit(self.stored, self.computed, LEN).filter(|bit| *bit >= 64)
    }
}

/// Finds the end of the log (section 4.1). Puts flipped bits right and takes a torn segment from its shadow copy, in
/// `file`, whose length the header gives.
pub(super) fn scan(file: &mut [u8], header: &LogHeader) -> Scan {
    let mut scan = Scan { end: header.header_sectors as usize * LEN, ..Scan::default() };
    let mut empty_seen = false;
    // The last place is kept free for a shadow copy.
    for unit in header.header_sectors..header.file_sectors.saturating_sub(1) {
        let at = unit as usize * LEN;
        let expected = LgPos { generation: header.generation, sector: unit as u16, byte: 0 };
        let damage =
            |found: &dyn Display, expected: &dyn Display| Some(Damage::new(unit, at as u64, found, expected));
        match examine(file, unit, header) {
            Found::Empty => empty_seen = true,
            // What a log held before it was used again.
            Found::Segment { position, .. } if position < expected => empty_seen = true,
            Found::Segment { position, .. } if position > expected => {
                scan.damage = damage(&format_args!("position {position}"), &format_args!("{expected}"));
                break;
            }
            Found::Segment { .. } if empty_seen => {
                scan.damage = damage(&"good data", &"nothing behind the end of the log");
                break;
            }
            Found::Segment { checksum, bit, .. } => {
                scan.corrected.extend(bit.map(|bit| (unit, bit)));
                scan.accumulated ^= checksum;
                scan.end = at + LEN;
            }
            Found::Bad(Checksums { stored, computed }) => {
                let shadow = if empty_seen { None } else { checksum_of_shadow(file, unit, expected) };
                let Some(checksum) = shadow else {
                    scan.damage =
                        damage(&format_args!("checksum {stored:#018x}"), &format_args!("{computed:#018x}"));
                    break;
                };
                file.copy_within(at + LEN..at + 2 * LEN, at);
                scan.accumulated ^= checksum;
                scan.end = at + LEN;
                scan.patched.push(unit);
                let sentence =
                    format!("sector {unit:#x} was written in part and is taken from its shadow copy");
                scan.tear = Some(Tear { unit, sentence });
            }
        }
    }
    scan
}

fn examine(file: &mut [u8], unit: u32, header: &LogHeader) -> Found {
    let at = unit as usize * LEN;
    let Some(segment) = file.get_mut(at..at + LEN) else {
        return Found::Empty;
    };
    let checksums = Checksums::of(segment, unit);
    let mut corrected = None;
    if !checksums.agree() {
        let as_shadow = Checksums::of(segment, unit.saturating_sub(1));
        let is_shadow =
            unit > header.header_sectors && (as_shadow.agree() || as_shadow.flipped_bit().is_some());
        let may_be_zero = header.major > 8 || header.update_major >= ZERO_FILLED_FROM;
        if is_shadow || may_be_zero && is_zero(segment) {
            return Found::Empty;
        }
        let Some(bit) = checksums.flipped_bit() else {
            return Found::Bad(checksums);
        };
        flip(segment, bit);
        corrected = Some(bit);
    }
    Found::Segment {
        checksum: checksums.stored,
        position: Fields(segment).lgpos(POSITION_AT),
        bit: corrected,
    }
}

/// The checksum of the shadow copy of segment `unit`, which stands in the next place, if that is one.
fn checksum_of_shadow(file: &[u8], unit: u32, expected: LgPos) -> Option<u64> {
    let shadow = bytes_at(file, (unit as usize + 1) * LEN, LEN)?;
    let checksums = Checksums::of(shadow, unit);
    (checksums.agree() && Fields(shadow).lgpos(POSITION_AT) == expected).then_some(checksums.stored)
}

/// When the first record of segment `unit` was made.
pub(super) fn start_time(file: &[u8], unit: usize) -> LogTime {
    let segment = file.get(unit.saturating_mul(LEN)..).unwrap_or(&[]);
    Fields(segment).logtime(TIME_AT)
}
