//! The header of a transaction log file (reference, log.md section 2).

use crate::error::{Error, Result};
use crate::ese::attachment::{self, Attachment};
use crate::ese::environment::Environment;
use crate::ese::page::checksum::header_xor;
use crate::ese::position::{LgPos, LogTime, Signature};
use crate::ese::{file_type, page_size_of_field};
use crate::le::{Fields, bytes_at};

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 4096;
const JET_LOG_CORRUPT: i32 = -501;
const ATTACHMENTS_AT: usize = 671;

/// What a log file's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHeader {
    /// Number of the log in its sequence, from 1.
    pub generation: u32,
    /// Bytes of a sector (major 7, usually 512) or of a segment (major 8, 4,096).
    pub sector_size: u32,
    /// Length of the header in sectors: the first sector of data.
    pub header_sectors: u32,
    /// Length of the file in sectors.
    pub file_sectors: u32,
    /// Page size of the databases, in bytes.
    pub page_size: u32,
    /// When this generation was made.
    pub created: LogTime,
    /// When the generation before was made; zero in generation 1.
    pub previous_created: LogTime,
    /// Format version: 7 and below is the container with LRCHECKSUM records, 8 the one with segments.
    pub major: u32,
    /// Constant in practice: 3704 or 4000.
    pub minor: u32,
    /// Version of the records; a higher one than tested must be refused.
    pub update_major: u32,
    /// Version of compatible changes.
    pub update_minor: u32,
    /// The log sequence that it belongs to.
    pub signature: Signature,
    /// The header's own checksum.
    pub checksum: u32,
    /// The parameters of the instance that made the log.
    pub environment: Environment,
    /// The log was made of the space kept in reserve.
    pub from_reserve: bool,
    /// Circular logging was on.
    pub circular: bool,
    /// Circular logging was on in an earlier generation: older logs may be gone.
    pub circular_before: bool,
    /// A code for how the sectors of the disk compare with those of the log; 0 where the writer did not say.
    pub disk_sector_code: u8,
    /// Format version of the engine that made the log; for people only, 0 in older formats.
    pub engine_version: u32,
    /// The checkpoint when the log was made.
    pub checkpoint: LgPos,
    /// XOR of the checksums of all segments of the generation before; meaningful from update minor 13 on.
    pub previous_checksum: u64,
    /// The databases attached when the log was made.
    pub attachments: Vec<Attachment>,
}

impl LogHeader {
    /// Reads the header from the first 4,096 bytes of a log. Errors carry -501 for a damaged header and -1210 to -1212
    /// for logs older than the formats described.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let header = bytes_at(file, 0, HEADER_LEN)
            .ok_or_else(|| damaged(0, format_args!("{} bytes", file.len()), "at least 4096 bytes"))?;
        let fields = Fields(header);
        refuse_ancient(fields)?;
        let (stored, computed) = (fields.u32(0), header_xor(header));
        if stored != computed {
            return Err(damaged(
                0,
                format_args!("checksum {stored:#010x}"),
                format_args!("{computed:#010x}"),
            ));
        }
        let file_type = fields.u32(file_type::AT);
        if !matches!(file_type, file_type::LOG | file_type::OLD) {
            let found = format_args!("file type {file_type}");
            return Err(damaged(file_type::AT as u64, found, "file type 3 (log)"));
        }
        let (generation, major) = (fields.u32(4), fields.u32(32));
        if !(1..0x8000_0000).contains(&generation) || !(1..0x1_0000).contains(&major) {
            let found = format_args!("generation {generation:#x} of format {major}");
            return Err(damaged(4, found, "a generation from 1 of a known format"));
        }
        let geometry = Geometry::parse(fields)?;
        let attachments = attachment::read_list(header, ATTACHMENTS_AT, "log header")
            .map_err(|error| error.with_jet(JET_LOG_CORRUPT))?;
        Ok(Self {
            generation,
            sector_size: geometry.sector_size,
            header_sectors: geometry.header_sectors,
            file_sectors: geometry.file_sectors,
            page_size: geometry.page_size,
            created: fields.logtime(16),
            previous_created: fields.logtime(24),
            major,
            minor: fields.u32(36),
            update_major: fields.u32(40),
            update_minor: fields.u32(648),
            signature: fields.signature(44),
            checksum: stored,
            environment: Environment::read(header, 72),
            from_reserve: fields.u8(639) & 1 != 0,
            circular: fields.u8(639) & 2 != 0,
            circular_before: fields.u8(639) & 4 != 0,
            disk_sector_code: fields.u8(652),
            engine_version: fields.u32(661),
            checkpoint: fields.lgpos(640),
            previous_checksum: fields.u64(653),
            attachments,
        })
    }

    /// The place behind the header, before the first record.
    pub fn begin(&self) -> LgPos {
        LgPos { generation: self.generation, sector: self.header_sectors as u16, byte: 0 }
    }

    /// The length that the file should have, in bytes.
    pub fn file_len(&self) -> u64 {
        u64::from(self.sector_size) * u64::from(self.file_sectors)
    }

    /// Whether the file is of the old container, with LRCHECKSUM records instead of segments.
    pub fn is_legacy(&self) -> bool {
        self.major <= 7
    }
}

/// How a log is divided; all of it proved to be sensible.
struct Geometry {
    sector_size: u32,
    header_sectors: u32,
    file_sectors: u32,
    page_size: u32,
}

impl Geometry {
    fn parse(fields: Fields<'_>) -> Result<Self> {
        let (sector_size, header_sectors) = (u32::from(fields.u16(8)), u32::from(fields.u16(10)));
        let file_sectors = u32::from(fields.u16(12));
        if !matches!(sector_size, 512 | 1024 | 2048 | 4096) {
            return Err(damaged(8, format_args!("sectors of {sector_size} bytes"), "512 to 4096"));
        }
        if sector_size * header_sectors != HEADER_LEN as u32 || file_sectors <= header_sectors {
            let found = format_args!("{header_sectors} header sectors of {file_sectors}");
            return Err(damaged(10, found, "4096 bytes of header and a sector behind it"));
        }
        let page_field = u32::from(fields.u16(14));
        let page_size = page_size_of_field(page_field)
            .ok_or_else(|| damaged(14, format_args!("pages of {page_field} bytes"), "a page size"))?;
        Ok(Self { sector_size, header_sectors, file_sectors, page_size })
    }
}

/// Formats before ESE97 had other headers, known by fixed words.
fn refuse_ancient(fields: Fields<'_>) -> Result<()> {
    let words = |at: [usize; 3]| at.map(|at| fields.u32(at));
    let number = match (words([24, 28, 32]), words([20, 24, 28])) {
        ([4, 909 | 995, 0], _) => -1212,
        (_, [443, 0, 0]) => -1211,
        _ if fields.u32(44) == 0 && fields.u32(48) == 0x0CA_0001 => -1210,
        _ => return Ok(()),
    };
    Err(Error::format("log header", 20, "a format older than ESE97", "format 7 or 8").with_jet(number))
}

fn damaged(position: u64, found: impl std::fmt::Display, expected: impl std::fmt::Display) -> Error {
    Error::format("log header", position, found, expected).with_jet(JET_LOG_CORRUPT)
}
