//! The records of a log up to format 7 in order: they stand one behind the other, over flushes and sectors (reference,
//! log.md section 5).

use super::end::{Damage, Tear};
use super::reader::{Found, Place, Step};
use super::record::{Measured, RecordType, measure};
use super::sectors::Stream;
use crate::ese::position::{LgPos, LogTime};

/// Walks the records of a stream.
#[derive(Clone, Debug)]
pub(super) struct StreamCursor {
    generation: u32,
    sector_size: usize,
    at: usize,
}

impl StreamCursor {
    pub fn new(generation: u32, sector_size: usize) -> Self {
        Self { generation, sector_size, at: 0 }
    }

    /// The next record.
    pub fn step(&mut self, stream: &Stream) -> Step {
        loop {
            let rest = stream.bytes.get(self.at..).unwrap_or(&[]);
            self.at += rest.iter().take_while(|byte| **byte == RecordType::NOP.0).count();
            let limit = stream.next_fresh(self.at);
            let rest = stream.bytes.get(self.at..limit).unwrap_or(&[]);
            let file_at = stream.file_offset(self.at);
            let (unit, byte) = (file_at / self.sector_size, file_at % self.sector_size);
            let position = LgPos { generation: self.generation, sector: unit as u16, byte: byte as u16 };
            match measure(rest) {
                Measured::Nothing => return Step::End(None),
                Measured::Cut { .. } if limit < stream.bytes.len() => self.at = limit,
                Measured::Cut { kind, .. } => {
                    self.at = limit;
                    let sentence = format!("the record {kind} at {position} is not complete");
                    return Step::End(Some(Tear { unit: unit as u32, sentence }));
                }
                Measured::Whole(len) if !is_of_segments(rest) => {
                    let place = Place::Stream { at: self.at, len };
                    self.at += len;
                    let time = LogTime::default();
                    return Step::Record(Found { position, time, place, is_fragmented: false });
                }
                Measured::Whole(_) | Measured::Unknown(_) => {
                    let kind = rest.first().copied().unwrap_or_default();
                    let found = format_args!("a record of type {kind} at byte {byte:#x}");
                    return Step::Damage(Damage::new(
                        unit as u32,
                        file_at as u64,
                        found,
                        "a type of this format",
                    ));
                }
            }
        }
    }
}

/// Whether the record is one that only a container uses.
fn is_of_segments(record: &[u8]) -> bool {
    let kind = record.first().copied().map(RecordType);
    matches!(kind, Some(RecordType::FRAGMENT_BEGIN | RecordType::FRAGMENT | RecordType::CHECKSUM))
}
