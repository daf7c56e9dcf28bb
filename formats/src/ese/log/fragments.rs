//! The records of a segmented log in order, put together from their fragments (reference, log.md sections 3 and 4).

use super::end::{Damage, Tear};
use super::reader::{Found, Place, Step};
use super::record::{Measured, RecordType, measure, record_len};
use super::segments::{HEADER_LEN, LEN, start_time};
use crate::ese::position::{LgPos, LogTime};
use crate::le::u32_at;

const BEGIN_LEN: usize = 7;
const FRAGMENT_LEN: usize = 3;

/// Walks the records between `at` and `end`, both offsets in the file; all segments between are good.
#[derive(Clone, Debug)]
pub(super) struct SegmentCursor {
    generation: u32,
    at: usize,
    end: usize,
    /// Where the fill began that ended a segment before: the position of the record that follows it.
    fill_from: Option<LgPos>,
    partial: Option<Partial>,
}

/// A record of which not all fragments have come.
#[derive(Clone, Copy, Debug)]
struct Partial {
    position: LgPos,
    time: LogTime,
    total: usize,
}

impl SegmentCursor {
    pub fn new(generation: u32, start: usize, end: usize) -> Self {
        Self { generation, at: start + HEADER_LEN, end, fill_from: None, partial: None }
    }

    /// The next record. Fragments are put together in `assembled`.
    pub fn step(&mut self, file: &[u8], assembled: &mut Vec<u8>) -> Step {
        loop {
            if self.at >= self.end {
                return self.finish();
            }
            let unit = self.at / LEN;
            let segment_end = (unit + 1) * LEN;
            let begin = self.at;
            let here = file.get(begin..segment_end).unwrap_or(&[]);
            let Some(fill) = here.iter().position(|byte| *byte != 0) else {
                self.skip_fill(begin, segment_end);
                continue;
            };
            let at = begin + fill;
            let position = self.position_of(begin);
            let rest = file.get(at..segment_end).unwrap_or(&[]);
            let len = match measure(rest) {
                Measured::Whole(len) => len,
                Measured::Cut { kind, needed } => {
                    let found = format_args!("a record {kind} of {needed} bytes at byte {:#x}", at % LEN);
                    return Step::Damage(damage(at, found, "a record inside the sector"));
                }
                Measured::Unknown(kind) => return Step::Damage(unknown_type(at, kind)),
                Measured::Nothing => return Step::End(None),
            };
            let kind = RecordType(rest.first().copied().unwrap_or_default());
            if self.partial.is_some() && kind != RecordType::FRAGMENT {
                let follows_directly = begin == at && at % LEN == HEADER_LEN && self.fill_from.is_none();
                if !(follows_directly && begins_recovery(rest)) {
                    let found = format_args!("a record {kind} inside a fragmented one");
                    return Step::Damage(damage(at, found, "its next fragment"));
                }
                self.partial = None;
            }
            self.fill_from = None;
            self.at = if at + len == segment_end { segment_end + HEADER_LEN } else { at + len };
            match kind {
                RecordType::FRAGMENT_BEGIN => {
                    let total = u32_at(rest, 1).unwrap_or(0) as usize;
                    let time = start_time(file, unit);
                    self.partial = Some(Partial { position, time, total });
                    assembled.clear();
                    assembled.extend_from_slice(rest.get(BEGIN_LEN..len).unwrap_or(&[]));
                }
                RecordType::FRAGMENT => {
                    let Some(partial) = self.partial else {
                        return Step::Damage(damage(
                            at,
                            "a fragment",
                            "the beginning of its record before it",
                        ));
                    };
                    assembled.extend_from_slice(rest.get(FRAGMENT_LEN..len).unwrap_or(&[]));
                    if assembled.len() < partial.total {
                        continue;
                    }
                    self.partial = None;
                    let is_whole = assembled.len() == partial.total
                        && record_len(assembled).is_ok_and(|len| len == partial.total)
                        && !is_container_record(assembled);
                    if !is_whole {
                        let found = format_args!("fragments of {} bytes", assembled.len());
                        return Step::Damage(damage(
                            at,
                            found,
                            format_args!("a record of {}", partial.total),
                        ));
                    }
                    let Partial { position, time, .. } = partial;
                    return Step::Record(Found {
                        position,
                        time,
                        place: Place::Assembled,
                        is_fragmented: true,
                    });
                }
                RecordType::CHECKSUM => return Step::Damage(unknown_type(at, kind)),
                _ => {
                    let place = Place::File { at, len };
                    let time = start_time(file, unit);
                    return Step::Record(Found { position, time, place, is_fragmented: false });
                }
            }
        }
    }

    /// The cursor stands at fill up to the end of the segment.
    fn skip_fill(&mut self, begin: usize, segment_end: usize) {
        self.fill_from = Some(self.position_of(begin));
        self.at = segment_end + HEADER_LEN;
    }

    /// The position of a record before which the cursor stands at `begin`: the place of the cursor, or where the fill before
    /// this segment began.
    fn position_of(&self, begin: usize) -> LgPos {
        let (unit, byte) = (begin / LEN, begin % LEN);
        let place = |byte| LgPos { generation: self.generation, sector: unit as u16, byte };
        if byte == HEADER_LEN { self.fill_from.unwrap_or_else(|| place(0)) } else { place(byte as u16) }
    }

    fn finish(&mut self) -> Step {
        let unit = (self.end / LEN).saturating_sub(1) as u32;
        Step::End(self.partial.take().map(|partial| {
            let sentence = format!("the record that begins at {} is not complete", partial.position);
            Tear { unit, sentence }
        }))
    }
}

/// Whether a record may follow one that a crash cut off: what recovery writes first.
fn begins_recovery(record: &[u8]) -> bool {
    let kind = |at: usize| record.get(at).copied().map(RecordType);
    let recovers =
        |kind| matches!(kind, RecordType::RECOVERY_UNDO | RecordType::RECOVERY_UNDO2 | RecordType::UNDO_INFO);
    kind(0).is_some_and(recovers)
        || kind(0) == Some(RecordType::FRAGMENT_BEGIN) && kind(BEGIN_LEN) == Some(RecordType::UNDO_INFO)
}

/// Whether the record is one that only the container itself uses.
fn is_container_record(record: &[u8]) -> bool {
    let kind = record.first().copied().map(RecordType);
    matches!(kind, Some(RecordType::FRAGMENT_BEGIN | RecordType::FRAGMENT | RecordType::CHECKSUM))
}

fn unknown_type(at: usize, kind: RecordType) -> Damage {
    let found = format_args!("a record of type {} at byte {:#x}", kind.0, at % LEN);
    damage(at, found, "a type of this format")
}

fn damage(at: usize, found: impl std::fmt::Display, expected: impl std::fmt::Display) -> Damage {
    Damage::new((at / LEN) as u32, at as u64, found, expected)
}
